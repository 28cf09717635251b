"""What images and sentences retrieve: where it goes well, and where it goes wrong."""

import numpy as np

from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.reporting.report_page import Card, ReportPage, numbered_pages
from vsa_tf.visualization.split_pictures import spread

_INTRODUCTION = (
    "Each image with its sentences. A rank is that of the image among all images of the split, for "
    "the sentence."
)
_NUM_QUERIES = 12
_NUM_ANSWERS = 5


def image_sentence_pages(evaluation, data, photographs, options):
    """Returns the pages of a two-branch network of sentences; see `alignment_pages`."""
    records = data.records
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


class RetrievalPages:
    """Makes the two pages of retrieval: successes spread over the split, and the worst failures.

    Args:
        scores: float `[N, M]`.
        records: the records of the split.
        photographs: `PhotographFolder`.

    Attributes:
        ranks: the `RetrievalRanks`.
    """

    def __init__(self, scores, records, photographs):
        self._scores = scores
        self._records = records
        self._photographs = photographs
        self._images = np.unique(records.image_of_caption)
        self.ranks = retrieval_ranks(scores, records.image_of_caption)

    def pages(self):
        """Returns list of `ReportPage`."""
        search = self._groups(
            self.ranks.sentence_to_image,
            np.arange(self._records.num_captions),
            self._images_of_sentence,
            "image",
        )
        annotation = self._groups(
            self.ranks.image_to_sentence, self._images, self._sentences_of_image, "sentence"
        )
        return [
            ReportPage(
                "image_search",
                "Image search",
                f"The {_NUM_ANSWERS} best images for a sentence, best first; the right one is "
                "framed in green. A rank counts all images of the split.",
                search,
                section="Image search",
            ),
            ReportPage(
                "image_annotation",
                "Image annotation",
                f"The {_NUM_ANSWERS} best sentences for an image, best first; ✓ marks its own. A "
                "rank counts all sentences of the split.",
                annotation,
                section="Image annotation",
            ),
        ]

    def _groups(self, ranks, queries, answers_of, answer):
        first = np.flatnonzero(ranks == 1)
        found = first[spread(len(first), _NUM_QUERIES)]
        worst = np.argsort(-ranks, kind="stable")[:_NUM_QUERIES]
        worst = worst[ranks[worst] > 1]
        groups = []
        for title, chosen in (
            (f"Found: {len(first)} of {len(ranks)} have a right {answer} first", found),
            (f"Not found: the {len(worst)} worst", worst),
        ):
            groups.append(ReportPage.group(title))
            groups += [answers_of(int(queries[row]), int(ranks[row])) for row in chosen]
        return groups

    def _images_of_sentence(self, sentence, rank):
        records, column = self._records, self._scores[:, sentence]
        own = records.image_of_caption[sentence]
        cards = [
            self._image_card(image, f"{column[image]:.2f}", True if image == own else None)
            for image in _best(column)
        ]
        if own not in _best(column):
            cards.append(self._image_card(own, f"rank {rank}, {column[own]:.2f}", True))
        return ReportPage.group(records.captions[sentence], cards, small=True, level=3)

    def _image_card(self, image, note, right):
        return Card(self._photographs.photograph(image), note=note, right=right)

    def _sentences_of_image(self, image, rank):
        records, row = self._records, self._scores[image]
        card = Card(self._photographs.photograph(image), records.filenames[image])
        shown = list(_best(row))
        own = np.flatnonzero(records.image_of_caption == image)
        best_own = own[np.argmax(row[own])]
        if best_own not in shown:
            shown.append(best_own)
        for sentence in shown:
            right = True if records.image_of_caption[sentence] == image else None
            place = f"rank {rank}, " if sentence == best_own else ""
            card.add_line(
                [Card.part(records.captions[sentence])],
                note=f"{place}{row[sentence]:.2f}",
                right=right,
            )
        return ReportPage.group(cards=[card])


def _best(scores):
    return np.argsort(-scores, kind="stable")[:_NUM_ANSWERS]
