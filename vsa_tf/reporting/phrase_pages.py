"""The pages of localized phrases and of snippets as queries."""

import collections

from vsa_tf.boxes import box_overlap
from vsa_tf.metrics.phrase_localization import IOU_THRESHOLD, union_box
from vsa_tf.reporting.report_page import Card, ReportPage, numbered_pages, region_cards
from vsa_tf.scoring.region_queries import snippet_regions

_INTRODUCTION = (
    "The coloured box is the best region for a phrase, the dashed one that which people drew; grey "
    "words found the whole frame. ✓: they overlap by half or more. Point at a phrase, or go from "
    "image to image with Tab and from phrase to phrase with the arrow keys."
)
NUM_REGIONS = 10
# Of frequent snippets.
_ARTICLES = ("a", "an", "the")
_LEAST_WORDS = 2
_MOST_WORDS = 4


def region_phrase_pages(model, evaluation, data, photographs, options):
    """Yields the pages of a two-branch network of phrases; see `alignment_pages`."""
    records = data.records
    phrases = list(zip(records.image_of_caption, records.captions))
    cards = PhraseCards(phrases, evaluation.ranked_phrases, records, photographs)
    yield from phrase_pages(cards, options)
    # A similarity network has no space in which the regions of all images could be searched.
    if model.has_joint_space:
        frequent = frequent_snippets(data.caption_tokens, options.num_frequent_queries)
        queries = [*options.query, *map(data.text.join, frequent)]
        answers = snippet_answers(model, queries, evaluation.embedded, data)
        if answers:
            yield query_page(answers, data, photographs)


def phrase_pages(cards, options):
    """Yields the pages of images whose phrases were looked for, each a `ReportPage`.

    Args:
        cards: `PhraseCards`.
        options: `ReportOptions`.
    """
    return numbered_pages(
        "phrases",
        "Phrases",
        _INTRODUCTION,
        options.shown(cards.images),
        options.images_per_page,
        lambda images: [ReportPage.group(cards=map(cards.card, images))],
    )


class PhraseCards:
    """Makes the card of an image whose phrases were looked for.

    Args:
        phrases: list of P `(image, text)`.
        ranked_phrases: of an `Evaluation`, in the same order.
        records: the records of the split.
        photographs: `PhotographFolder`.

    Attributes:
        images: the images that have phrases, list of int.
    """

    def __init__(self, phrases, ranked_phrases, records, photographs):
        self._phrases = {}
        for (image, text), found in zip(phrases, ranked_phrases, strict=True):
            self._phrases.setdefault(int(image), []).append((text, *found))
        self._records = records
        self._photographs = photographs
        self.images = list(self._phrases)

    def card(self, image):
        """Returns the `Card` of one of `images`."""
        card = Card(self._photographs.photograph(image), self._records.filenames[image])
        for text, ranked_boxes, truth_boxes, kind in self._phrases[image]:
            boxes = card.add_box(ranked_boxes[0]) if len(ranked_boxes) else []
            note, right = "no box is annotated", None
            if len(truth_boxes):
                truth = union_box(truth_boxes)
                overlaps = box_overlap(ranked_boxes, truth)
                right = bool((overlaps[:1] >= IOU_THRESHOLD).any())
                note = _note(overlaps, right)
                boxes = boxes + card.add_box(truth, is_truth=True)
            card.add_line([Card.part(text, boxes, note)], kind, note, right)
        return card


def _note(overlaps, right):
    if not len(overlaps):
        return "no region"
    note = f"overlap {overlaps[0]:.2f}"
    correct = (overlaps >= IOU_THRESHOLD).nonzero()[0]
    if right:
        return note
    where = f"right at rank {correct[0] + 1}" if len(correct) else "no region is right"
    return f"{note}, {where}"


def snippet_answers(model, queries, embedded, data):
    """Returns the best regions of snippets of text.

    Args:
        model: the model, see `snippet_regions`.
        queries: list of str.
        embedded: the `EmbeddedSplit` of the model, or its `EmbeddedPairs`.
        data: its `SplitData`.

    Returns:
        List of `(query, list of RegionHit)`.

    Raises:
        VsaTfError: a query has no words.
    """
    return list(zip(queries, snippet_regions(model, queries, embedded, data, NUM_REGIONS)))


def query_page(answers, data, photographs):
    """Returns the page of queries and their best regions (D Figure 2), a `ReportPage`.

    Args:
        answers: list of `(query, list of RegionHit)`.
        data: the `SplitData`.
        photographs: `PhotographFolder`.
    """
    unit = "Snippets" if data.text.relation_types is None else "Relations"
    return ReportPage(
        "queries",
        f"{unit} and their best regions",
        f"The {NUM_REGIONS} regions of all images that score highest for one, best first. A card "
        "without a box is of a whole frame.",
        [
            ReportPage.group(query, region_cards(hits, data, photographs), small=True)
            for query, hits in answers
        ],
        section="Queries",
    )


def frequent_snippets(snippets, count):
    """Returns the most frequent snippets, without the article before them.

    Snippets of one word, or of more than four, are left out, and so are those that hold, or are
    held by, a more frequent one.

    Args:
        snippets: iterable of lists of tokens.
        count: how many to return, fewer if there are fewer.

    Returns:
        List of lists of tokens, the most frequent first; of equally frequent ones the first met.

    Example:

    >>> sentences = ["a black dog", "the black dog", "black dog runs", "a red ball", "dog"]
    >>> frequent_snippets([sentence.split() for sentence in sentences], 2)
    [['black', 'dog'], ['red', 'ball']]
    """
    counts = collections.Counter()
    for tokens in snippets:
        words = tuple(tokens[1:] if tokens[:1] and tokens[0] in _ARTICLES else tokens)
        if _LEAST_WORDS <= len(words) <= _MOST_WORDS:
            counts[words] += 1
    chosen = []
    for words, _ in counts.most_common():
        if len(chosen) == count:
            break
        if not any(_holds(words, other) or _holds(other, words) for other in chosen):
            chosen.append(words)
    return [list(words) for words in chosen]


def _holds(words, other):
    return any(
        words[start : start + len(other)] == other for start in range(len(words) - len(other) + 1)
    )
