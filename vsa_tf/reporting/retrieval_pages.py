"""What images and sentences retrieve: where it goes well, and where it goes wrong."""

import io

import numpy as np

from vsa_tf.evaluation.retrieval_metrics import DIRECTIONS, chance_recalls
from vsa_tf.metrics.retrieval import recalls_at, retrieval_ranks
from vsa_tf.reporting.metrics_page import DIRECTION_TEXTS
from vsa_tf.reporting.report_page import Card, ReportPage, html_table, numbered_pages, picture_tag
from vsa_tf.scoring.nearest_images import NearestImages, nearest_images
from vsa_tf.visualization.recall_chart import recall_chart
from vsa_tf.visualization.split_pictures import spread

_INTRODUCTION = (
    "Each image with the sentence of the split that scores highest for it, ✓ where it is its own, "
    "and its true sentences. A rank is that of the image among all images of the split, for the "
    "sentence, ✓ where it is the first."
)
_NUM_QUERIES = 12
_NUM_ANSWERS = 5
_NUM_EXAMPLES = 24
_NUM_NEIGHBORS = 5
# Of a curve; the axis is logarithmic.
_NUM_POINTS = 60
_BY_CHANCE = "by chance"


def image_sentence_pages(evaluation, data, photographs, options):
    """Yields the pages of a two-branch network of sentences; see `alignment_pages`."""
    retrieval = RetrievalPages(evaluation.scores, data.records, photographs)
    yield from retrieval.image_pages(_INTRODUCTION, options)
    yield from retrieval.pages()
    yield split_neighbor_page(evaluation.embedded.images, data.records, photographs, options)


def example_images(records, options):
    """Returns a few dozen of the images that `options` shows, evenly spread, int `[n]`.

    Args:
        records: the records of the split.
        options: `ReportOptions`.
    """
    return spread(len(options.shown(range(records.num_images))), _NUM_EXAMPLES)


def _plain_parts(records):
    return lambda card, image, sentence: [Card.part(records.captions[sentence])]


