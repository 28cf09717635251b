"""The pages of an alignment model."""

import itertools

import numpy as np

from vsa_tf.metrics.magnitude import word_magnitude_table
from vsa_tf.reporting.phrase_pages import PhraseCards, frequent_snippets, phrase_pages, query_page
from vsa_tf.reporting.report_page import Card, ReportPage, html_table, numbered_pages, region_cards
from vsa_tf.reporting.retrieval_pages import RetrievalPages
from vsa_tf.scoring.embedded_split import aligned_snippets
from vsa_tf.scoring.region_queries import regions_by_magnitude

_INTRODUCTION = (
    "Each sentence is cut into snippets, each of the region that its words score highest for; grey "
    "words go to the whole frame. Point at words or boxes, or go from image to image with the "
    "Tab key and from snippet to snippet with the arrow keys. A rank is that of the image among "
    "all images of the split, for the sentence."
)
# Of largest magnitude.
_NUM_REGIONS = 40


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
    snippets = aligned_snippets(embedded, records.image_of_caption, options.smoothness)
    aligned = AlignedCards(embedded, data, snippets, retrieval.ranks.sentence_to_image, photographs)
    frequent = frequent_snippets(
        _spoken_snippets(snippets, embedded, data), options.num_frequent_queries
    )
    queries = [*options.query, *map(data.text.join, frequent)]
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


class AlignedCards:
    """Makes the card of an image of a split that an alignment model has seen.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        snippets: of `aligned_snippets`.
        ranks: int `[M]`, of each sentence's image among all images.
        photographs: `PhotographFolder`.
    """

    def __init__(self, embedded, data, snippets, ranks, photographs):
        self._embedded = embedded
        self._data = data
        self._snippets = snippets
        self._first = np.searchsorted(snippets[:, 0], np.arange(data.records.num_captions + 1))
        self._starts = embedded.starts
        self._ranks = ranks
        self._photographs = photographs

    def card(self, image):
        """Returns the `Card` of an image."""
        records = self._data.records
        card = Card(self._photographs.photograph(image), records.filenames[image])
        for sentence in range(*records.first_caption[image : image + 2]):
            card.add_line(self._parts(card, image, sentence), note=f"rank {self._ranks[sentence]}")
        return card

    def _parts(self, card, image, sentence):
        caption = self._data.records.captions[sentence]
        rows = self._snippets[self._first[sentence] : self._first[sentence + 1]]
        parts = snippet_parts(
            caption, self._data.text.token_boundaries(caption), [(a, b) for _, _, a, b in rows]
        )
        found = []
        for text, snippet in parts:
            if snippet is None:
                found.append(Card.part(text))
                continue
            _, region, first, last = rows[snippet]
            start = self._starts[sentence]
            words = self._embedded.words[start + first : start + last]
            score = float(words.sum(axis=0) @ self._embedded.regions[image, region])
            boxes = card.add_box(self._data.records.region_boxes[image, region])
            found.append(Card.part(text, boxes, f"{score:.2f}"))
        return found


def snippet_parts(caption, boundaries, snippets):
    """Gives each word of a caption to the snippet that its first token is in.

    Words without a token, such as a full stop, stay with the word before them.

    Args:
        caption: str.
        boundaries: word i of `caption.split()` has tokens boundaries[i] to boundaries[i + 1] - 1.
        snippets: list of `(first, last)`, the first token of each and the one after its last.

    Returns:
        List of `(text, snippet)` in the order of the words; snippet is None where words are in
        none.

    Example:

    >>> snippet_parts("A dog , running .", [0, 1, 2, 2, 3, 3], [(0, 2), (2, 3)])
    [('A dog ,', 0), ('running .', 1)]
    """
    owners = []
    for word in range(len(caption.split())):
        token = boundaries[word]
        owner = next(
            (index for index, (first, last) in enumerate(snippets) if first <= token < last), None
        )
        if token == boundaries[word + 1]:
            owner = owners[-1] if owners else None
        owners.append(owner)
    pairs = zip(owners, caption.split())
    return [
        (" ".join(word for _, word in run), owner)
        for owner, run in itertools.groupby(pairs, key=lambda pair: pair[0])
    ]


def magnitude_page(embedded, data, photographs):
    """Returns the page of magnitudes (D section 1 of the supplement).

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        photographs: `PhotographFolder`.

    Returns:
        `ReportPage`.
    """
    words = word_magnitude_table(
        embedded.words, data.tokens.packed_ids, data.text.vocabulary.tokens
    )
    tables = [
        html_table(
            f"Words of {name} magnitude",
            ("word", "magnitude", "count"),
            [(row["word"], f"{row['magnitude']:.2f}", row["count"]) for row in rows],
        )
        for name, rows in words.items()
    ]
    hits = regions_by_magnitude(embedded.regions, embedded.region_mask, _NUM_REGIONS)
    regions = ReportPage.group(
        "Regions of largest magnitude", region_cards(hits, data, photographs), small=True
    )
    return ReportPage(
        "magnitudes",
        "Magnitudes of words and regions",
        "A score is a sum of inner products, so that a short vector hardly counts in it. A word's "
        "magnitude is the mean length of its vectors in the split.",
        [regions],
        f'<div class="tables">{"".join(tables)}</div>\n',
        "Magnitudes",
    )
