import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.sentence_features import fisher_vector
from vsa_tf.sentence_features.fisher_vector import (
    SMALLEST_SHARE,
    FisherVector,
    GroupedMatrix,
    fisher_gradients,
)
from vsa_tf.sentence_features.hybrid_mixture import HybridMixture
from vsa_tf.sentence_features.word_vector_table import WordVectorTable

SENTENCES = generated_sentences()
VECTORS = generated_vectors()
SETTINGS = {"num_centers": 4, "dimension": 20}
_STEP = 1e-6


def _mixture(size=2):
    """Two centres; the first has a Laplacian and a Gaussian dimension, the second the reverse."""
    return HybridMixture(
        [0.25, 0.75],
        [[0.0, 0.0], [2.0, 1.0]],
        [[1.0, 2.0], [1.0, 0.5]],
        [[True, False], [False, True]],
    )


def _direct(mixture, points):
    """The Fisher vector `[2 * K * D]` of one sentence's points, word by word, as in the paper."""
    total = 0.0
    for x in points:
        densities = []
        for prior, location, scale, laplacian in zip(
            mixture.priors, mixture.locations, mixture.scales, mixture.laplacian, strict=True
        ):
            laplace = np.exp(-np.abs(x - location) / scale) / (2 * scale)
            normal = np.exp(-((x - location) ** 2) / (2 * scale**2)) / np.sqrt(2 * np.pi * scale**2)
            densities.append(prior * np.prod(np.where(laplacian, laplace, normal)))
        parts = []
        for k, density in enumerate(densities):
            gamma = density / sum(densities)
            m, s = mixture.locations[k], mixture.scales[k]
            pi, b = mixture.priors[k], mixture.laplacian[k]
            location = gamma * np.where(b, np.sign(x - m) / s, (x - m) / s**2)
            scale = gamma * np.where(b, np.abs(x - m) / s**2 - 1 / s, (x - m) ** 2 / s**3 - 1 / s)
            parts.append(location / np.sqrt(pi / s**2))
            parts.append(scale / np.sqrt(np.where(b, pi, 2 * pi) / s**2))
        total = total + np.concatenate(parts)
    mean = total / len(points)
    powered = np.sign(mean) * np.sqrt(np.abs(mean))
    return powered / np.linalg.norm(powered)


def test_the_feature_is_the_formula_of_the_paper():
    points = np.float32([[0.3, -1.0], [1.4, 0.8], [0.9, 0.2]])
    feature = FisherVector(WordVectorTable(["a", "dog", "runs"], points), _mixture())
    sentences = [["a", "dog", "runs"], ["dog"], ["a", "a", "barks", "runs"]]
    rows = [[0, 1, 2], [1], [0, 0, 2]]
    assert feature.dimension == 8
    np.testing.assert_allclose(
        feature.transform(sentences),
        [_direct(feature.mixture, points[words].astype(np.float64)) for words in rows],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("mixture", "laplacian"), [("hybrid", None), ("gaussian", False), ("laplacian", True)]
)
def test_fitted_features_are_the_formula_of_their_mixture(mixture, laplacian):
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, mixture=mixture, dimension=None)
    if laplacian is not None:
        assert (feature.mixture.laplacian == laplacian).all()
    columns = {word: row for row, word in enumerate(VECTORS.words)}
    points = feature.word_points.vectors.astype(np.float64)
    expected = [
        _direct(feature.mixture, points[[columns[word] for word in sentence]])
        for sentence in SENTENCES[:50]
    ]
    # The square root of what is left out, a share of 1e-6, is 1e-3.
    np.testing.assert_allclose(feature.transform(SENTENCES[:50]), expected, atol=2e-3)


def test_points_are_independent_components_of_directions():
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=None)
    used = {word for sentence in SENTENCES for word in sentence}
    points = feature.word_points.vectors[[word in used for word in VECTORS.words]]
    np.testing.assert_allclose(np.cov(points.T, bias=True), np.eye(6), atol=1e-4)
    # Longer vectors of the same directions change nothing.
    longer = WordVectorTable(VECTORS.words, VECTORS.vectors * 4)
    np.testing.assert_array_equal(
        FisherVector.fit(SENTENCES, longer, num_centers=4, dimension=None).transform(SENTENCES),
        feature.transform(SENTENCES),
    )


