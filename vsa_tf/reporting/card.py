"""A photograph with boxes, and lines of text that point at them."""

from vsa_tf.reporting.report_page import printable
from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS, WHOLE_FRAME_SHARE


class Card:
    """What a page shows of one photograph; static/report.js draws it.

    Args:
        photograph: of `PhotographFolder.photograph`.
        title: what it is called, such as its file name.
        note: a short remark beside it, such as a score.
        right: whether it is a right answer; None: it is not one to judge.
    """

    def __init__(self, photograph, title="", note="", right=None):
        self._boxes = []
        self._colors = {}
        self.content = {
            "photograph": photograph,
            "title": printable(title),
            "note": printable(note),
            "right": right,
            "boxes": self._boxes,
            "lines": [],
        }

    def add_box(self, box, is_truth=False):
        """Adds a box, once.

        Args:
            box: four floats, normalised `ymin, xmin, ymax, xmax`.
            is_truth: drawn dashed, without a colour.

        Returns:
            List of its number; empty for the whole frame, which is not drawn.
        """
        ymin, xmin, ymax, xmax = box = [round(min(1.0, max(0.0, float(x))), 4) for x in box]
        if not is_truth and (ymax - ymin) * (xmax - xmin) >= WHOLE_FRAME_SHARE:
            return []
        color = None if is_truth else self._colors.get(tuple(box))
        if not is_truth and color is None:
            red_green_blue = SNIPPET_COLORS[len(self._colors) % len(SNIPPET_COLORS)]
            color = self._colors[tuple(box)] = "#{:02x}{:02x}{:02x}".format(*red_green_blue)
        entry = {"box": box, "color": color}
        if entry not in self._boxes:
            self._boxes.append(entry)
        return [self._boxes.index(entry)]

    def add_line(self, parts, label="", note="", right=None):
        """Adds a line of text.

        Args:
            parts: list of `Card.part`.
            label: what the line is, such as `generated`.
            note: a short remark, such as a rank.
            right: whether it is a right answer; None: it is not one to judge.
        """
        self.content["lines"].append(
            {"parts": parts, "label": label, "note": printable(note), "right": right}
        )

    @staticmethod
    def part(text, boxes=(), note="", below=""):
        """Returns a part of a line.

        Args:
            text: words.
            boxes: numbers of `add_box` that it points at.
            note: shown when it is pointed at, such as a score.
            below: shown under the words, such as a log probability.
        """
        return {
            "text": printable(text),
            "boxes": list(boxes),
            "note": printable(note),
            "below": below,
        }


def region_cards(hits, data, photographs):
    """Returns a card for each region.

    Args:
        hits: list of `RegionHit`.
        data: the `SplitData` they are of.
        photographs: `PhotographFolder`.

    Returns:
        List of `Card`.
    """
    cards = []
    for hit in hits:
        card = Card(photographs.photograph(hit.image), note=f"{hit.score:.2f}")
        card.add_box(data.records.region_boxes[hit.image, hit.region])
        cards.append(card)
    return cards
