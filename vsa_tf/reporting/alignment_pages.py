"""The pages of an alignment model."""

import numpy as np

from vsa_tf.reporting.aligned_cards import AlignedCards
from vsa_tf.reporting.frequent_snippets import frequent_snippets
from vsa_tf.reporting.magnitude_page import magnitude_page
from vsa_tf.reporting.phrase_cards import PhraseCards
from vsa_tf.reporting.phrase_pages import phrase_pages
from vsa_tf.reporting.query_page import query_page
from vsa_tf.reporting.report_page import ReportPage, numbered_pages
from vsa_tf.reporting.retrieval_pages import RetrievalPages
from vsa_tf.scoring.snippets import aligned_snippets
from vsa_tf.visualization.split_pictures import SMOOTHNESS

_INTRODUCTION = (
    "Each sentence is cut into snippets, each of the region that its words score highest for; grey "
    "words go to the whole frame. Point at words or boxes, or go from image to image with the "
    "tabulator and from snippet to snippet with the arrow keys. A rank is that of the image among "
    "all images of the split, for the sentence."
)


def alignment_pages(model, evaluation, data, photographs, options):
    """Returns the pages of an alignment model, list of `ReportPage`.

    Args:
        model: an `AlignmentModel`.
        evaluation: its `Evaluation` on the split.
        data: the `SplitData`.
        photographs: `PhotographFolder`.
        options: `ReportOptions`.
    """
    records, embedded = data.records, evaluation.embedded
    retrieval = RetrievalPages(evaluation.scores, records, photographs)
    snippets = aligned_snippets(embedded, records.image_of_caption, SMOOTHNESS)
    aligned = AlignedCards(embedded, data, snippets, retrieval.ranks.sentence_to_image, photographs)
    frequent = frequent_snippets(
        _spoken_snippets(snippets, embedded, data), options.num_frequent_queries
    )
    queries = [*options.queries, *map(data.text.join, frequent)]
    pages = list(
        numbered_pages(
            "images",
            "Images",
            _INTRODUCTION,
            options.shown(range(records.num_images)),
            options.images_per_page,
            lambda images: [ReportPage.group(cards=map(aligned.card, images))],
        )
    )
    if queries:
        pages.append(query_page(model, queries, embedded, data, photographs))
    pages.append(magnitude_page(embedded, data, photographs))
    pages += retrieval.pages()
    if evaluation.ranked_phrases:
        phrases = [
            (image, _words_of(records, image, phrase))
            for image, own in enumerate(records.phrases)
            for phrase in own
        ]
        cards = PhraseCards(phrases, evaluation.ranked_phrases, records, photographs)
        pages += phrase_pages(cards, options)
    return pages


def _spoken_snippets(snippets, embedded, data):
    """Yields the tokens of snippets that are of a place, without quiet words at their ends."""
    magnitudes = np.linalg.norm(embedded.words, axis=1)
    is_loud, starts = magnitudes >= np.median(magnitudes), embedded.starts
    for sentence, region, first, last in snippets:
        loud = np.flatnonzero(is_loud[starts[sentence] + first : starts[sentence] + last])
        if region and loud.size:  # region 0 is the whole frame
            yield data.caption_tokens[sentence][first + loud[0] : first + loud[-1] + 1]


def _words_of(records, image, phrase):
    words = records.captions[records.first_caption[image] + phrase.caption_index].split()
    return " ".join(words[phrase.first_word : phrase.first_word + phrase.num_words])
