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


def _noise(num_rows, size):
    return np.random.default_rng(0).normal(size=(num_rows, size)).astype(np.float32)


def _power_law(num_rows, size):
    return _noise(num_rows, size) * np.arange(1, size + 1, dtype=np.float32) ** -0.5


def _best(matrix, dimension):
    """The largest share of the variance along so many orthonormal columns."""
    centered = matrix - matrix.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centered.T @ centered)
    return variances[-dimension:].sum() / variances.sum()


@pytest.mark.parametrize("num_rows", [40, 60, 300])  # fewer than columns, and more
def test_components_of_small_matrices_are_exact(num_rows):
    matrix = _decaying(num_rows, 50)
    fitted = PrincipalComponents.fit(_blocks(matrix), 10)
    centered = matrix - matrix.mean(axis=0)
    _, _, expected = np.linalg.svd(centered, full_matrices=False)
    signs = np.sign((fitted.components * expected[:10].T).sum(axis=0))
    np.testing.assert_allclose(fitted.components * signs, expected[:10].T, atol=1e-3)
    np.testing.assert_allclose(
        _transformed(fitted, _blocks(matrix)), centered @ fitted.components, atol=1e-4
    )


@pytest.mark.parametrize("num_rows", [1000, 5000])
def test_the_covariance_of_few_columns_loses_nothing(num_rows):
    matrix = _power_law(num_rows, 600)
    fitted = PrincipalComponents.fit(_blocks(matrix, 500), 200)
    assert _captured(matrix, fitted.components) > 0.9999 * _best(matrix, 200)


@pytest.mark.parametrize(
    "matrix",
    [
        pytest.param(_noise(1000, 600), id="1000_rows_of_noise"),
        pytest.param(_noise(5000, 600), id="5000_rows_of_noise"),
        pytest.param(_power_law(1000, 600), id="1000_rows_of_a_power_law"),
        pytest.param(_power_law(5000, 600), id="5000_rows_of_a_power_law"),
        pytest.param(_decaying(3000, 400), id="exponential"),
    ],
)
def test_power_iterations_keep_99_5_percent_of_what_exact_components_keep(matrix):
    dimension = matrix.shape[1] // 3
    fitted = PrincipalComponents.fit(_blocks(matrix, 500), dimension, exact_size=0)
    best = _best(matrix, dimension)
    assert 0.995 * best < _captured(matrix, fitted.components) < best * (1 + 1e-5)
    np.testing.assert_allclose(
        fitted.components.T @ fitted.components, np.eye(dimension), atol=1e-4
    )


@pytest.mark.parametrize("exact_size", [0, 3000])
def test_fisher_vectors_keep_the_variance_that_exact_components_keep(exact_size):
    feature = FisherVector.fit(
        generated_sentences(3000), generated_vectors(size=20), num_centers=10, dimension=None
    )
    matrix = feature.transform(generated_sentences(3000))
    fitted = PrincipalComponents.fit(_blocks(matrix, 500), 100, exact_size=exact_size)
    assert _captured(matrix, fitted.components) > 0.995 * _best(matrix, 100)


@pytest.mark.parametrize("exact_size", [0, 3000])
@pytest.mark.parametrize("num_rows", [70, 3000])
def test_components_are_orthonormal_even_where_there_is_hardly_any_variance(num_rows, exact_size):
    matrix = _decaying(num_rows, 100, decay=4.0)  # deviations down to e^-25
    fitted = PrincipalComponents.fit(_blocks(matrix), 60, exact_size=exact_size)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(60), atol=1e-4)


@pytest.mark.parametrize("exact_size", [0, 3000])
@pytest.mark.parametrize("num_rows", [15, 50])
def test_missing_directions_are_completed(num_rows, exact_size):
    matrix = np.zeros((num_rows, 20), np.float32)
    matrix[:, 3] = np.arange(num_rows)
    fitted = PrincipalComponents.fit(_blocks(matrix), 5, exact_size=exact_size)
    np.testing.assert_allclose(fitted.components.T @ fitted.components, np.eye(5), atol=1e-5)
    assert np.abs(fitted.components[3, 0]) > 0.999


@pytest.mark.parametrize("exact_size", [0, 3000])
def test_components_come_in_descending_order_of_variance(exact_size):
    matrix = _decaying(2000, 100)
    fitted = PrincipalComponents.fit(_blocks(matrix), 30, exact_size=exact_size)
    variances = _transformed(fitted, _blocks(matrix)).var(axis=0)
    assert (variances[1:] < variances[:-1]).all()


def test_whitened_rows_have_the_variance_one():
    matrix = _decaying(2000, 100)
    fitted = PrincipalComponents.fit(_blocks(matrix), 30, whiten=True)
    features = _transformed(fitted, _blocks(matrix))
    np.testing.assert_allclose(features.var(axis=0), 1, rtol=1e-3)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-3)


@pytest.mark.parametrize("exact_size", [0, 3000])
def test_the_same_rows_and_seed_give_the_same_components(exact_size):
    matrix = _decaying(500, 100)
    one, other = (
        PrincipalComponents.fit(_blocks(matrix), 20, exact_size=exact_size, seed=1)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.components, other.components)
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_allclose(one.mean, matrix.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("dimension", [0, 30, 21])
def test_too_many_dimensions_are_refused(dimension):
    matrix = _decaying(30 if dimension == 30 else 100, 20 if dimension == 21 else 60)
    with pytest.raises(ValueError, match=f"dimension={dimension}"):
        PrincipalComponents.fit(_blocks(matrix), dimension)