def test_rows_have_length_one_and_components_keep_nearly_all_of_it():
    raw = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=None)
    features = raw.transform(SENTENCES)
    assert features.dtype == np.float32
    assert features.shape == (300, 48) and raw.dimension == 48
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    reduced = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=48)
    centered = features - features.mean(axis=0)
    # All 48 dimensions: a rotation.
    np.testing.assert_allclose(
        np.linalg.norm(reduced.transform(SENTENCES), axis=1),
        np.linalg.norm(centered, axis=1),
        atol=1e-4,
    )


def test_whitening_is_a_choice():
    plain, whitened = (
        FisherVector.fit(SENTENCES, VECTORS, **SETTINGS, whiten=whiten).transform(SENTENCES)
        for whiten in (False, True)
    )
    np.testing.assert_allclose(whitened.var(axis=0), 1, rtol=1e-3)
    assert plain.var(axis=0)[0] > 2 * plain.var(axis=0)[-1]


@pytest.mark.parametrize("dimension", [None, 20])
def test_blocks_change_nothing(monkeypatch, dimension):
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=dimension)
    at_once = feature.transform(SENTENCES)
    monkeypatch.setattr(fisher_vector, "_ROWS", 7)
    np.testing.assert_allclose(feature.transform(SENTENCES), at_once, atol=1e-6)


@pytest.mark.parametrize("dimension", [None, 20])
def test_a_sentence_without_known_words_is_zero_and_counted(dimension):
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=dimension)
    sentences = [["w1"], [], ["unheard", "of"]]
    features = feature.transform(sentences)
    assert features[0].any() and not features[1:].any()
    assert feature.count_empty(sentences) == 2
    assert feature.transform([]).shape == (0, feature.dimension)


def test_unknown_words_are_passed_over():
    feature = FisherVector.fit(SENTENCES, VECTORS, **SETTINGS)
    known, both = feature.transform([["w1", "w2"], ["unheard", "w1", "w2", "of"]])
    np.testing.assert_array_equal(known, both)


def test_words_of_the_table_that_no_training_sentence_has_are_encoded():
    sentences = [[word for word in sentence if word != "w3"] for sentence in SENTENCES]
    feature = FisherVector.fit(sentences, VECTORS, **SETTINGS)
    assert feature.transform([["w3"]]).any()


@pytest.mark.parametrize("dimension", [None, 20])
def test_a_file_restores_the_feature_to_the_last_bit(tmp_path, dimension):
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=dimension)
    feature.save(tmp_path / "feature.npz")
    restored = FisherVector.load(tmp_path / "feature.npz")
    np.testing.assert_array_equal(restored.transform(SENTENCES), feature.transform(SENTENCES))
    assert restored.dimension == feature.dimension
    np.testing.assert_array_equal(restored.mixture.log_likelihoods, feature.mixture.log_likelihoods)


