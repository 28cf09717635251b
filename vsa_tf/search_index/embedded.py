"""Images or sentences as a model's vectors, and how well those of an index answer a query."""

import dataclasses

import numpy as np

from vsa_tf.boxes import WITH_BOXES, WITHOUT_BOXES, box_agreement
from vsa_tf.errors import VsaTfError
from vsa_tf.models.two_branch.settings import SQUARE_OFFSET
from vsa_tf.scoring.blocked_scores import max_sum_scores
from vsa_tf.text.vocabulary import TextKnowledge

_AT_A_TIME = 100


@dataclasses.dataclass(frozen=True)
class Embedded:
    """N images, or N sentences.

    Attributes:
        kind: `images` or `sentences`.
        vectors: float; `[N, H]` where each is one vector, `[N, R, H]` of images with regions, and
            `[P, H]` of sentences with words, sentence after sentence.
        counts: int32 `[N]`; real regions, or words; None where each is one vector.
        boxes: float32 `[N, R, 4]`, of the regions; else None.
        known: of sentences that were embedded now, how much of each the model knows, tuple of
            `TextKnowledge`; an index does not keep it.
    """

    kind: str
    vectors: np.ndarray
    counts: np.ndarray | None = None
    boxes: np.ndarray | None = None
    known: tuple = ()

    @classmethod
    def of_images(cls, model, image_bytes):
        """Embeds a list of encoded images by the signature `embed_image` of a model.

        Raises:
            InputError: one cannot be read.
            VsaTfError: the model's vectors are not finite.
        """
        return cls.of_image_answer(model.call("embed_image", image_bytes=image_bytes))

    @classmethod
    def each_of(cls, model):
        """Returns a function of a list of encoded images that gives `Embedded` of one of each."""

        def embed(image_bytes):
            embedded = cls.of_images(model, image_bytes)
            return [embedded.take([row]) for row in range(len(image_bytes))]

        return embed

    @classmethod
    def each_of_split(cls, trained, data, kind):
        """Yields a split of records, batch by batch.

        Args:
            trained: a `TrainedModel`.
            data: `SplitData`.
            kind: `images` or `sentences`.
        """
        if kind == "sentences":
            for batch in data.sentence_batches(_AT_A_TIME):
                vectors, counts = np.asarray(trained.model.embed_sentences(batch)), None
                if vectors.ndim == 3:
                    mask = np.asarray(trained.model.sentence_mask(batch))
                    vectors, counts = vectors[mask], mask.sum(axis=1, dtype=np.int32)
                yield cls(kind, vectors, counts)
            return
        from vsa_tf.inference.answers import make_answers
        from vsa_tf.inference.exported_model import as_arrays
        from vsa_tf.inference.signatures import AnswerSettings

        answers = make_answers(trained, AnswerSettings())
        for batch in data.image_batches(_AT_A_TIME):
            yield cls.of_image_answer(as_arrays(answers.embed_image(batch)))

    @classmethod
    def of_image_answer(cls, answer):
        """Takes what the signature `embed_image` has answered, a dict; raises as `of_images`."""
        if "embedding" in answer:
            return cls("images", _finite(answer["embedding"]))
        return cls(
            "images",
            _finite(answer["regions"]),
            answer["num_regions"].astype(np.int32),
            answer["boxes"].astype(np.float32),
        )

    @classmethod
    def of_sentences(cls, model, sentences):
        """Embeds a list of str by the signature `embed_sentence`; raises as `of_images`."""
        answer = model.call("embed_sentence", sentences=sentences)
        of_texts = [name for name in ("unknown_words", "num_known_words") if name in answer]
        known = tuple(
            TextKnowledge.of_row({name: answer[name][row] for name in of_texts})
            for row in range(len(sentences))
        )
        if "embedding" in answer:
            return cls("sentences", _finite(answer["embedding"]), known=known)
        counts = answer["num_words"].astype(np.int32)
        is_word = np.arange(answer["words"].shape[1]) < counts[:, None]
        return cls("sentences", _finite(answer["words"][is_word]), counts, known=known)

    def __len__(self):
        return len(self.vectors) if self.counts is None else len(self.counts)

    @property
    def has_regions(self):
        """Whether these are images of several regions."""
        return self.vectors.ndim == 3

    @property
    def has_words(self):
        """Whether these are sentences of several words."""
        return self.kind == "sentences" and self.counts is not None

    @property
    def region_mask(self):
        """bool `[N, R]`, True where a region is real."""
        return np.arange(self.vectors.shape[1]) < self.counts[:, None]

    def check(self):
        """Raises ValueError where the arrays are not of the shapes and types above."""
        vectors, counts, boxes = self.vectors, self.counts, self.boxes
        dimensions = (2, 3) if self.kind == "images" else (2,)
        fits = vectors.dtype.kind == "f" and vectors.ndim in dimensions
        if counts is not None:
            fits &= counts.ndim == 1 and counts.dtype.kind == "i" and bool((counts >= 0).all())
        if self.kind == "sentences":
            fits &= boxes is None and (counts is None or len(vectors) == counts.sum(dtype=int))
        elif vectors.ndim == 3:
            fits &= counts is not None and len(counts) == len(vectors)
            fits = fits and bool((counts <= vectors.shape[1]).all())
            fits &= boxes is not None and boxes.shape == (*vectors.shape[:2], 4)
        else:
            fits &= counts is None and boxes is None
        if not fits:
            shapes = {name: f"{a.dtype} {list(a.shape)}" for name, a in self.arrays().items()}
            raise ValueError(
                f"Expected vectors, counts and boxes of {self.kind}. Received: {shapes}"
            )

    def arrays(self):
        """Returns the arrays by their names, without those that are None."""
        arrays = {"vectors": self.vectors, "counts": self.counts, "boxes": self.boxes}
        return {name: array for name, array in arrays.items() if array is not None}

    @classmethod
    def joined(cls, parts):
        """Returns those of all parts, a list of `Embedded` of one kind and shape, in order."""
        names = parts[0].arrays()
        arrays = {name: np.concatenate([part.arrays()[name] for part in parts]) for name in names}
        return cls(parts[0].kind, **arrays)

    def take(self, rows):
        """Returns those of `rows`, int `[n]`."""
        if self.has_words:
            ends = np.cumsum(self.counts)
            words = [np.arange(ends[row] - self.counts[row], ends[row]) for row in rows]
            vectors = np.asarray(self.vectors[np.concatenate([np.zeros(0, int), *words])])
            return Embedded(self.kind, vectors, np.asarray(self.counts[rows]))
        return Embedded(
            self.kind, **{name: np.asarray(array[rows]) for name, array in self.arrays().items()}
        )

    def summaries(self):
        """Returns one vector each, float32 `[N, H]`.

        An image with regions is its first one, the whole frame; a sentence with words is their sum,
        which is how an image of one region would score it.
        """
        if self.has_regions:
            return np.asarray(self.vectors[:, 0], np.float32)
        vectors = np.asarray(self.vectors, np.float32)
        if not self.has_words or not len(vectors):
            return vectors
        starts = np.cumsum(self.counts) - self.counts
        return np.add.reduceat(vectors, starts, axis=0)


