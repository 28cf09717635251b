import keras
import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.layers.transposed_embedding import TransposedEmbedding

INPUTS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def _layer(**kwargs):
    table = keras.layers.Embedding(7, 4, **kwargs)
    layer = TransposedEmbedding(table)
    layer(INPUTS)
    return table, layer


class TestTransposedEmbedding(VsaTfTestCase):
    def test_layer(self):
        self.run_layer_test(
            TransposedEmbedding,
            lambda: {"embedding": keras.layers.Embedding(7, 4)},
            [INPUTS],
            (2, 3, 7),
            unknown_axes=[(0, 1)],
        )

    def test_a_score_is_the_product_with_the_words_vector(self):
        table, layer = _layer()
        randomize(layer)
        vectors, bias = np.array(table.embeddings), np.array(layer.bias)
        scores = np.array(layer(INPUTS))
        for word in range(7):
            np.testing.assert_allclose(
                scores[..., word], INPUTS @ vectors[word] + bias[word], rtol=1e-5, atol=1e-6
            )

    def test_the_table_is_that_of_the_word_vectors(self):
        table, layer = _layer()
        assert [weight.shape for weight in layer.weights] == [(7,), (7, 4)]
        assert layer.weights[1] is table.embeddings
        table.embeddings.assign(np.eye(7, 4))
        np.testing.assert_allclose(layer(INPUTS)[..., :4], INPUTS, rtol=1e-6)
        assert not np.array(layer(INPUTS))[..., 4:].any()

    def test_the_bias_starts_at_zero(self):
        assert not np.array(_layer()[1].bias).any()

    def test_a_frozen_table_leaves_the_bias(self):
        _, layer = _layer(trainable=False)
        assert [weight.shape for weight in layer.trainable_weights] == [(7,)]

    def test_inputs_of_another_width_are_refused(self):
        with pytest.raises(ValueError, match="as wide as the word vectors, 4.*Received.*5"):
            TransposedEmbedding(keras.layers.Embedding(7, 4)).build((None, 5))
