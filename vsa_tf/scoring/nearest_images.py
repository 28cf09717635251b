"""The training images nearest to images in feature space, exactly, in blocks."""

import math
from typing import NamedTuple

import numpy as np

DEFAULT_NUM_NEIGHBORS = 60
DISTANCES = ("cosine", "euclidean")

_BLOCK_BYTES = 64 << 20


class NearestImages(NamedTuple):
    """The k nearest training images of Q images, nearest first.

    Attributes:
        images: int64 `[Q, k]`; rows of the training features.
        distances: float64 `[Q, k]`; never decreasing along a row.
    """

    images: np.ndarray
    distances: np.ndarray


def nearest_images(
    queries,
    training,
    num_neighbors=DEFAULT_NUM_NEIGHBORS,
    distance="cosine",
    block_bytes=_BLOCK_BYTES,
):
    """Finds the nearest training images of every query: every pair is compared, in float64.

    Features are a region encoder's of the whole frame, or a model's refined ones (M section
    8.1). A query that is itself among the training images finds itself.

    Args:
        queries: float `[Q, D]`; features of the images asked for.
        training: float `[N, D]`; features of the training images. Of both, float16 and
            memory-mapped arrays are converted by block.
        num_neighbors: k; with fewer training images, all of them are returned: k = min(k, N).
        distance: `"cosine"`, 1 - x . y / (|x| |y|), which is 1 where either vector is zero, or
            `"euclidean"`, |x - y|.
        block_bytes: about the memory taken besides arguments and result.

    Returns:
        `NearestImages`; of equally distant images the smaller row stands first.

    Raises:
        ValueError: if shapes do not fit, there is no training image, a feature is NaN or infinite,
            or a setting is out of range.

    Example:

    >>> nearest_images([[0., 1.]], [[0., 2.], [3., 0.], [0., 5.]], num_neighbors=2).images
    array([[0, 2]])

    Reference: M section 8.1.
    """
    queries, training = np.asanyarray(queries), np.asanyarray(training)
    _check(queries, training, num_neighbors, distance, block_bytes)
    num_neighbors = min(num_neighbors, len(training))
    rows = _block_rows(training.shape[1], block_bytes)
    nearest = NearestImages(np.zeros((len(queries), 0), np.int64), np.zeros((len(queries), 0)))
    for first in range(0, len(training), rows):
        block = _vectors(training, first, rows, distance, "training")
        merged = [
            _merged(
                nearest.images[start : start + rows],
                nearest.distances[start : start + rows],
                _distances(_vectors(queries, start, rows, distance, "queries"), block, distance),
                first,
                num_neighbors,
            )
            for start in range(0, len(queries), rows)
        ]
        nearest = NearestImages(*map(np.concatenate, zip(*merged, strict=True)))
    return nearest


def _block_rows(width, block_bytes):
    """Rows of a block of either side: two of vectors, and about four of their distances."""
    floats = block_bytes / np.dtype(np.float64).itemsize
    return max(1, int((math.sqrt(4.0 * width * width + 16.0 * floats) - 2.0 * width) / 8.0))


def _vectors(features, first, rows, distance, name):
    """Float64 rows of a block; of length 1, or 0, for the cosine."""
    vectors = np.asarray(features[first : first + rows], np.float64)
    if not np.isfinite(vectors).all():
        row = first + int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ValueError(
            "Expected finite features: write the records again, or look for a model "
            f"that has diverged. Received: NaN or infinity in row {row} of {name}"
        )
    if distance == "cosine":
        # Divided by the largest entry first, so that no square overflows or vanishes.
        largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0.0)
        vectors = vectors / np.where(largest > 0, largest, 1.0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1.0)
    return vectors


def _distances(queries, training, distance):
    distances = queries @ training.T
    if distance == "cosine":
        np.subtract(1.0, distances, out=distances)
    else:
        distances *= -2.0
        distances += np.einsum("qd,qd->q", queries, queries)[:, None]
        distances += np.einsum("nd,nd->n", training, training)
    np.maximum(distances, 0.0, out=distances)
    return distances if distance == "cosine" else np.sqrt(distances, out=distances)


def _merged(images, distances, block_distances, first, num_neighbors):
    """The nearest of those found before and of a block whose rows start at `first`."""
    found = images.shape[1]
    distances = np.concatenate([distances, block_distances], axis=1)
    num_neighbors = min(num_neighbors, distances.shape[1])
    # Of those tied for the last places the first columns are taken: the smaller rows.
    last = np.partition(distances, num_neighbors - 1, axis=1)[:, num_neighbors - 1 : num_neighbors]
    nearer, tied = distances < last, distances == last
    places = num_neighbors - np.count_nonzero(nearer, axis=1)[:, None]
    nearer |= tied & (np.cumsum(tied, axis=1, dtype=np.int32) <= places)
    columns = np.nonzero(nearer)[1].reshape(len(distances), num_neighbors)
    chosen = np.take_along_axis(distances, columns, axis=1)
    order = np.argsort(chosen, axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    rows = first + columns - found
    if found:
        before = np.take_along_axis(images, np.minimum(columns, found - 1), axis=1)
        rows = np.where(columns < found, before, rows)
    return rows, np.take_along_axis(chosen, order, axis=1)


def _check(queries, training, num_neighbors, distance, block_bytes):
    if (
        queries.ndim != 2
        or training.ndim != 2
        or queries.shape[1] != training.shape[1]
        or not len(queries)
        or not len(training)
    ):
        raise ValueError(
            "Expected features [Q, D] and [N, D] of one width, at least one row of each. Received: "
            f"queries of shape {queries.shape}, training of shape {training.shape}"
        )
    if num_neighbors < 1 or block_bytes < 1:
        raise ValueError(
            "Expected num_neighbors and block_bytes of 1 or more. Received: "
            f"num_neighbors={num_neighbors}, block_bytes={block_bytes}"
        )
    if distance not in DISTANCES:
        raise ValueError(f"Expected a distance in {DISTANCES}. Received: distance={distance!r}")
