"""Sentence-level CIDEr-D, BLEU and F1 of many captions with many others, by sparse products."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from vsa_tf.metrics.ngram_numbering import MAX_ORDER, NgramNumbering

KINDS = ("cider", "bleu", "f1")

_CIDER_SCALE = 10.0
_CIDER_SIGMA = 6.0


class CaptionVectors(NamedTuple):
    """n captions, ready to be compared by the `CaptionSimilarity` that made them.

    Attributes:
        as_hypotheses: float64 sparse `[n, C]` for CIDEr, else `[4 n, C]`: a row per caption and
            length of n-gram.
        as_references: float64 sparse `[n, C]`.
        lengths: int64 `[n]`; words of each caption.
        numbering: None for training captions; else what the columns of n-grams that are not in
            the training captions belong to.
    """

    as_hypotheses: scipy.sparse.csr_array
    as_references: scipy.sparse.csr_array
    lengths: np.ndarray
    numbering: object


class CaptionSimilarity:
    """Similarity of a hypothesis and one reference caption, for blocks of pairs at a time.

    With h(g) and r(g) the times that n-gram g stands in hypothesis and reference, n = 1..4:

    `"cider"`, sentence-level CIDEr-D as the COCO tool computes it for a single reference:

        10 exp(-(|h| - |r|)^2 / (2 6^2)) 1/4 sum_n sum_{g of length n} min(h(g), r(g)) r(g) idf(g)^2
                                                   / (norm_n(h) norm_n(r))
        norm_n(c)^2 = sum_{g of length n} (c(g) idf(g))^2,    idf(g) = ln(N / max(1, df(g)))

    where |h| counts words, N is the number of training images and df(g) of those with g in any
    caption: frequencies are from training captions only. A length of n-gram for which a norm is 0
    adds 0. Between 0 and 10. With one training image every idf is 0, and so is every similarity.

    `"bleu"`, sentence-level BLEU-4 with add-one smoothing of the precisions above unigrams:

        min(1, exp(1 - |r| / |h|)) (p_1 p_2 p_3 p_4)^(1/4)
        p_n = (sum_{g of length n} min(h(g), r(g)) + [n > 1]) / (max(0, |h| - n + 1) + [n > 1])

    Between 0 and 1. A caption shorter than n words has p_n = 1, as in Lin and Och.

    `"f1"`, the mean F1 of n-grams, which mRNN-CR's code takes for BLEU:

        1/4 sum_n 2 sum_{g of length n} min(h(g), r(g)) / (|h| - n + 1 + |r| - n + 1)

    Between 0 and 1; 0 where either caption has fewer than 4 words.

    A caption without words has similarity 0 with every other, and so have two captions without a
    word in common. F1 alone is symmetric.

    min(h, r) is the number of i with i <= h and i <= r. So the sums are products of a sparse matrix
    with columns (g, i) for the hypotheses, and one for the references whose entries hold the
    weights: exact, clipping included.

    Args:
        captions: list of M token lists, the training captions, tokenised as hypotheses are.
        image_of_caption: int `[M]`; the training image of each, 0..N-1, in any order. Every image
            has at least one caption.
        kind: `"cider"`, `"bleu"` or `"f1"`.

    Attributes:
        kind: as given.
        num_images: N.
        training: `CaptionVectors` of the training captions, in their order.

    Raises:
        ValueError: on an unknown kind, a caption that is not a list of tokens, or a correspondence
            that does not fit.

    Example:

    >>> similarity = CaptionSimilarity([["a", "dog", "runs"], ["two", "cats"]], [0, 1], "bleu")
    >>> similarity.between([["a", "dog", "runs"], ["a", "cat"]], [["a", "dog", "runs"]]).round(3)
    array([[1.   ],
           [0.429]])

    Reference: Vedantam et al., CIDEr, 2015, and pycocoevalcap; Papineni et al., BLEU, 2002; Lin and
    Och, Automatic evaluation of machine translation quality, 2004, section 4 (smoothing); mRNN-CR
    (Mao 2015), bleu_score_util.py, with its settings n = 4 and fpr = 1.
    """

    def __init__(self, captions, image_of_caption, kind="cider"):
        if kind not in KINDS:
            raise ValueError(f"Expected a kind of similarity in {KINDS}. Received: kind={kind!r}")
        image_of_caption = _checked_images(len(captions), image_of_caption)
        self.kind = kind
        self.num_images = int(image_of_caption.max()) + 1
        self._caption_order = np.argsort(image_of_caption, kind="stable")
        self._first_caption = np.searchsorted(
            image_of_caption[self._caption_order], np.arange(self.num_images + 1)
        )
        self._ngrams = NgramNumbering(captions)
        occurrences = self._ngrams.training
        if kind == "cider":
            self._idf = _inverse_document_frequencies(occurrences, image_of_caption)
        self.training = self._vectors(occurrences, None)

    @property
    def num_captions(self):
        """M, the number of training captions."""
        return len(self.training.lengths)

    def captions_of(self, images):
        """Rows of the captions of training images.

        Args:
            images: int `[k]`, each in 0..N-1.

        Returns:
            int64 `[r]`; rows of `training`, image after image.

        Raises:
            ValueError: if there is no image, or one that is not a training image.
        """
        images = np.asarray(images)
        if images.ndim != 1 or not images.size or not np.issubdtype(images.dtype, np.integer):
            raise ValueError(
                "Expected the numbers of at least one training image, int [k]. "
                f"Received: images of shape {images.shape}, type {images.dtype}"
            )
        if images.min() < 0 or images.max() >= self.num_images:
            raise ValueError(
                f"Expected training images from 0 to {self.num_images - 1}. "
                f"Received: images from {images.min()} to {images.max()}"
            )
        return np.concatenate(
            [
                self._caption_order[self._first_caption[image] : self._first_caption[image + 1]]
                for image in images
            ]
        )

    def vectors(self, captions):
        """Prepares captions to be compared, as hypotheses, references or both.

        Captions that are to be compared with one another, not with training captions, have to be
        prepared in one call: n-grams unknown to the training captions are numbered by call.

        Args:
            captions: list of n token lists.

        Returns:
            `CaptionVectors`.

        Raises:
            ValueError: if a caption is not a list of tokens.
        """
        return self._vectors(self._ngrams.occurrences(captions), object())

    def compare(self, hypotheses, references, hypothesis_rows=None, reference_rows=None):
        """Similarities of every hypothesis with every reference, each taken alone.

        Args:
            hypotheses: `CaptionVectors`.
            references: `CaptionVectors` of the same call, or the training captions'.
            hypothesis_rows: int `[H]`; those hypotheses, or None for all.
            reference_rows: int `[R]`; those references, or None for all.

        Returns:
            float64 `[H, R]`. Meanwhile it takes the memory of about 4 such arrays (CIDEr) or 12
            (others): compare rows in blocks where it is large.

        Raises:
            ValueError: if the two were prepared in different calls and neither is the training
                captions.
        """
        marks = hypotheses.numbering, references.numbering
        if None not in marks and marks[0] is not marks[1]:
            raise ValueError(
                "Expected captions prepared in one call of vectors(), or training "
                "captions on one side. Received: captions of two calls"
            )
        h_lengths, r_lengths = hypotheses.lengths, references.lengths
        left, right = hypotheses.as_hypotheses, references.as_references
        if hypothesis_rows is not None:
            per_caption = 1 if self.kind == "cider" else MAX_ORDER
            rows = np.asarray(hypothesis_rows, np.int64)
            h_lengths = h_lengths[rows]
            left = left[(per_caption * rows[:, None] + np.arange(per_caption)).ravel()]
        if reference_rows is not None:
            rows = np.asarray(reference_rows, np.int64)
            r_lengths, right = r_lengths[rows], right[rows]
        num_columns = max(left.shape[1], right.shape[1])
        products = (_widened(left, num_columns) @ _widened(right, num_columns).T).toarray()
        return _FINISH[self.kind](products, h_lengths, r_lengths)

    def between(self, hypotheses, references):
        """Similarities of every hypothesis with every reference, each taken alone.

        Args:
            hypotheses: list of H token lists.
            references: list of R token lists.

        Returns:
            float64 `[H, R]`.

        Raises:
            ValueError: if a caption is not a list of tokens.
        """
        hypotheses, references = list(hypotheses), list(references)
        both = self.vectors(hypotheses + references)
        rows = np.arange(len(hypotheses) + len(references))
        return self.compare(both, both, rows[: len(hypotheses)], rows[len(hypotheses) :])

    def _vectors(self, occurrences, numbering):
        starts, columns = occurrences.starts, occurrences.columns
        num_columns = int(columns.max(initial=-1)) + 1
        if self.kind == "cider":
            starts = starts[::MAX_ORDER]
            h_weights, r_weights = self._cider_weights(occurrences)
        else:
            h_weights = r_weights = np.ones(len(columns))
        index_type = np.int32 if num_columns < 2**31 and len(columns) < 2**31 else np.int64
        columns = columns.astype(index_type)

        def rows(weights, starts):
            shape = len(starts) - 1, num_columns
            return scipy.sparse.csr_array((weights, columns, starts.astype(index_type)), shape)

        return CaptionVectors(
            rows(h_weights, starts),
            rows(r_weights, occurrences.starts[::MAX_ORDER]),
            occurrences.lengths,
            numbering,
        )

    def _cider_weights(self, occurrences):
        """Entries whose products, summed over columns, are CIDEr-D without its length penalty."""
        idf = self._idf[np.minimum(occurrences.ngrams, len(self._idf) - 1)]
        # Summed over the c occurrences of an n-gram this is (c idf)^2.
        weights = occurrences.counts * idf**2
        sizes = np.diff(occurrences.starts)
        squares = np.bincount(np.repeat(np.arange(len(sizes)), sizes), weights, len(sizes))
        inverse = np.zeros(len(sizes))
        np.divide(1.0, np.sqrt(squares), out=inverse, where=squares > 0)
        inverse = np.repeat(inverse, sizes)
        return inverse, _CIDER_SCALE / MAX_ORDER * weights * inverse


def _inverse_document_frequencies(occurrences, image_of_caption):
    """idf by number of n-gram; the last entry is that of n-grams in no training caption."""
    num_images = int(image_of_caption.max()) + 1
    num_ngrams = int(occurrences.ngrams.max(initial=-1)) + 1
    image_of_ngram = np.repeat(image_of_caption, np.diff(occurrences.starts[::MAX_ORDER]))
    pairs = np.unique(image_of_ngram * num_ngrams + occurrences.ngrams)
    frequencies = np.bincount(pairs % num_ngrams if len(pairs) else pairs, minlength=num_ngrams + 1)
    return np.log(num_images) - np.log(np.maximum(1, frequencies))


def _widened(matrix, num_columns):
    """The matrix with empty columns behind its own; nothing is copied."""
    if matrix.shape[1] == num_columns:
        return matrix
    return scipy.sparse.csr_array(
        (matrix.data, matrix.indices, matrix.indptr), (matrix.shape[0], num_columns)
    )


def _cider(products, h_lengths, r_lengths):
    differences = (h_lengths[:, None] - r_lengths).astype(np.float64)
    products *= np.exp(differences**2 / (-2.0 * _CIDER_SIGMA**2))
    return products


def _bleu(matches, h_lengths, r_lengths):
    orders = np.arange(MAX_ORDER)
    totals = np.maximum(h_lengths[:, None] - orders, 0)
    smoothing = (orders > 0).astype(np.float64)
    # A hypothesis without words has no match: any total but 0 gives it precision 0.
    totals[:, 0] = np.maximum(totals[:, 0], 1)
    matches = matches.reshape(len(h_lengths), MAX_ORDER, len(r_lengths))
    precisions = (matches + smoothing[:, None]) / (totals + smoothing)[:, :, None]
    ratios = r_lengths / np.maximum(h_lengths, 1)[:, None]
    return np.exp(np.minimum(0.0, 1.0 - ratios)) * precisions.prod(axis=1) ** (1.0 / MAX_ORDER)


def _f1(matches, h_lengths, r_lengths):
    orders = np.arange(MAX_ORDER)[:, None]
    matches = matches.reshape(len(h_lengths), MAX_ORDER, len(r_lengths))
    totals = h_lengths[:, None, None] - orders + r_lengths - orders
    # Below 4 words nothing counts, so that any total but 0 will do.
    long_enough = np.minimum(h_lengths[:, None], r_lengths) >= MAX_ORDER
    return (2.0 * matches / np.maximum(totals, 1)).mean(axis=1) * long_enough


_FINISH = {"cider": _cider, "bleu": _bleu, "f1": _f1}


def _checked_images(num_captions, image_of_caption):
    image_of_caption = np.asarray(image_of_caption)
    if not num_captions or image_of_caption.shape != (num_captions,):
        raise ValueError(
            "Expected at least one training caption, and one image index for each. Received: "
            f"{num_captions} captions, image_of_caption of shape {image_of_caption.shape}"
        )
    if not np.issubdtype(image_of_caption.dtype, np.integer) or image_of_caption.min() < 0:
        raise ValueError(
            "Expected image indices 0, 1, 2, ... Received: image_of_caption of type "
            f"{image_of_caption.dtype}, from {image_of_caption.min()}"
        )
    captions_of_image = np.bincount(image_of_caption)
    if not captions_of_image.all():
        raise ValueError(
            "Expected at least one caption for every training image: leave images without captions "
            f"out and number the others. Received: none for image {np.argmin(captions_of_image)}"
        )
    return image_of_caption.astype(np.int64)
