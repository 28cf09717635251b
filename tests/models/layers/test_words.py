import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.layers.words import AdditiveRecurrentCell, WordTable

_TOKEN_IDS = np.array([[3, 3, 1], [3, 0, 0]], np.int32)
INPUTS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


class TestWordTable(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(WordTable, {"input_dim": 5, "output_dim": 2}, [_TOKEN_IDS], (2, 3, 2))

    def test_rows_are_those_of_the_tokens(self):
        table = WordTable(5, 2)
        vectors = table(_TOKEN_IDS)
        np.testing.assert_array_equal(vectors, np.array(table.embeddings)[_TOKEN_IDS])

    @pytest.mark.parametrize("clipping", [{}, {"clipnorm": 1.0}, {"clipvalue": 1.0}])
    def test_a_repeated_word_is_one_element_of_the_gradient(self, clipping):
        # Word 3 occurs three times: its gradient is 3, which clipping to 1 leaves at 1 (or, by
        # norm, together with the rest at 1). Plain SGD moves the table by just that.
        table = WordTable(5, 2)
        table.build()
        before = np.array(table.embeddings)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(table(_TOKEN_IDS))
        gradients = tape.gradient(loss, table.trainable_weights)
        keras.optimizers.SGD(1.0, **clipping).apply(gradients, table.trainable_weights)
        counts = np.bincount(_TOKEN_IDS.ravel(), minlength=5).astype(float)[:, None] * [1.0, 1.0]
        expected = {
            "clipnorm": counts / np.linalg.norm(counts),
            "clipvalue": np.minimum(counts, 1.0),
        }.get(next(iter(clipping), None), counts)
        np.testing.assert_allclose(before - np.array(table.embeddings), expected, rtol=1e-5)


class TestAdditiveRecurrentCell(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(
            keras.layers.RNN,
            lambda: {"cell": AdditiveRecurrentCell(4), "return_sequences": True},
            [INPUTS],
            (2, 3, 4),
            unknown_axes=[(0, 1)],
        )

    def test_cell_config_round_trips(self):
        config = AdditiveRecurrentCell(7, name="cell").get_config()
        assert config["units"] == 7
        assert AdditiveRecurrentCell.from_config(config).get_config() == config

    def test_one_step_adds_input_and_previous_state(self):
        cell = AdditiveRecurrentCell(2)
        cell.build((None, 2))
        cell.recurrent_kernel.assign([[1.0, 2.0], [0.0, -1.0]])
        cell.bias.assign([0.5, -1.0])
        # h W = [3, 6 - 1]; plus x [1, -9] and b [.5, -1]: [4.5, -5], and ReLU.
        output, states = cell(np.float32([[1.0, -9.0]]), [np.float32([[3.0, 1.0]])])
        np.testing.assert_array_equal(output, [[4.5, 0.0]])
        np.testing.assert_array_equal(states[0], output)

    def test_there_is_no_input_matrix(self):
        cell = AdditiveRecurrentCell(3)
        cell.build((None, 3))
        assert [weight.shape for weight in cell.weights] == [(3, 3), (3,)]

    def test_sequence_equals_loop(self):
        cell = AdditiveRecurrentCell(4)
        outputs = keras.layers.RNN(cell, return_sequences=True)
        outputs(INPUTS)
        randomize(cell)
        kernel, bias = np.array(cell.recurrent_kernel), np.array(cell.bias)
        state = np.zeros((2, 4))
        result = outputs(INPUTS)
        for step in range(3):
            state = np.maximum(0, INPUTS[:, step] + state @ kernel + bias)
            np.testing.assert_allclose(result[:, step], state, rtol=1e-5, atol=1e-6)

    def test_inputs_of_another_width_are_refused(self):
        with pytest.raises(ValueError, match="as wide as the state, 4.*Received.*3"):
            AdditiveRecurrentCell(4).build((None, 3))
