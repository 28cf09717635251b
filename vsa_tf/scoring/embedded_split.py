"""A split after a model: vectors of images or regions, and of words, sentences or phrases."""

import dataclasses

import numpy as np
from keras import ops

from vsa_tf.decoding.segment_alignment import smooth_alignment, snippet_numbers
from vsa_tf.scoring.blocked_scores import all_fragment_scores, max_sum_scores

# By the `score_name` of a `FragmentModel`; what has none is scored by the model itself.
_SCORES = {"max_sum": max_sum_scores, "fragments": all_fragment_scores}
# Pairs that are scored at a time; each is a few numbers while it is, or a network's pass.
_BLOCK_PAIRS = 1 << 20
# Of regions and words, that are pooled at a time by a model itself; it has several such arrays.
_BLOCK_PRODUCTS = 1 << 22
# Sentences that are padded to one length, to be cut into snippets or scored.
_SENTENCES_AT_A_TIME = 256


@dataclasses.dataclass
class EmbeddedSplit:
    """What a `FragmentModel` makes of a split of N images and M sentences.

    Vectors are float32, or float16 where `embed` was told so. Where the model reads dependency
    relations, they are meant by words.

    Attributes:
        regions: float `[N, R, H]`, v.
        region_mask: bool `[N, R]`.
        words: float `[P, H]`, s of the real words, sentence after sentence.
        lengths: int `[M]`, words of each sentence; they sum to P.
        starts: int `[M]`, position of each sentence's first word.
    """

    regions: np.ndarray
    region_mask: np.ndarray
    words: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self):
        return np.cumsum(self.lengths) - self.lengths

    def words_of(self, sentence):
        """Returns s of one sentence, float32 `[W, H]`."""
        start = self.starts[sentence]
        return self.words[start : start + self.lengths[sentence]]

    @classmethod
    def embed(
        cls,
        model,
        data,
        image_batch_size=100,
        sentence_batch_size=250,
        progress=None,
        dtype=np.float32,
    ):
        """Runs `model` over all images and sentences of `data`, a `SplitData`.

        Args:
            model: a `FragmentModel`.
            data: `SplitData`.
            image_batch_size: images at a time.
            sentence_batch_size: sentences at a time.
            progress: see `told`.
            dtype: of the vectors; float16 is for `take`, which makes them float32.
        """
        num_images = data.records.num_images
        batches = data.image_batches(image_batch_size)
        batches = told(batches, image_batch_size, num_images, "images", progress)
        regions, region_mask = _all_regions(model.embed_images, batches, num_images, dtype)
        lengths, words = data.tokens.lengths, None
        starts = np.cumsum(lengths) - lengths
        # A recurrence takes as many steps as the longest sentence of a batch has words.
        by_length = np.argsort(lengths, kind="stable")
        batches = data.sentence_batches(sentence_batch_size, by_length)
        for batch in told(batches, sentence_batch_size, len(lengths), "sentences", progress):
            vectors = _array(model.embed_sentences(batch))
            mask = ops.convert_to_numpy(model.sentence_mask(batch))
            if words is None:
                words = np.empty((lengths.sum(), vectors.shape[-1]), dtype)
            first = starts[ops.convert_to_numpy(batch["sentence_id"])]
            words[(first[:, None] + np.arange(mask.shape[1]))[mask]] = vectors[mask]
        return cls(regions, region_mask, words, lengths)

    def take(self, images, sentences):
        """Returns the `EmbeddedSplit` of some images, int `[n]`, and some sentences, int `[m]`."""
        lengths = self.lengths[sentences]
        # Where each sentence's words begin among all, less where they begin among those taken.
        shifts = self.starts[sentences] - (np.cumsum(lengths) - lengths)
        words = self.words[np.repeat(shifts, lengths) + np.arange(lengths.sum())]
        regions = self.regions[images].astype(np.float32, copy=False)
        words = words.astype(np.float32, copy=False)
        return EmbeddedSplit(regions, self.region_mask[images], words, lengths)

    def scores(self, model, progress=None):
        """Returns `S` of every image and sentence by the model that embedded, float32 `[N, M]`.

        Args:
            model: the `FragmentModel`.
            progress: see `told`.

        Raises:
            ValueError: a score is not finite.
        """
        if model.score_name:
            parts = self.regions, self.region_mask, self.words, self.lengths
            return _SCORES[model.score_name](*parts, **model.score_options, progress=progress)
        scores = np.zeros((len(self.regions), len(self.lengths)), np.float32)
        blocks, count = self.padded_blocks(), len(self.lengths)
        for sentences, words in told(blocks, _SENTENCES_AT_A_TIME, count, "sentences", progress):
            word_mask = np.arange(words.shape[1]) < self.lengths[sentences][:, None]
            rows = max(1, _BLOCK_PRODUCTS // max(self.regions.shape[1] * word_mask.size, 1))
            for first in range(0, len(scores), rows):
                images = slice(first, first + rows)
                scores[images, sentences] = _array(
                    model.score(self.regions[images], self.region_mask[images], words, word_mask)
                )
        if not np.isfinite(scores).all():
            raise ValueError(
                "Expected finite scores: the model has diverged. Received: NaN or infinity"
            )
        return scores

    def padded_blocks(self, sentences=None):
        """Yields the words of sentences of about one length, so many at a time.

        Args:
            sentences: int `[P]`; None: all.

        Yields:
            Their places in `sentences`, int `[n]`, and their words `[n, W, H]`.
        """
        sentences = np.arange(len(self.lengths)) if sentences is None else sentences
        order = np.argsort(self.lengths[sentences], kind="stable")
        for first in range(0, len(order), _SENTENCES_AT_A_TIME):
            places = order[first : first + _SENTENCES_AT_A_TIME]
            longest = self.lengths[sentences[places]].max()
            words = np.zeros((len(places), longest, self.words.shape[1]), np.float32)
            for row, sentence in enumerate(sentences[places]):
                words[row, : self.lengths[sentence]] = self.words_of(sentence)
            yield places, words

    def aligned_blocks(self, images, smoothness, sentences):
        """Aligns each word of sentences to a region of an image, so many sentences at a time.

        Args:
            images: int `[P]`, the image of each sentence.
            smoothness: beta of the chain, see `smooth_alignment`.
            sentences: int `[P]`.

        Yields:
            Their places in `sentences`, int `[n]`, the scores of their words and regions
            `[n, W, R]`, and the region of each word, int `[n, W]`, -1 at padding.
        """
        for places, words in self.padded_blocks(sentences):
            own, lengths = images[places], self.lengths[sentences[places]]
            scores = np.matmul(words, self.regions[own].transpose(0, 2, 1))
            regions = smooth_alignment(scores, lengths, smoothness, self.region_mask[own])
            yield places, scores, regions


@dataclasses.dataclass
class EmbeddedPairs:
    """What a two-branch network makes of a split of N images and M sentences or phrases.

    Vectors are float32, or float16 where `embed` was told so.

    Attributes:
        images: float `[N, H]`, of the whole frames; None where the task is `region_phrase`.
        regions: float `[N, R, H]`; None where the task is `image_sentence`.
        region_mask: bool `[N, R]`; None where the task is `image_sentence`.
        sentences: float `[M, H]`, or of the phrases.
    """

    images: np.ndarray | None
    regions: np.ndarray | None
    region_mask: np.ndarray | None
    sentences: np.ndarray

    @classmethod
    def embed(
        cls,
        model,
        data,
        image_batch_size=100,
        sentence_batch_size=250,
        progress=None,
        dtype=np.float32,
    ):
        """Runs `model` over all images and sentences of `data`, a `SplitData`.

        Args:
            model: a `TwoBranchNetwork`, or what else has its `task`, `embed_images`,
                `embed_regions` and `embed_sentences`.
            data: `SplitData`.
            image_batch_size: images at a time.
            sentence_batch_size: sentences at a time.
            progress: see `told`.
            dtype: of the vectors; float16 is for `take`, which makes them float32.
        """
        num_images, num_sentences = data.records.num_images, data.records.num_captions
        batches = data.sentence_batches(sentence_batch_size)
        batches = told(batches, sentence_batch_size, num_sentences, "sentences", progress)
        sentences = [_array(model.embed_sentences(batch), dtype) for batch in batches]
        sentences = np.concatenate(sentences)
        batches = data.image_batches(image_batch_size)
        batches = told(batches, image_batch_size, num_images, "images", progress)
        if model.task == "image_sentence":
            images = [_array(model.embed_images(batch), dtype) for batch in batches]
            return cls(np.concatenate(images), None, None, sentences)
        regions, mask = _all_regions(model.embed_regions, batches, num_images, dtype)
        return cls(None, regions, mask, sentences)

    def take(self, images, sentences):
        """Returns the `EmbeddedPairs` of some images, int `[n]`, and some sentences, int `[m]`.

        They are those of the task `image_sentence`.
        """
        images = self.images[images].astype(np.float32, copy=False)
        sentences = self.sentences[sentences].astype(np.float32, copy=False)
        return EmbeddedPairs(images, None, None, sentences)

    def scores(self, model, progress=None):
        """Returns the similarity of every image and sentence, float32 `[N, M]`.

        Args:
            model: that embedded.
            progress: see `told`.
        """
        num_images = len(self.images)
        scores = np.empty((num_images, len(self.sentences)), np.float32)
        rows = max(1, _BLOCK_PAIRS // len(self.sentences))
        for first in told(range(0, num_images, rows), rows, num_images, "images", progress):
            block = self.images[first : first + rows]
            scores[first : first + rows] = _array(model.score(block, self.sentences))
        return scores

    def sentence_scores(self, model, first, last):
        """Returns the similarity of sentences `first` to `last - 1` and all, float32 `[., M]`."""
        return _array(model.score(self.sentences[first:last], self.sentences))

    def region_scores(self, model, image, phrases):
        """Returns the similarity of an image's real regions and phrases.

        Args:
            model: that embedded.
            image: its number.
            phrases: the numbers of p phrases, int `[p]`.

        Returns:
            float32 `[r, p]`.
        """
        regions = self.regions[image][self.region_mask[image]]
        return _array(model.score(regions, self.sentences[phrases]))


def embed_split(model, data, progress=None, dtype=np.float32):
    """Returns the `EmbeddedSplit` of a `FragmentModel`, or a two-branch network's `EmbeddedPairs`.

    Args:
        model: that embeds.
        data: `SplitData`.
        progress: see `told`.
        dtype: see their `embed`.
    """
    kind = EmbeddedPairs if hasattr(model, "task") else EmbeddedSplit
    return kind.embed(model, data, progress=progress, dtype=dtype)


def image_vectors(model, data, images, batch_size=100):
    """Returns a vector of each image: of its whole frame where the model sees regions.

    Args:
        model: a `FragmentModel`, or a two-branch network of images and sentences.
        data: `SplitData`, or an `InputPipeline` of its images.
        images: int `[n]`, their numbers.
        batch_size: images at a time.

    Returns:
        float32 `[n, H]`.
    """
    vectors = (_array(model.embed_images(each)) for each in data.image_batches(batch_size, images))
    return np.concatenate([each if each.ndim == 2 else each[:, 0].copy() for each in vectors])


def _all_regions(embed, batches, num_images, dtype):
    """Returns what `embed` makes of all batches of images `[N, R, H]`, and their mask `[N, R]`."""
    # Whole at once: a list of blocks, joined later, would hold the largest array twice.
    regions, mask, first = None, None, 0
    for batch in batches:
        block = _array(embed(batch), dtype)
        if regions is None:
            regions = np.empty((num_images, *block.shape[1:]), dtype)
            mask = np.empty(regions.shape[:2], bool)
        rows = slice(first, first + len(block))
        regions[rows], mask[rows] = block, ops.convert_to_numpy(batch["region_mask"])
        first = rows.stop
    return regions, mask


def told(parts, size, total, unit, progress):
    """Yields the parts of a long work, and tells after each how much of it is done.

    Args:
        parts: iterable.
        size: of each part; the last may be smaller.
        total: how much there is.
        unit: what is counted, in the plural.
        progress: `progress(done, total, unit)`; None: nothing is told.
    """
    for number, part in enumerate(parts, 1):
        yield part
        if progress:
            progress(min(number * size, total), total, unit)


def _array(values, dtype=np.float32):
    return ops.convert_to_numpy(values).astype(dtype, copy=False)


def aligned_snippets(embedded, images, smoothness, sentences=None):
    """Cuts sentences into snippets, each aligned to a region of an image.

    Args:
        embedded: the `EmbeddedSplit` of N images and M sentences.
        images: int `[P]`, the image of each sentence.
        smoothness: beta of the chain, see `smooth_alignment`.
        sentences: int `[P]`; None: all M.

    Returns:
        int `[S, 4]`, a row for each snippet in the order of the sentences: the place of its
        sentence from 0 to P - 1, region, first token, and the token after the last.
    """
    sentences = np.arange(len(embedded.lengths)) if sentences is None else sentences
    rows = []
    for places, _, regions in embedded.aligned_blocks(images, smoothness, sentences):
        lengths = embedded.lengths[sentences[places]]
        numbers = snippet_numbers(regions)
        row, start = np.nonzero(np.diff(numbers, axis=1, prepend=-1) > 0)
        is_last = np.append(row[1:] != row[:-1], True)
        end = np.where(is_last, lengths[row], np.append(start[1:], 0))
        rows.append(np.stack([places[row], regions[row, start], start, end], axis=1))
    rows = np.concatenate([*rows, np.zeros((0, 4))]).astype(np.int64)
    return rows[np.lexsort((rows[:, 2], rows[:, 0]))]
