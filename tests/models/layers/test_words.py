import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import VsaTfTestCase
from vsa_tf.layers.word_table import WordTable

_TOKEN_IDS = np.array([[3, 3, 1], [3, 0, 0]], np.int32)


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
