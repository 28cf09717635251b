"""The pages of localized phrases and of snippets as queries."""

from vsa_tf.boxes import box_overlap
from vsa_tf.metrics.phrase_localization import IOU_THRESHOLD, union_box
from vsa_tf.reporting.card import Card, region_cards
from vsa_tf.reporting.report_page import ReportPage, numbered_pages
from vsa_tf.scoring.region_queries import snippet_regions

_INTRODUCTION = (
    "The coloured box is the best region for a phrase, the dashed one that which people drew; grey "
    "words found the whole frame. ✓: they overlap by half or more. Point at a phrase, or go from "
    "image to image with Tab and from phrase to phrase with the arrow keys."
)
_NUM_REGIONS = 10


def phrase_pages(cards, options):
    """Returns the pages of images whose phrases were looked for, list of `ReportPage`.

    Args:
        cards: `PhraseCards`.
        options: `ReportOptions`.
    """
    return list(
        numbered_pages(
            "phrases",
            "Phrases",
            _INTRODUCTION,
            options.shown(cards.images),
            options.images_per_page,
            lambda images: [ReportPage.group(cards=map(cards.card, images))],
        )
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


def query_page(model, queries, embedded, data, photographs):
    """Returns the page of queries and their best regions.

    Args:
        model: the model, see `snippet_regions`.
        queries: list of str.
        embedded: the `EmbeddedSplit` of the model, or its `EmbeddedPairs`.
        data: its `SplitData`.
        photographs: `PhotographFolder`.

    Returns:
        `ReportPage`.

    Raises:
        VsaTfError: a query has no words.
    """
    groups = [
        ReportPage.group(
            query,
            region_cards(
                snippet_regions(model, query, embedded, data, _NUM_REGIONS), data, photographs
            ),
            small=True,
        )
        for query in queries
    ]
    return ReportPage(
        "queries",
        "Snippets and their best regions",
        f"The {_NUM_REGIONS} regions of all images that score highest for a snippet, best first. "
        "A card without a box is of a whole frame.",
        groups,
        section="Queries",
    )
