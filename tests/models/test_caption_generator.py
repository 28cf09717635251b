import keras
import numpy as np
import pytest

from tests.models.small_captioners import log_softmax, make_batch, make_captioner
from tests.vsa_tf_test_case import dtype_policy
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.greedy_search import GreedySearch
from vsa_tf.models.caption_generator import CaptionGenerator

# The image is not in the recurrence, or at its first step alone, or at each; one state or two.
NAMES = ("m_rnn shared", "dvsa_rnn", "dvsa_rnn every lstm")
END, FORBIDDEN = 2, [0, 1, 3]
MAX_LENGTH = 4


def _images(batch):
    return {name: value for name, value in batch.items() if name != "token_ids"}


def _generate(model, decoder, batch):
    generator = CaptionGenerator(model, decoder)
    return [np.asarray(value) for value in generator.predict_on_batch(batch)]


def _next_log_probs(model, batch, image, words):
    """float64 `[V]`, by the logits of a whole sentence."""
    feature = batch["region_features"][image : image + 1]
    logits = model({"region_features": feature, "token_ids": np.int32([words + [0]])})
    return log_softmax(logits)[0, len(words)]


def _greedy(model, batch, image, prefix=()):
    """One caption and the log probability of each token, by running the model again each time."""
    tokens, log_probs = [], []
    while len(tokens) < MAX_LENGTH and END not in tokens:
        following = _next_log_probs(model, batch, image, tokens)
        allowed = following.copy()
        allowed[FORBIDDEN] = -np.inf
        forced = prefix[len(tokens) : len(tokens) + 1]
        tokens.append(int(forced[0] if forced else allowed.argmax()))
        log_probs.append(following[tokens[-1]])
    return tokens, log_probs


def _assert_caption(hypotheses, image, tokens, log_probs):
    token_ids, token_log_probs, log_prob = (value[image, 0] for value in hypotheses)
    padding = [0] * (MAX_LENGTH - len(tokens))
    assert token_ids.tolist() == tokens + padding
    np.testing.assert_allclose(token_log_probs, log_probs + padding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_prob, sum(log_probs), rtol=1e-4)


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    return make_captioner(request.param)


def test_greedy_captions_are_those_of_whole_sentences(model):
    batch = make_batch()
    hypotheses = _generate(model, GreedySearch(max_length=MAX_LENGTH), _images(batch))
    assert [value.shape for value in hypotheses] == [(4, 1, MAX_LENGTH)] * 2 + [(4, 1)]
    for image in range(4):
        _assert_caption(hypotheses, image, *_greedy(model, batch, image))


def test_captions_go_on_from_a_prefix():
    batch = make_batch()
    model = make_captioner("m_rnn m-rnn")
    prefix = np.int32([[5, 8], [7, 0], [0, 0], [4, 4]])
    hypotheses = _generate(
        model, GreedySearch(max_length=MAX_LENGTH), {**_images(batch), "prefix": prefix}
    )
    for image, words in enumerate(([5, 8], [7], [], [4, 4])):
        _assert_caption(hypotheses, image, *_greedy(model, batch, image, words))


def test_beams_have_the_probabilities_of_their_sentences(model):
    batch = make_batch()
    decoder = BeamSearch(beam_size=5, num_captions=5, max_length=3)
    token_ids, token_log_probs, log_prob = _generate(model, decoder, _images(batch))
    assert (np.diff(log_prob, axis=1) <= 0).all()
    image = keras.tree.map_structure(
        lambda value: np.repeat(value, 5, axis=0), model.encode_images(batch)
    )
    token_ids = token_ids.reshape(20, 3)
    has_end = (token_ids == END).any(axis=1)
    assert has_end.any() and not has_end.all()
    # The model's own sentences: END and what is after it are its business.
    words = np.where(token_ids == END, 0, token_ids)
    expected = np.array(model.sentence_log_probs(image, words))
    expected[:, :3][token_ids == 0] = 0
    np.testing.assert_allclose(
        token_log_probs.reshape(20, 3), expected[:, :3], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        log_prob.reshape(20), expected[:, :3].sum(axis=1), rtol=1e-4, atol=1e-5
    )


def test_batches_of_other_sizes_follow():
    model = make_captioner("m_rnn m-rnn")
    generator = CaptionGenerator(model, GreedySearch(max_length=MAX_LENGTH))
    batch = _images(make_batch())
    whole, first = (
        generator.predict_on_batch({name: value[:rows] for name, value in batch.items()})
        for rows in (4, 3)
    )
    for expected, received in zip(whole, first, strict=True):
        np.testing.assert_allclose(received, expected[:3], rtol=1e-5)


def test_low_precision_models_write_captions():
    with dtype_policy("mixed_bfloat16"):
        model = make_captioner("dvsa_rnn gru")
        token_ids, _, log_prob = _generate(
            model, BeamSearch(beam_size=2, max_length=MAX_LENGTH), _images(make_batch())
        )
    assert log_prob.dtype == np.float32
    assert np.isfinite(log_prob).all() and not np.isin(token_ids[:, :, 0], FORBIDDEN).any()