def _finite(vectors):
    if not np.isfinite(vectors).all():
        raise VsaTfError("the model's vectors are not finite: it has diverged in training")
    return vectors


# `max_sum`, `max_mean`: of an alignment model, the sum or mean over words of the best region.
# `distance`: minus the Euclidean distance of vectors of length 1, the nearest region's for images
# with regions; the offset is that of `two_branch_loss.pairwise_distances`.
SCORES = ("max_sum", "max_mean", "distance")


def entry_scores(query, entries, score):
    """Scores entries for a query.

    An image is scored for a sentence, and a sentence for an image, as the model does. Two images,
    or two sentences, have no score in an alignment model: there it is the cosine of their
    `Embedded.summaries`.

    Args:
        query: `Embedded` of one image or sentence.
        entries: `Embedded` of N.
        score: one of `SCORES`.

    Returns:
        float32 `[N]`, larger is better.
    """
    if query.kind != entries.kind and (query.has_regions or entries.has_regions):
        scores = _best_region_scores(query, entries, score)
    else:
        mine, theirs = query.summaries()[0], entries.summaries()
        scores = theirs @ mine
        if score != "distance":
            scores /= np.maximum(np.linalg.norm(theirs, axis=1) * np.linalg.norm(mine), 1e-12)
    if score == "distance":
        scores = -np.sqrt(np.maximum(2.0 - 2.0 * scores, 0.0) + np.float32(SQUARE_OFFSET))
    return scores


def best_boxes(query, entries, score):
    """Returns the box of each image that best answers a sentence, float32 `[N, 4]`.

    All words go to one box, as in the signature `localize`.

    Args:
        query: `Embedded` of one sentence.
        entries: `Embedded` of N images with regions.
        score: one of `SCORES`.
    """
    phrase = np.asarray(query.vectors, np.float32).sum(axis=0)
    scores = np.asarray(entries.vectors, np.float32) @ phrase
    # Vectors that are compared by distance are a two-branch network's.
    power = WITH_BOXES if score == "distance" else WITHOUT_BOXES
    regions = box_agreement(scores, entries.boxes, entries.region_mask, power).argmax(axis=1)
    return entries.boxes[np.arange(len(entries)), regions]


def _best_region_scores(query, entries, score):
    images, sentences = (query, entries) if query.has_regions else (entries, query)
    lengths = np.ones(len(sentences), np.int64)
    if sentences.has_words:
        lengths = sentences.counts
    scores = max_sum_scores(
        images.vectors, images.region_mask, sentences.vectors, lengths, score == "max_mean"
    )
    return scores[0] if query.has_regions else scores[:, 0]