def test_a_seed_gives_the_same_feature_and_another_another():
    first, again, other = (
        FisherVector.fit(SENTENCES, VECTORS, **SETTINGS, seed=seed).transform(SENTENCES)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("sentences", "settings", "message"),
    [
        (SENTENCES, {"num_centers": 4, "dimension": 49}, "from 1 to 48.*dimension=49"),
        (SENTENCES[:30], {"num_centers": 4, "dimension": 30}, "from 1 to 29.*dimension=30"),
        (SENTENCES, {"num_centers": 90, "dimension": 5}, "more than 90 .*90 centres"),
        ([["w1", "w2", "w3"]] * 9, {"num_centers": 2, "dimension": 5}, "more than 6 .*Received: 3"),
        (SENTENCES, {"mixture": "lmm"}, "mixture to be one of .*hybrid.*mixture='lmm'"),
        ([["unheard"]] * 9, {"num_centers": 2, "dimension": 5}, "Received: 0"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sentences, settings, message):
    with pytest.raises(ValueError, match=message):
        FisherVector.fit(sentences, VECTORS, **settings)


def _random_mixture(seed, num_components=3, size=4):
    rng = np.random.default_rng(seed)
    return HybridMixture(
        rng.dirichlet(np.ones(num_components)),
        rng.normal(size=(num_components, size)),
        rng.uniform(0.5, 2, (num_components, size)),
        rng.integers(0, 2, (num_components, size)).astype(bool),
    )


def _dense_gradients(mixture, points):
    num_components, size = mixture.locations.shape
    gradients = np.zeros((len(points), num_components, 2, size))
    for k, (rows, values) in enumerate(fisher_gradients(mixture, points)):
        assert values.dtype == np.float32
        gradients[rows, k] = values.reshape(len(rows), 2, size)
    return gradients


def _information(mixture):
    """Diagonal Fisher information `[K, 2, D]`, as the docstring states it."""
    gaussian = ~mixture.laplacian
    base = mixture.priors[:, None] / mixture.scales**2
    return np.stack([base, np.where(gaussian, 2 * base, base)], axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_are_finite_differences_of_the_log_likelihood(seed):
    mixture = _random_mixture(seed)
    points = np.random.default_rng(seed + 10).normal(size=(5, 4))
    gradients = _dense_gradients(mixture, points) * np.sqrt(_information(mixture))
    for part, name in enumerate(("locations", "scales")):
        parameters = getattr(mixture, name)
        for k, d in np.ndindex(*parameters.shape):
            start, sides = parameters[k, d], []
            for step in (_STEP, -_STEP):
                parameters[k, d] = start + step
                sides.append(mixture.log_densities(points))
            parameters[k, d] = start
            difference = (sides[0] - sides[1]) / (2 * _STEP)
            np.testing.assert_allclose(gradients[:, k, part, d], difference, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("laplacian", [False, True])
def test_the_information_is_the_variance_of_the_gradient(laplacian):
    # Of one component shares are 1, and the stated information is exact: normalised gradients of
    # points drawn from the component have the mean 0 and the variance 1.
    rng = np.random.default_rng(0)
    mixture = HybridMixture([1.0], [[3.0]], [[0.7]], [[laplacian]])
    draw = rng.laplace if laplacian else rng.normal
    gradients = _dense_gradients(mixture, draw(3.0, 0.7, (200000, 1)))[:, 0, :, 0]
    # The standard error of a mean is 1 / sqrt(200000) = .0022; of the variance, about 6 times that.
    np.testing.assert_allclose(gradients.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(gradients.var(axis=0), 1, atol=0.05)


def test_the_gradient_of_the_points_a_component_was_fitted_to_vanishes():
    # A maximum of the likelihood: the mean gradient is zero, the median's up to one point.
    points = np.random.default_rng(1).normal(size=(301, 3))
    mixture = HybridMixture.fit(points, num_components=1)
    np.testing.assert_allclose(
        _dense_gradients(mixture, points).mean(axis=0), 0, atol=1 / 301 + 1e-6
    )


def test_points_far_from_a_component_are_left_out_of_it():
    mixture = HybridMixture([0.5, 0.5], [[0.0], [100.0]], [[1.0], [1.0]], [[False], [False]])
    groups = fisher_gradients(mixture, np.array([[0.0], [99.0], [50.0]]))
    # Point 2 stands in the middle, with a share of one half in each.
    assert [rows.tolist() for rows, _ in groups] == [[0, 2], [1, 2]]


def test_what_is_left_out_is_small():
    points = np.random.default_rng(2).normal(size=(500, 4)) * 3
    mixture = _random_mixture(2)
    shares = mixture.responsibilities(points)
    for k, (rows, _) in enumerate(fisher_gradients(mixture, points)):
        np.testing.assert_array_equal(rows, np.flatnonzero(shares[:, k] >= SMALLEST_SHARE))
    assert shares.min() < SMALLEST_SHARE


@pytest.fixture
def matrix():
    return GroupedMatrix(
        4,
        [
            (np.array([0, 3]), np.float32([[1, 2], [3, 4]])),
            (np.array([], int), np.zeros((0, 2), np.float32)),
            (np.array([1, 3]), np.float32([[5, 6], [7, 8]])),
        ],
    )


_DENSE = np.float32([[1, 2, 0, 0, 0, 0], [0, 0, 0, 0, 5, 6], [0] * 6, [3, 4, 0, 0, 7, 8]])


def test_groups_stand_side_by_side(matrix):
    assert matrix.shape == (4, 6)
    np.testing.assert_array_equal(matrix.dense(), _DENSE)


def test_products_are_those_of_the_dense_matrix(matrix):
    right = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    np.testing.assert_allclose(matrix.product(right), _DENSE @ right, rtol=1e-5)


def test_rows_are_scaled(matrix):
    factors = np.array([2.0, 3.0, 4.0, 0.5])
    np.testing.assert_array_equal(matrix.scaled_rows(factors).dense(), _DENSE * factors[:, None])


def test_columns_are_summed_and_empty_rows_found(matrix):
    np.testing.assert_array_equal(matrix.column_sums(), _DENSE.sum(axis=0))
    np.testing.assert_array_equal(matrix.empty_rows(), [False, False, True, False])
