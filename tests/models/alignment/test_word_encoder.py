import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.alignment.word_encoder import CELLS, WordEncoder

TOKEN_IDS = np.int32([[4, 2, 6, 1, 3], [5, 5, 0, 0, 0], [1, 0, 0, 0, 0]])
LENGTHS = (5, 2, 1)


def _encoder(cell="relu", **kwargs):
    encoder = WordEncoder(4, 7, word_embedding_size=3, cell=cell, **kwargs)
    encoder(TOKEN_IDS)
    randomize(encoder)
    return encoder


def _brnn(encoder, token_ids):
    """docs/equations.md 1, word by word, of one sentence without padding."""

    def f(x):
        return np.maximum(0, x)

    def arrays(layer):
        return [np.array(weight, np.float64) for weight in layer.weights]

    (table,), (w_e, b_e), (w_d, b_d) = (
        arrays(layer)
        for layer in (encoder.word_table, encoder.input_projection, encoder.output_projection)
    )
    (w_f, b_f), (w_b, b_b) = (
        arrays(layer.cell)
        for layer in (encoder.recurrence.forward_layer, encoder.recurrence.backward_layer)
    )
    e = [f(table[token] @ w_e + b_e) for token in token_ids]
    forward, backward = [np.zeros(4)], [np.zeros(4)]
    for t in range(len(e)):
        forward.append(f(e[t] + forward[-1] @ w_f + b_f))
        backward.append(f(e[-1 - t] + backward[-1] @ w_b + b_b))
    hidden = np.array(forward[1:]) + np.array(backward[:0:-1])
    return f(hidden @ w_d + b_d)


class TestWordEncoder(VsaTfTestCase):
    @pytest.mark.parametrize("cell", CELLS)
    def test_layer(self, cell):
        self.run_layer_test(
            WordEncoder,
            {"units": 4, "vocabulary_size": 7, "word_embedding_size": 3, "cell": cell},
            [TOKEN_IDS],
            (3, 5, 4),
            unknown_axes=[(0, 1)],
        )

    def test_every_setting_is_in_the_config(self):
        settings = {
            "units": 4,
            "vocabulary_size": 7,
            "word_embedding_size": 3,
            "cell": "gru",
            "word_activation": "linear",
            "dropout": 0.25,
            "train_word_vectors": False,
        }
        assert WordEncoder(**settings).get_config().items() >= settings.items()

    def test_values_are_those_of_the_equations(self):
        encoder = _encoder()
        values = encoder(TOKEN_IDS)
        for row, length in enumerate(LENGTHS):
            np.testing.assert_allclose(
                values[row, :length], _brnn(encoder, TOKEN_IDS[row, :length]), rtol=1e-5, atol=1e-6
            )

    @pytest.mark.parametrize("cell", CELLS)
    def test_padding_changes_nothing(self, cell):
        encoder = _encoder(cell)
        longer = encoder(np.pad(TOKEN_IDS, ((0, 0), (0, 4))))
        values = encoder(TOKEN_IDS)
        for row, length in enumerate(LENGTHS):
            alone = encoder(TOKEN_IDS[row : row + 1, :length])
            for other in (longer[row, :length], alone[0]):
                np.testing.assert_allclose(values[row, :length], other, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("cell", CELLS)
    def test_exchanged_directions_read_the_reversed_sentence(self, cell):
        encoder = _encoder(cell)
        values = np.array(encoder(TOKEN_IDS[:1]))
        forward, backward = encoder.recurrence.forward_layer, encoder.recurrence.backward_layer
        weights = forward.get_weights(), backward.get_weights()
        forward.set_weights(weights[1])
        backward.set_weights(weights[0])
        reversed_values = encoder(TOKEN_IDS[:1, ::-1])
        np.testing.assert_allclose(reversed_values[:, ::-1], values, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("cell", CELLS)
    def test_words_see_both_neighbours(self, cell):
        encoder = _encoder(cell, word_activation="linear")
        values = np.array(encoder(np.int32([[1, 2, 3]])))
        assert not np.allclose(values[0, 1], encoder(np.int32([[4, 2, 3]]))[0, 1])
        assert not np.allclose(values[0, 1], encoder(np.int32([[1, 2, 4]]))[0, 1])

    def test_a_sentence_of_padding_alone_is_finite(self):
        assert np.isfinite(_encoder()(np.zeros((2, 3), np.int32))).all()

    def test_dropout_is_of_training_alone(self):
        encoder = _encoder(dropout=0.5)
        np.testing.assert_array_equal(encoder(TOKEN_IDS), _encoder()(TOKEN_IDS))
        assert not np.allclose(encoder(TOKEN_IDS, training=True), encoder(TOKEN_IDS))

    def test_the_word_table_can_be_frozen(self):
        encoder = WordEncoder(4, 7, word_embedding_size=3, train_word_vectors=False)
        encoder.build((None, None))
        assert [weight.path.split("/")[-2] for weight in encoder.non_trainable_weights] == [
            "word_table"
        ]
        assert len(encoder.trainable_weights) == len(_encoder().trainable_weights) - 1

    def test_other_cells_are_refused(self):
        with pytest.raises(ValueError, match="Expected cell to be one of .*Received: cell='tanh'"):
            WordEncoder(4, 7, cell="tanh")
