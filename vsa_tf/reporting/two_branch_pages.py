"""The pages of a two-branch network."""

from vsa_tf.reporting.alignment_pages import frequent_snippets
from vsa_tf.reporting.card import Card
from vsa_tf.reporting.phrase_pages import PhraseCards, phrase_pages, query_page
from vsa_tf.reporting.report_page import ReportPage, numbered_pages
from vsa_tf.reporting.retrieval_pages import RetrievalPages

_INTRODUCTION = (
    "Each image with its sentences. A rank is that of the image among all images of the split, for "
    "the sentence."
)


def two_branch_pages(model, evaluation, data, photographs, options):
    """Returns the pages of a two-branch network, list of `ReportPage`; see `alignment_pages`."""
    if model.task == "image_sentence":
        return _retrieval_pages(evaluation, data.records, photographs, options)
    records = data.records
    phrases = list(zip(records.image_of_caption, records.captions))
    cards = PhraseCards(phrases, evaluation.ranked_phrases, records, photographs)
    pages = phrase_pages(cards, options)
    # A similarity network has no space in which the regions of all images could be searched.
    if model.has_joint_space:
        frequent = frequent_snippets(data.caption_tokens, options.num_frequent_queries)
        queries = [*options.query, *map(data.text.join, frequent)]
        if queries:
            pages.append(query_page(model, queries, evaluation.embedded, data, photographs))
    return pages


def _retrieval_pages(evaluation, records, photographs, options):
    retrieval = RetrievalPages(evaluation.scores, records, photographs)
    ranks = retrieval.ranks.sentence_to_image

    def card(image):
        card = Card(photographs.photograph(image), records.filenames[image])
        for sentence in range(*records.first_caption[image : image + 2]):
            card.add_line(
                [Card.part(records.captions[sentence])],
                note=f"rank {ranks[sentence]}",
                right=bool(ranks[sentence] == 1),
            )
        return card

    pages = numbered_pages(
        "images",
        "Images",
        _INTRODUCTION,
        options.shown(range(records.num_images)),
        options.images_per_page,
        lambda images: [ReportPage.group(cards=map(card, images))],
    )
    return [*pages, *retrieval.pages()]
