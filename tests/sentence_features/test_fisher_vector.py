import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.sentence_features import fisher_vector
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.sentence_features.hybrid_mixture import HybridMixture
from vsa_tf.sentence_features.word_vector_table import WordVectorTable

SENTENCES = generated_sentences()
VECTORS = generated_vectors()
SETTINGS = {"num_centers": 4, "dimension": 20}


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


def test_fitted_features_are_the_formula_of_their_mixture():
    feature = FisherVector.fit(SENTENCES, VECTORS, num_centers=4, dimension=None)
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
        ([["unheard"]] * 9, {"num_centers": 2, "dimension": 5}, "Received: 0"),
    ],
)
def test_too_little_to_fit_to_is_refused(sentences, settings, message):
    with pytest.raises(ValueError, match=message):
        FisherVector.fit(sentences, VECTORS, **settings)
