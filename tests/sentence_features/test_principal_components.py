import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.sentence_features.fisher_vector import FisherVector, GroupedMatrix
from vsa_tf.sentence_features.principal_components import PrincipalComponents


def _blocks(matrix, rows=50):
    """A function that returns blocks of a matrix, in two groups of columns."""
    half = matrix.shape[1] // 2

    def block(part):
        everywhere = np.arange(len(part))
        return GroupedMatrix(
            len(part), [(everywhere, part[:, :half]), (everywhere, part[:, half:])]
        )

    return lambda: [block(matrix[start : start + rows]) for start in range(0, len(matrix), rows)]


def _decaying(num_rows, size, seed=0, decay=20.0):
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(size, size)))[0]
    deviations = np.exp(-np.arange(size) / decay)
    return (rng.normal(size=(num_rows, size)) * deviations @ rotation + 1).astype(np.float32)


def _captured(matrix, components):
    """The share of the variance along orthonormal columns."""
    centered = matrix - matrix.mean(axis=0)
    return np.square(centered @ components).sum() / np.square(centered).sum()


def _transformed(fitted, blocks):
    return np.concatenate([fitted.transform(block) for block in blocks()])


def test_few_rows_are_decomposed_exactly():
    matrix = _decaying(60, 40)
    fitted = PrincipalComponents.fit(_blocks(matrix), 10, oversampling=50)
    centered = matrix - matrix.mean(axis=0)
    _, _, expected = np.linalg.svd(centered, full_matrices=False)
    signs = np.sign((fitted.components * expected[:10].T).sum(axis=0))
    np.testing.assert_allclose(fitted.components * signs, expected[:10].T, atol=1e-3)
    np.testing.assert_allclose(
        _transformed(fitted, _blocks(matrix)), centered @ fitted.components, atol=1e-4
    )


@pytest.mark.parametrize(("oversampling", "share"), [(None, 0.999), (20, 0.99)])
def test_the_sketch_captures_nearly_the_variance_of_exact_components(oversampling, share):
    matrix = _decaying(3000, 400)
    fitted = PrincipalComponents.fit(_blocks(matrix, 500), 60, oversampling)
    _, _, exact = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    best = _captured(matrix, exact[:60].T)
    assert share * best < _captured(matrix, fitted.components) < best


def test_fisher_vectors_keep_the_variance_that_exact_components_keep():
    feature = FisherVector.fit(
        generated_sentences(3000), generated_vectors(size=20), num_centers=10, dimension=None
    )
    matrix = feature.transform(generated_sentences(3000))
    fitted = PrincipalComponents.fit(_blocks(matrix, 500), 100, oversampling=10)
    _, _, exact = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    best = _captured(matrix, exact[:100].T)
    assert 0.97 * best < _captured(matrix, fitted.components) < best


@pytest.mark.parametrize("num_rows", [70, 3000])
def test_components_are_orthonormal_even_where_there_is_hardly_any_variance(num_rows):
    matrix = _decaying(num_rows, 100, decay=4.0)  # deviations down to e^-25
    fitted = PrincipalComponents.fit(_blocks(matrix), 60)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(60), atol=1e-4)


def test_missing_directions_are_completed():
    matrix = np.zeros((50, 20), np.float32)
    matrix[:, 3] = np.arange(50)
    fitted = PrincipalComponents.fit(_blocks(matrix), 5)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(5), atol=1e-5)
    assert np.abs(fitted.components[3, 0]) > 0.999


def test_components_come_in_descending_order_of_variance():
    matrix = _decaying(2000, 100)
    fitted = PrincipalComponents.fit(_blocks(matrix), 30)
    variances = _transformed(fitted, _blocks(matrix)).var(axis=0)
    # Of neighbours the sketch may confuse the order; of those ten apart it does not.
    assert (variances[10:] < variances[:-10]).all()


def test_whitened_rows_have_the_variance_one():
    matrix = _decaying(2000, 100)
    fitted = PrincipalComponents.fit(_blocks(matrix), 30, whiten=True)
    features = _transformed(fitted, _blocks(matrix))
    np.testing.assert_allclose(features.var(axis=0), 1, rtol=1e-3)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-3)


@pytest.mark.parametrize("num_rows", [40, 3000])
def test_blocks_and_seed_decide_nothing_but_rounding_and_the_sketch(num_rows):
    matrix = _decaying(num_rows, 100)
    one, other = (PrincipalComponents.fit(_blocks(matrix), 20, seed=1) for _ in range(2))
    np.testing.assert_array_equal(one.components, other.components)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_allclose(one.mean, matrix.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("dimension", [0, 30, 21])
def test_too_many_dimensions_are_refused(dimension):
    matrix = _decaying(30 if dimension == 30 else 100, 20 if dimension == 21 else 60)
    with pytest.raises(ValueError, match=f"dimension={dimension}"):
        PrincipalComponents.fit(_blocks(matrix), dimension)