class RetrievalPages:
    """Makes the pages of retrieval: images and sentences, successes, and the worst failures.

    Args:
        scores: float `[N, M]`.
        records: the records of the split.
        photographs: `PhotographFolder`.
        parts_of: given a card of an image, its number and that of a sentence, returns the parts of
            the sentence's line; None: its text.

    Attributes:
        ranks: the `RetrievalRanks`.
        best: int `[N]`, the sentence that scores highest for each image; of equal ones the first.
    """

    def __init__(self, scores, records, photographs, parts_of=None):
        self._scores = scores
        self._records = records
        self._photographs = photographs
        self._parts_of = parts_of or _plain_parts(records)
        self._images = np.unique(records.image_of_caption)
        self.ranks = retrieval_ranks(scores, records.image_of_caption)
        self.best = np.argmax(scores, axis=1)

    def image_pages(self, introduction, options):
        """Yields the pages of the images and their sentences, each a `ReportPage`."""
        return numbered_pages(
            "images",
            "Images",
            introduction,
            options.shown(range(self._records.num_images)),
            options.images_per_page,
            lambda images: [ReportPage.group(cards=map(self.card, images))],
        )

    def card(self, image):
        """Returns the `Card` of an image: the retrieved sentence, then its own (D Figure 4)."""
        records, best = self._records, self.best[image]
        card = Card(self._photographs.photograph(image), records.filenames[image])
        self._add_line(card, image, best, f"{self._scores[image, best]:.2f}", "retrieved")
        for sentence in range(*records.first_caption[image : image + 2]):
            rank = self.ranks.sentence_to_image[sentence]
            parts = self._parts_of(card, image, sentence)
            card.add_line(parts, "true", f"rank {rank}", right=True if rank == 1 else None)
        return card

    def _add_line(self, card, image, sentence, note, label=""):
        own = self._records.image_of_caption[sentence] == image
        # What people did not write of an image may be true of it.
        card.add_line(
            self._parts_of(card, image, sentence), label, note, right=True if own else None
        )

    def annotations(self):
        """Returns images and the sentences that the page of image annotation shows of them.

        Those who make parts of sentences may make them together, before `pages` asks for them.

        Returns:
            int `[P]` and int `[P]`.
        """
        chosen = self._images[np.concatenate(self._chosen(self.ranks.image_to_sentence))]
        shown = [self._shown_sentences(image)[0] for image in chosen]
        return np.repeat(chosen, list(map(len, shown))), np.concatenate(shown)

    def pages(self):
        """Returns the pages of either direction, list of `ReportPage`."""
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

    def _chosen(self, ranks):
        """Returns which queries are shown: some that found a right answer, and the worst."""
        first = np.flatnonzero(ranks == 1)
        worst = np.argsort(-ranks, kind="stable")[:_NUM_QUERIES]
        return first[spread(len(first), _NUM_QUERIES)], worst[ranks[worst] > 1]

    def _groups(self, ranks, queries, answers_of, answer):
        found, worst = self._chosen(ranks)
        num_first, groups = np.count_nonzero(ranks == 1), []
        for title, chosen in (
            (f"Found: {num_first} of {len(ranks)} have a right {answer} first", found),
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
        shown, best_own = self._shown_sentences(image)
        for sentence in shown:
            place = f"rank {rank}, " if sentence == best_own else ""
            self._add_line(card, image, sentence, f"{place}{row[sentence]:.2f}")
        return ReportPage.group(cards=[card])

    def _shown_sentences(self, image):
        """Returns the best sentences for an image, its own best among them or behind, and that."""
        row, shown = self._scores[image], list(_best(self._scores[image]))
        own = np.flatnonzero(self._records.image_of_caption == image)
        best_own = own[np.argmax(row[own])]
        return shown if best_own in shown else [*shown, best_own], best_own


def _best(scores):
    return np.argsort(-scores, kind="stable")[:_NUM_ANSWERS]


def recall_page(ranks_of, report):
    """Returns the page of recall curves, a `ReportPage`; None of a split of a single image.

    Args:
        ranks_of: dict of a model's name to its `RetrievalRanks` on the split.
        report: of `evaluation_report`.
    """
    num_candidates = dict(zip(DIRECTIONS, (report["num_sentences"], report["num_images"])))
    if min(num_candidates.values()) < 2:
        return None
    files, parts = {}, []
    for direction in DIRECTIONS:
        title, meaning = DIRECTION_TEXTS[direction]
        last = num_candidates[direction]
        ticks = _round_numbers(last)
        points = np.geomspace(1, last, _NUM_POINTS).round().astype(int).tolist()
        places = sorted({*points, *ticks})
        curves = {
            name: recalls_at(getattr(ranks, direction), places) for name, ranks in ranks_of.items()
        }
        curves[_BY_CHANCE] = {k: chance_recalls(report, k)[direction] for k in places}
        content = io.BytesIO()
        label = "R@K, %, against K, how many come first"
        chart = recall_chart(curves, label, ticks, _BY_CHANCE)
        chart.save(content, "PNG")
        name = f"recall_{direction}.png"
        files[name] = content.getvalue()
        picture = picture_tag(name, chart.size, f"{title}: R@K against K; the table has its values")
        rows = [[name, *(f"{curve[k]:.1f}" for k in ticks)] for name, curve in curves.items()]
        table = html_table(f"{title}, R@K, %", ("K", *ticks), rows)
        parts.append(f"<h2>{title}</h2>\n<p>{meaning}</p>\n{picture}{table}")
    return ReportPage(
        "recall",
        "Recall curves",
        "Of a hundred queries, so many have a right answer among the first K. The far left says "
        "most: nobody reads on for long.",
        html="".join(parts),
        section="Recall curves",
        files=files,
    )


def _round_numbers(last):
    """Returns 1, 2, 5, 10, 20, 50 and so on up to `last`, list of int."""
    powers = [10**digits for digits in range(len(str(last)))]
    return [k * power for power in powers for k in (1, 2, 5) if k * power <= last]


def split_neighbor_page(vectors, records, photographs, options):
    """Returns the page of the images nearest to a few dozen, within the split.

    Args:
        vectors: float `[N, H]`, the model's of all images.
        records: the records of the split.
        photographs: `PhotographFolder`.
        options: `ReportOptions`.
    """
    chosen = example_images(records, options)
    kinds, without = {"by the model's vectors": vectors}, ""
    if records.info.region_feature_size:
        every = np.arange(records.num_images)
        kinds["by the image encoder's features"] = records.read_region_features(every, 1)[:, 0]
    else:
        without = " The records hold no features of an encoder to set beside it."
    found = {title: _nearest_others(features, chosen) for title, features in kinds.items()}
    introduction = (
        f"The {_NUM_NEIGHBORS} other images of the split nearest to an image, by the vectors that "
        f"the model makes and by the features that it reads.{without}"
    )
    return neighbor_page(introduction, chosen, found, (records, photographs))


def _nearest_others(vectors, images):
    found = nearest_images(vectors[images], vectors, _NUM_NEIGHBORS + 1)
    # Doubles are as near as an image itself, which need not stand first.
    is_other = found.images != images[:, None]
    is_other[is_other.all(axis=1), -1] = False
    shape = len(images), -1
    return NearestImages(*(each[is_other].reshape(shape) for each in found))


def neighbor_page(introduction, images, found, shown, among=None):
    """Returns the page of images and those nearest to them (M Figure 3).

    Args:
        introduction: of the page.
        images: int `[n]`, images of the split.
        found: dict of what they are nearest by to the `NearestImages` of those images.
        shown: records of the split and their `PhotographFolder`.
        among: records of the nearest images and their `PhotographFolder`; None: those of `shown`.
    """
    (records, photographs), (others, their) = shown, among or shown
    groups = []
    for place, image in enumerate(images):
        groups.append(ReportPage.group(records.filenames[image]))
        for title, nearest in found.items():
            cards = [_neighbor_card(records, photographs, image, "this one")]
            rows = nearest.images[place], nearest.distances[place]
            for other, distance in list(zip(*rows))[:_NUM_NEIGHBORS]:
                cards.append(_neighbor_card(others, their, other, f"{distance:.2f}"))
            groups.append(ReportPage.group(title, cards, small=True, level=3))
    distances = " Below each is its cosine distance, from 0 to 2, and the first of its captions."
    return ReportPage(
        "neighbors", "Neighbours", introduction + distances, groups, section="Neighbours"
    )


def _neighbor_card(records, photographs, image, note):
    card = Card(photographs.photograph(image), note=note)
    first, last = records.first_caption[image : image + 2]
    if first < last:
        card.add_line([Card.part(records.captions[first])])
    return card
