import keras
import numpy as np
import pytest

from tests.models.captioning.small_captioners import (
    batch_of,
    images_of,
    log_softmax,
    make_captioner,
)
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.scoring import sentence_likelihood
from vsa_tf.scoring.sentence_likelihood import Beginnings, all_log_likelihoods, pair_log_likelihoods

# Repeated sentences, one that begins another, ones that part at once and late, an unknown word.
SENTENCES = [[4, 5, 6], [4, 5], [4, 5, 6], [7], [4, 5, 7, 8], [8, 4, 5, 6], [3, 4], [4, 5, 6, 6, 6]]
TOKENS = TokenStore(SENTENCES, max_words=10)
NUM_IMAGES = 5
# Without the image in the recurrence, thrice; with it; without any image.
NAMES = (
    "m_rnn m-rnn",
    "m_rnn shared lstm",
    "m_rnn attention",
    "m_rnn vis_in_rnn_both",
    "dvsa_rnn",
    "dvsa_rnn attention",
    "m_rnn rnn_base",
)


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return make_captioner(request.param)


def _batch(model):
    name = "m_rnn m-rnn" if model.image_context == "frame" else "m_rnn attention"
    return batch_of(name, size=NUM_IMAGES)


def _images(model):
    return keras.tree.map_structure(np.array, model.encode_images(_batch(model)))


def _brute_force(model):
    """Each sentence of each image, alone and unpadded, by the whole model."""
    scores = np.zeros((NUM_IMAGES, len(SENTENCES)))
    images = images_of(_batch(model))
    for sentence, words in enumerate(SENTENCES):
        token_ids = np.tile(np.int32(words), (NUM_IMAGES, 1))
        log_probs = log_softmax(model({**images, "token_ids": token_ids}))
        for position, word in enumerate([*words, 2]):
            scores[:, sentence] += log_probs[:, position, word]
    return scores


def _set_blocks(monkeypatch, pairs, images, contexts):
    monkeypatch.setattr(sentence_likelihood, "_PAIRS_IN_A_BATCH", pairs)
    monkeypatch.setattr(sentence_likelihood, "_IMAGES_IN_A_BLOCK", images)
    monkeypatch.setattr(sentence_likelihood, "_CONTEXTS_IN_A_BLOCK", contexts)


def test_all_pairs_have_the_likelihoods_of_the_model(model, monkeypatch):
    expected = _brute_force(model)
    images = _images(model)
    if not keras.tree.flatten(images):  # no image is seen
        np.testing.assert_allclose(expected - expected[:1], 0, atol=1e-5)
        expected = expected[:1]
    for blocks in ((256, 8, 128), (3, 2, 5), (8, 5, 1)):
        _set_blocks(monkeypatch, *blocks)
        scores = all_log_likelihoods(model, images, TOKENS)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_chosen_pairs_have_the_likelihoods_of_the_model(model, monkeypatch):
    expected = _brute_force(model)
    image, sentence = np.int64([[4, 0], [4, 7], [1, 3], [0, 0], [2, 2], [1, 3], [3, 5]]).T
    for pairs in (256, 3, 1):
        _set_blocks(monkeypatch, pairs, 8, 128)
        scores = pair_log_likelihoods(model, _images(model), TOKENS, image, sentence)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected[image, sentence], rtol=1e-4)


def test_no_pairs_are_no_work():
    model, none = make_captioner("m_rnn m-rnn"), np.zeros(0, np.int64)
    assert pair_log_likelihoods(model, _images(model), TOKENS, none, none).shape == (0,)


@pytest.mark.parametrize("name", ["m_rnn m-rnn", "m_rnn vis_in_rnn"])
def test_progress_is_in_images(name, monkeypatch):
    _set_blocks(monkeypatch, 256, 2, 128)
    model, calls = make_captioner(name), []
    all_log_likelihoods(model, _images(model), TOKENS, lambda *call: calls.append(call))
    assert calls[-1] == (5, 5)
    assert [done for done, _ in calls] == ([1, 2, 3, 4, 5] if "vis" in name else [2, 4, 5])


def test_sentences_run_once_whatever_the_number_of_images(monkeypatch):
    model, calls = make_captioner("m_rnn m-rnn"), []
    images, whole = _images(model), model.sentence_terms
    monkeypatch.setattr(
        model, "sentence_terms", lambda token_ids: calls.append(len(token_ids)) or whole(token_ids)
    )
    _set_blocks(monkeypatch, 3, 1, 4)
    all_log_likelihoods(model, images, TOKENS)
    assert calls == [3, 3, 2]


class TestBeginnings:
    def test_every_different_beginning_is_met_once(self):
        beginnings = Beginnings(TOKENS)
        contexts = {tuple(words[:t]) for words in SENTENCES for t in range(len(words) + 1)}
        steps = {
            (tuple(words[:t]), word) for words in SENTENCES for t, word in enumerate([*words, 2])
        }
        assert len(np.unique(beginnings.context_of_step)) == len(contexts)
        assert len(beginnings.context_of_step) == len(beginnings.word_of_step) == len(steps)
        assert (np.diff(beginnings.context_of_step) >= 0).all()

    def test_steps_spell_the_sentences(self):
        beginnings = Beginnings(TOKENS)
        num_steps = len(beginnings.word_of_step)
        for steps, words in zip(beginnings.step_of_word, SENTENCES):
            steps = steps[steps < num_steps]
            assert beginnings.word_of_step[steps].tolist() == [*words, 2]
            assert beginnings.context_of_step[steps[0]] == 0

    def test_each_word_is_added_once(self):
        beginnings = Beginnings(TOKENS)
        ones = np.ones((2, len(beginnings.word_of_step)))
        lengths = [len(words) + 1 for words in SENTENCES]
        assert beginnings.sentence_sums(ones).tolist() == [lengths, lengths]

    @pytest.mark.parametrize("seed", range(3))
    def test_random_sentences_are_spelt(self, seed):
        rng = np.random.default_rng(seed)
        sentences = [rng.integers(3, 6, rng.integers(1, 8)).tolist() for _ in range(300)]
        beginnings = Beginnings(TokenStore(sentences, max_words=8))
        spelt = np.append(beginnings.word_of_step, 0)[beginnings.step_of_word]
        assert [row[row != 0].tolist() for row in spelt] == [[*words, 2] for words in sentences]
        # A context is one beginning: the words before it are the same wherever it is met.
        contexts = np.append(beginnings.context_of_step, -1)[beginnings.step_of_word]
        beginning_of = {}
        for row, words in zip(contexts, sentences):
            for t, context in enumerate(row[: len(words) + 1]):
                assert beginning_of.setdefault(context, words[:t]) == words[:t]
        assert len(beginning_of) == len({tuple(words) for words in beginning_of.values()})
