import numpy as np
import pytest

from vsa_tf.losses.multiple_instance_labels import multiple_instance_labels


def _random(seed):
    rng = np.random.default_rng(seed)
    # Below 0 for the most part: some fragments have no positive.
    products = rng.normal(-1.0, size=(4, 3, 5))
    region_mask = np.arange(3) < rng.integers(1, 4, (4, 1))
    fragment_mask = np.arange(5) < rng.integers(0, 6, (4, 1))
    return products, region_mask, fragment_mask


def _brute_force(products, region_mask, fragment_mask):
    labels = np.zeros(products.shape, bool)
    for k, (regions, fragments) in enumerate(zip(region_mask, fragment_mask)):
        for j in np.flatnonzero(fragments):
            real = np.flatnonzero(regions)
            positive = [i for i in real if products[k, i, j] > 0]
            if not positive:
                positive = [max(real, key=lambda i: products[k, i, j])]
            labels[k, positive, j] = True
    return labels


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_signs_and_the_best_where_none_is_positive(seed):
    values = _random(seed)
    np.testing.assert_array_equal(multiple_instance_labels(*values), _brute_force(*values))


def test_every_fragment_has_a_positive():
    products, region_mask, fragment_mask = _random(0)
    labels = np.array(multiple_instance_labels(products, region_mask, fragment_mask))
    np.testing.assert_array_equal(labels.any(axis=1), fragment_mask)


def test_a_product_of_zero_is_no_positive_and_the_first_of_equals_is_the_best():
    products = np.zeros((1, 3, 1), "float32")
    mask = np.ones((1, 3), bool)
    labels = np.array(multiple_instance_labels(products, mask, mask[:, :1]))
    assert labels[0, :, 0].tolist() == [True, False, False]


def test_masked_regions_are_never_the_best():
    products = np.float32([[[-5.0], [100.0], [-7.0]]])
    mask = np.array([[True, False, True]])
    labels = np.array(multiple_instance_labels(products, mask, np.array([[True]])))
    assert labels[0, :, 0].tolist() == [True, False, False]


def test_an_image_without_regions_has_no_positives():
    products = np.ones((1, 3, 2), "float32")
    labels = multiple_instance_labels(products, np.zeros((1, 3), bool), np.ones((1, 2), bool))
    assert not np.array(labels).any()
