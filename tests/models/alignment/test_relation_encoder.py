import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.alignment.relation_encoder import RelationEncoder, grouped_product

SETTINGS = {"units": 5, "vocabulary_size": 7, "num_relations": 4, "word_embedding_size": 3}


def _inputs(seed=0):
    rng = np.random.default_rng(seed)
    relations = rng.integers(1, 4, (3, 6)).astype("int32")
    relations[1, 4:], relations[2] = 0, 0
    heads, dependents = rng.integers(1, 7, (2, 3, 6)).astype("int32")
    return [relations, heads * (relations > 0), dependents * (relations > 0)]


def _layer(**settings):
    layer = RelationEncoder(**{**SETTINGS, **settings})
    layer(*_inputs())
    randomize(layer)
    return layer


class TestRelationEncoder(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(
            RelationEncoder, SETTINGS, _inputs(), (3, 6, 5), unknown_axes=[(0, 1)] * 3
        )

    def test_outputs_are_the_equation(self):
        layer = _layer()
        outputs = np.array(layer(*_inputs()))
        table, kernel, bias = (
            np.array(each) for each in (layer.word_table.embeddings, layer.kernel, layer.bias)
        )
        for position in zip(*np.nonzero(_inputs()[0])):
            relation, head, dependent = (value[position] for value in _inputs())
            words = np.concatenate([table[head], table[dependent]])
            expected = np.maximum(words @ kernel[relation - 1] + bias[relation - 1], 0)
            np.testing.assert_allclose(outputs[position], expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("name, function", [("linear", np.positive), ("tanh", np.tanh)])
    def test_another_activation_takes_the_place_of_relu(self, name, function):
        linear = np.array(_layer(word_activation="linear")(*_inputs()))
        assert (linear < 0).any()
        outputs = np.array(_layer(word_activation=name)(*_inputs()))
        np.testing.assert_allclose(outputs, function(linear), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(_layer()(*_inputs()), np.maximum(linear, 0), rtol=1e-6)

    def test_head_and_dependent_are_told_apart(self):
        layer = _layer()
        relations, heads, dependents = np.int32([[[1]], [[2]], [[3]]])
        swapped = layer(relations, dependents, heads)
        assert np.abs(np.array(layer(relations, heads, dependents)) - swapped).max() > 0.01

    def test_padding_changes_nothing(self):
        layer, inputs = _layer(), _inputs()
        longer = [np.pad(value, ((0, 0), (0, 40))) for value in inputs]
        real = inputs[0] > 0
        np.testing.assert_allclose(
            np.array(layer(*longer))[:, :6][real], np.array(layer(*inputs))[real], rtol=1e-6
        )

    def test_first_weights_have_the_limits_of_one_matrix(self):
        layer = RelationEncoder(
            units=40, vocabulary_size=3, num_relations=21, word_embedding_size=30
        )
        layer.build((None, None))
        # Glorot: sqrt(6 / (60 + 40)); of 48000 uniform numbers the largest is close to the limit.
        assert 0.99 * 0.06**0.5 < np.abs(layer.kernel).max() <= 0.06**0.5

    def test_dropout_drops_word_vectors_in_training_alone(self):
        layer = _layer(dropout=0.5)
        inputs = _inputs()
        np.testing.assert_array_equal(layer(*inputs), layer(*inputs))
        assert np.abs(np.array(layer(*inputs, training=True)) - layer(*inputs)).max() > 0.01

    def test_a_frozen_word_table_has_no_gradient(self):
        layer = _layer(train_word_vectors=False)
        assert [weight.name for weight in layer.trainable_weights] == ["W_R", "b_R"]

    def test_types_that_a_batch_lacks_do_not_learn(self):
        layer, (relations, heads, dependents) = _layer(), _inputs()
        relations[relations == 2] = 3
        with tf.GradientTape() as tape:
            outputs = layer(relations, heads, dependents)
        gradient = tf.convert_to_tensor(tape.gradient(outputs, layer.kernel.value)).numpy()
        assert not gradient[1].any()
        assert gradient[0].any() and gradient[2].any()

    def test_without_a_relation_type_there_is_no_encoder(self):
        with pytest.raises(ValueError, match="num_relations of 2 or more.*num_relations=1"):
            RelationEncoder(**{**SETTINGS, "num_relations": 1})


def _random(num_rows, num_groups, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(num_rows, 3)),
        rng.integers(0, num_groups, num_rows),
        rng.normal(size=(num_groups, 3, 2)),
    )


def _brute_force(rows, groups, matrices):
    return np.array([row @ matrices[group] for row, group in zip(rows, groups)])


class TestGroupedProduct(VsaTfTestCase):
    # One row; fewer rows than groups; less, just and more than one block of 32; many blocks.
    @pytest.mark.parametrize("num_rows", [1, 3, 31, 32, 33, 300])
    @pytest.mark.parametrize("num_groups", [1, 4])
    def test_every_row_meets_the_matrix_of_its_group(self, num_rows, num_groups):
        values = _random(num_rows, num_groups)
        np.testing.assert_allclose(grouped_product(*values), _brute_force(*values), rtol=1e-9)

    @pytest.mark.parametrize("sizes", [(0, 64, 0), (33, 33, 33), (1, 1, 97), (32, 0, 1)])
    def test_groups_may_be_empty_full_or_one_row_over(self, sizes):
        rows, _, matrices = _random(sum(sizes), 3)
        groups = np.random.default_rng(1).permutation(np.repeat(np.arange(3), sizes))
        np.testing.assert_allclose(
            grouped_product(rows, groups, matrices), _brute_force(rows, groups, matrices), rtol=1e-9
        )

    @pytest.mark.parametrize("jit_compile", [False, True])
    def test_graphs_give_the_same(self, jit_compile):
        rows, groups, matrices = _random(70, 5)
        function = tf.function(
            grouped_product,
            jit_compile=jit_compile,
            input_signature=[
                tf.TensorSpec([None, 3], tf.float64),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([5, 3, 2], tf.float64),
            ],
            autograph=False,
        )
        np.testing.assert_allclose(
            function(rows, groups, matrices), _brute_force(rows, groups, matrices), rtol=1e-9
        )

    def test_gradients(self):
        rows, groups, matrices = _random(40, 3)
        rows, matrices = (keras.Variable(value, dtype="float64") for value in (rows, matrices))
        self.check_gradients(
            lambda: grouped_product(rows.value, groups, 1.0 * matrices.value), [rows, matrices]
        )
