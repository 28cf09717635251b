"""Nearest images against a plain search with the distances of the definition."""

import tracemalloc

import numpy as np
import pytest

from vsa_tf.scoring.nearest_images import nearest_images


def by_definition(queries, training, k, distance):
    """Distances one pair at a time, and a stable sort."""
    queries, training = np.asarray(queries, np.float64), np.asarray(training, np.float64)
    distances = np.zeros((len(queries), len(training)))
    for q, x in enumerate(queries):
        for n, y in enumerate(training):
            if distance == "euclidean":
                distances[q, n] = np.sqrt(((x - y) ** 2).sum())
            else:
                lengths = np.linalg.norm(x) * np.linalg.norm(y)
                distances[q, n] = 1 - (x @ y / lengths if lengths else 0)
    images = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return images, np.take_along_axis(distances, images, axis=1)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("block_bytes", [1, 2000, 10_000, 1 << 26])
def test_neighbours_are_those_of_the_definition_in_blocks_of_any_size(distance, block_bytes):
    random = np.random.default_rng(0)
    queries = random.standard_normal((13, 5)).astype(np.float32)
    training = random.standard_normal((37, 5)).astype(np.float16)
    training[4] = 0
    images, distances = by_definition(queries, training, 9, distance)
    found = nearest_images(queries, training, 9, distance, block_bytes)
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_allclose(found.distances, distances, atol=1e-7)


@pytest.mark.parametrize("block_bytes", [1, 500, 1 << 26])
def test_of_equally_distant_images_the_smaller_row_comes_first(block_bytes):
    # Whole numbers: distances are exact. Many rows are the same.
    random = np.random.default_rng(1)
    queries, training = random.integers(0, 2, (6, 3)), random.integers(0, 2, (30, 3))
    for k in (1, 4, 30):
        images, distances = by_definition(queries, training, k, "euclidean")
        found = nearest_images(queries, training, k, "euclidean", block_bytes)
        np.testing.assert_array_equal(found.images, images)
        np.testing.assert_array_equal(found.distances, distances)


def test_cosine_does_not_see_lengths_and_euclid_does():
    training = [[0.0, 9.0], [1.0, 1.2]]
    assert nearest_images([[0.0, 1.0]], training, 1).images.tolist() == [[0]]
    assert nearest_images([[0.0, 1.0]], training, 1, "euclidean").images.tolist() == [[1]]


def test_a_vector_of_zeros_has_cosine_zero_with_every_other():
    found = nearest_images([[0.0, 0.0], [-1.0, 0.0]], [[1.0, 0.0], [0.0, 0.0], [-2.0, 0.0]], 3)
    assert found.distances.tolist() == [[1, 1, 1], [0, 1, 2]]
    assert found.images.tolist() == [[0, 1, 2], [2, 1, 0]]


def test_cosines_of_very_large_and_very_small_vectors_are_right():
    training = np.array([[1e300, 0.0], [0.0, 1e-300], [1e300, 1e300]])
    found = nearest_images([[1e-200, 1e-200]], training, 3)
    np.testing.assert_allclose(found.distances, [[0, 1 - 0.5**0.5, 1 - 0.5**0.5]], atol=1e-12)


def test_with_fewer_training_images_all_are_neighbours():
    found = nearest_images([[1.0], [2.0]], [[1.0], [5.0]], 60, "euclidean")
    assert found.images.tolist() == [[0, 1], [0, 1]]
    assert found.distances.tolist() == [[0, 4], [1, 3]]


def test_a_training_image_finds_itself_first():
    training = np.random.default_rng(2).standard_normal((50, 8)).astype(np.float32)
    for distance in ("cosine", "euclidean"):
        np.testing.assert_array_equal(
            nearest_images(training, training, 3, distance).images[:, 0], np.arange(50)
        )


def test_blocks_respect_the_memory_bound():
    random = np.random.default_rng(3)
    queries, training = random.random((600, 64), np.float32), random.random((4000, 64), np.float32)
    block_bytes = 1 << 20
    tracemalloc.start()
    nearest_images(queries, training, 10, block_bytes=block_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Float64 distances of all pairs alone would take 19 MB; the result, twice, takes 0.2 MB.
    assert peak < 2 * block_bytes


@pytest.mark.parametrize(
    "change, message",
    [
        ({"queries": [[1.0, np.nan]]}, "row 0 of queries"),
        ({"training": [[1.0, 1.0], [np.inf, 0.0]]}, "row 1 of training"),
        ({"queries": [[1.0]]}, "one width"),
        ({"queries": [1.0, 1.0]}, "one width"),
        ({"training": np.zeros((0, 2))}, "at least one row"),
        ({"queries": np.zeros((0, 2))}, "at least one row"),
        ({"num_neighbors": 0}, "num_neighbors=0"),
        ({"block_bytes": 0}, "block_bytes=0"),
        ({"distance": "manhattan"}, "distance='manhattan'"),
    ],
)
def test_bad_arguments_are_errors(change, message):
    arguments = {"queries": [[1.0, 2.0]], "training": [[1.0, 1.0], [2.0, 0.0]]}
    with pytest.raises(ValueError, match=message):
        nearest_images(**{**arguments, **change})
