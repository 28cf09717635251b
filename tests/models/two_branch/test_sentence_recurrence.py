import numpy as np
import pytest

from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.two_branch.sentence_recurrence import WORD_POOLINGS, SentenceRecurrence

TOKEN_IDS = np.int32([[4, 2, 6, 1, 3], [5, 5, 0, 0, 0], [1, 0, 0, 0, 0]])
LENGTHS = (5, 2, 1)
SETTINGS = {"vocabulary_size": 7, "word_embedding_size": 3, "recurrent_size": 4}


def _recurrence(**settings):
    recurrence = SentenceRecurrence(**{**SETTINGS, **settings})
    recurrence(TOKEN_IDS)
    randomize(recurrence)
    return recurrence


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _lstm_states(recurrence, token_ids):
    """The LSTM's states, word by word, of one sentence without padding; gates i, f, c, o."""
    (table,) = recurrence.word_table.get_weights()
    kernel, recurrent_kernel, bias = recurrence.recurrence.get_weights()
    state, memory, states = np.zeros(4), np.zeros(4), []
    for token in token_ids:
        inputs = table[token] @ kernel + state @ recurrent_kernel + bias
        enter, forget, candidate, leave = np.split(inputs, 4)
        memory = _sigmoid(forget) * memory + _sigmoid(enter) * np.tanh(candidate)
        state = _sigmoid(leave) * np.tanh(memory)
        states.append(state)
    return np.array(states)


class TestSentenceRecurrence(VsaTfTestCase):
    # What is pooled are states, of whichever cell.
    @pytest.mark.parametrize(
        ("cell", "pooling"), [*(("lstm", pooling) for pooling in WORD_POOLINGS), ("gru", "last")]
    )
    def test_layer(self, cell, pooling):
        self.run_layer_test(
            SentenceRecurrence,
            {**SETTINGS, "cell": cell, "word_pooling": pooling},
            [TOKEN_IDS],
            (3, 4),
            unknown_axes=[(0, 1)],
        )

    def test_every_setting_is_in_the_config(self):
        settings = {
            "vocabulary_size": 7,
            "word_embedding_size": 3,
            "recurrent_size": 4,
            "cell": "gru",
            "bidirectional": True,
            "word_pooling": "learned",
            "word_dropout": 0.25,
            "train_word_vectors": False,
        }
        assert SentenceRecurrence(**settings).get_config().items() >= settings.items()

    @pytest.mark.parametrize("pooling", WORD_POOLINGS)
    def test_values_are_those_of_the_equations(self, pooling):
        recurrence = _recurrence(word_pooling=pooling)
        values = recurrence(TOKEN_IDS)
        for row, length in enumerate(LENGTHS):
            states = _lstm_states(recurrence, TOKEN_IDS[row, :length])
            pooled = {"last": states[-1], "mean": states.mean(0), "max": states.max(0)}
            if pooling == "learned":
                mask = np.ones((1, length), bool)
                pooled["learned"] = recurrence.pooling(states[None].astype("float32"), mask)[0]
            np.testing.assert_allclose(values[row], pooled[pooling], rtol=1e-4, atol=1e-6)

    @pytest.mark.parametrize("pooling", ["last", "mean"])
    def test_both_directions_are_averaged(self, pooling):
        recurrence = _recurrence(bidirectional=True, word_pooling=pooling)
        values, both = recurrence(TOKEN_IDS), recurrence.recurrence
        for row, length in enumerate(LENGTHS):
            words = recurrence.word_table(TOKEN_IDS[row : row + 1, :length])
            states = [both.forward_layer(words)[0], both.backward_layer(words)[0]]
            if pooling == "mean":
                states = [each.numpy().mean(axis=0) for each in states]
            expected = (states[0] + states[1]) / 2
            np.testing.assert_allclose(values[row], expected, rtol=1e-4, atol=1e-6)
        assert not np.allclose(values[:2], _recurrence(word_pooling=pooling)(TOKEN_IDS)[:2])

    @pytest.mark.parametrize("settings", [{"cell": "gru"}, {"bidirectional": True}, {}])
    @pytest.mark.parametrize("pooling", WORD_POOLINGS)
    def test_padding_changes_nothing(self, settings, pooling):
        recurrence = _recurrence(word_pooling=pooling, **settings)
        longer = recurrence(np.pad(TOKEN_IDS, ((0, 0), (0, 4))))
        np.testing.assert_allclose(longer, recurrence(TOKEN_IDS), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("pooling", WORD_POOLINGS)
    def test_padding_among_the_words_is_skipped(self, pooling):
        recurrence = _recurrence(word_pooling=pooling, bidirectional=True)
        gaps = np.int32([[0, 4, 0, 2, 6], [0, 0, 1, 3, 0]])
        words = np.int32([[4, 2, 6], [1, 3, 0]])
        np.testing.assert_allclose(recurrence(gaps), recurrence(words), rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize("pooling", WORD_POOLINGS)
    def test_a_sentence_without_words_is_zero(self, pooling):
        values = _recurrence(word_pooling=pooling)(np.int32([[0, 0], [3, 0]]))
        assert not np.array(values[0]).any()
        assert np.array(values[1]).all()

    def test_dropout_is_of_training_alone(self):
        recurrence = _recurrence(word_dropout=0.5)
        np.testing.assert_array_equal(recurrence(TOKEN_IDS), _recurrence()(TOKEN_IDS))
        assert not np.allclose(recurrence(TOKEN_IDS, training=True), recurrence(TOKEN_IDS))

    def test_the_word_table_can_be_frozen(self):
        recurrence = _recurrence(train_word_vectors=False)
        assert [weight.path.split("/")[-2] for weight in recurrence.non_trainable_weights] == [
            "word_table"
        ]

    def test_other_cells_are_refused(self):
        with pytest.raises(ValueError, match="Expected cell to be one of .*cell='relu'"):
            SentenceRecurrence(7, cell="relu")

    def test_other_poolings_are_refused(self):
        with pytest.raises(
            ValueError, match="Expected word_pooling to be one of .*word_pooling='sum'"
        ):
            SentenceRecurrence(7, word_pooling="sum")
