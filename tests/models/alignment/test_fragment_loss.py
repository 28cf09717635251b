import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.models.alignment.defrag_model import (
    FRAGMENT_BALANCES,
    fragment_alignment_loss,
    multiple_instance_labels,
)


def _random(seed=0):
    rng = np.random.default_rng(seed)
    products = rng.normal(-0.5, 1.5, size=(4, 3, 4, 5))
    region_mask = np.arange(3) < np.array([[3], [1], [2], [3]])
    fragment_mask = np.arange(5) < np.array([[2], [5], [0], [4]])
    return products, region_mask, fragment_mask, np.array([7, 3, 5, 7])


def _brute_force(products, region_mask, fragment_mask, image_id, multiple_instance, balance):
    loss, of_batch, num_fragments = 0.0, ([], []), fragment_mask.sum()
    for sentence, fragment in zip(*np.nonzero(fragment_mask)):
        positives, negatives = [], []
        for image in range(4):
            if image != sentence and image_id[image] == image_id[sentence]:
                continue
            column = products[image, region_mask[image], sentence, fragment]
            labels = np.full(len(column), -1)
            if image == sentence:
                labels = np.where(column > 0, 1, -1) if multiple_instance else -labels
                labels[column.argmax()] = 1
            for value, label in zip(column, labels):
                (positives if label == 1 else negatives).append(max(0, 1 - label * value))
        loss += np.mean(positives) + np.mean(negatives)
        of_batch[0].extend(positives)
        of_batch[1].extend(negatives)
    if balance == "batch":
        return num_fragments * sum(map(np.mean, of_batch))
    return loss


class TestFragmentAlignmentLoss(VsaTfTestCase):
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("multiple_instance", [False, True])
    @pytest.mark.parametrize("balance", FRAGMENT_BALANCES)
    def test_loss_is_the_equation(self, seed, multiple_instance, balance):
        values = *_random(seed), multiple_instance, balance
        np.testing.assert_allclose(
            fragment_alignment_loss(*values), _brute_force(*values), rtol=1e-9
        )

    def test_each_balance_weighs_positives_and_negatives_by_its_own_counts(self):
        # Fragment 0 has two positives, which cost 0 and 0.5; fragment 1 one of 1.25, as its best
        # region, and a negative of 0.5.
        products = np.float64([[1.0, -0.25], [0.5, -0.5]]).reshape(1, 2, 1, 2)
        given = products, np.ones((1, 2), bool), np.ones((1, 2), bool), np.array([0])
        loss = fragment_alignment_loss(*given, balance="fragment")
        np.testing.assert_allclose(loss, 0.25 + 1.25 + 0.5)
        loss = fragment_alignment_loss(*given, balance="batch")
        np.testing.assert_allclose(loss, 2 * (1.75 / 3 + 0.5))

    def test_positives_and_negatives_of_a_fragment_weigh_the_same(self):
        products, *masks = _random()
        # With all scores 0 every pair of fragments costs 1: each of 2 + 5 + 4 fragments costs the
        # mean over its positives and that over its negatives.
        loss = fragment_alignment_loss(np.zeros_like(products), *masks)
        np.testing.assert_allclose(loss, 11 + 11, rtol=1e-9)

    @pytest.mark.parametrize("multiple_instance", [False, True])
    @pytest.mark.parametrize("balance", FRAGMENT_BALANCES)
    def test_padding_changes_nothing(self, multiple_instance, balance):
        products, region_mask, fragment_mask, image_id = _random()
        longer = fragment_alignment_loss(
            np.pad(products, ((0, 0), (0, 2), (0, 0), (0, 3)), constant_values=1e6),
            np.pad(region_mask, ((0, 0), (0, 2))),
            np.pad(fragment_mask, ((0, 0), (0, 3))),
            image_id,
            multiple_instance,
            balance,
        )
        np.testing.assert_allclose(
            longer, fragment_alignment_loss(*_random(), multiple_instance, balance), rtol=1e-9
        )

    def test_pairs_that_share_an_image_are_left_out(self):
        products, *masks = _random()
        loss = fragment_alignment_loss(products, *masks)
        products[0, :, 3], products[3, :, 0] = 1e6, -1e6
        np.testing.assert_allclose(fragment_alignment_loss(products, *masks), loss, rtol=1e-9)

    @pytest.mark.parametrize("multiple_instance", [False, True])
    def test_gradients_take_labels_as_given(self, multiple_instance):
        products, *rest = _random()
        products = keras.Variable(products, dtype="float64")
        self.check_gradients(
            lambda: fragment_alignment_loss(tf.identity(products.value), *rest, multiple_instance),
            [products],
        )

    def test_a_batch_without_fragments_costs_nothing(self):
        products, region_mask, fragment_mask, image_id = _random()
        loss = fragment_alignment_loss(
            products, region_mask, np.zeros_like(fragment_mask), image_id
        )
        assert float(loss) == 0.0

    def test_a_batch_of_one_pair_costs_what_its_positives_cost(self):
        mask = np.ones((1, 1), bool)
        products = np.full((1, 1, 1, 1), -2.0)
        loss = fragment_alignment_loss(products, mask, mask, np.array([0]))
        # 1 - (-2); there are no negatives.
        assert float(loss) == 3.0

    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_graphs_give_the_same(self, jit_compile):
        values = _random()
        function = tf.function(
            fragment_alignment_loss,
            jit_compile=jit_compile,
            input_signature=[
                tf.TensorSpec([None] * 4, tf.float64),
                tf.TensorSpec([None] * 2, tf.bool),
                tf.TensorSpec([None] * 2, tf.bool),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([], tf.bool),
            ],
            autograph=False,
        )
        for multiple_instance in (False, True):
            np.testing.assert_allclose(
                function(*values, multiple_instance),
                fragment_alignment_loss(*values, multiple_instance),
                rtol=1e-9,
            )


def _random_pairs(seed):
    rng = np.random.default_rng(seed)
    # Below 0 for the most part: some fragments have no positive.
    products = rng.normal(-1.0, size=(4, 3, 5))
    region_mask = np.arange(3) < rng.integers(1, 4, (4, 1))
    fragment_mask = np.arange(5) < rng.integers(0, 6, (4, 1))
    return products, region_mask, fragment_mask


def _labels(products, region_mask, fragment_mask):
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
    values = _random_pairs(seed)
    np.testing.assert_array_equal(multiple_instance_labels(*values), _labels(*values))


def test_every_fragment_has_a_positive():
    products, region_mask, fragment_mask = _random_pairs(0)
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
