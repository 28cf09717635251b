"""What every caption generator does; the equations of each are in its own file."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.captioning.small_captioners import (
    CAPTIONERS,
    batch_of,
    images_of,
    is_target,
    log_softmax,
    make_batch,
    make_captioner,
)
from tests.vsa_tf_test_case import VsaTfTestCase, dtype_policy, fit
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.models.captioning.dvsa_rnn import DvsaRnn
from vsa_tf.models.captioning.m_rnn import MRnn
from vsa_tf.models.captioning.sentence_cost import with_end, word_cost
from vsa_tf.models.layers.image_network import ConvolutionalEncoder, CropNetwork

PAPERS = ("m_rnn m-rnn", "m_rnn shared", "dvsa_rnn")
# Keras has checked the gradients of its own cells.
OWN_CELLS = [name for name in CAPTIONERS if not {"gru", "lstm"} & set(name.split())]
# The image is not in the recurrence, or at its first step alone, or at each; one state or two.
NAMES = ("m_rnn shared", "dvsa_rnn", "dvsa_rnn every lstm", "m_rnn attention")
END, FORBIDDEN = 2, [0, 1, 3]
MAX_LENGTH = 4


@pytest.fixture(scope="module", params=CAPTIONERS)
def captioner(request):
    """`(name, model)`; the model must be left as it is."""
    return request.param, make_captioner(request.param)


def _revived(model, batch):
    other = type(model).from_config(json.loads(json.dumps(model.get_config())))
    other(batch)
    other.set_weights(model.get_weights())
    return other


def _pixels():
    batch = make_batch()
    del batch["region_features"]
    images = np.random.default_rng(0).integers(0, 256, (4, 10, 10, 3), "uint8")
    return {**batch, "images": images}


class TestEveryCaptioner:
    def test_steps_have_the_logits_of_whole_sentences(self, captioner):
        name, model = captioner
        batch = batch_of(name)
        expected, chosen = np.array(model(batch)), is_target(batch)
        state = model.start(images_of(batch))
        inputs = np.pad(batch["token_ids"], ((0, 0), (1, 0)), constant_values=1)
        for t, token_ids in enumerate(inputs.T):
            logits, state = model.step(token_ids, state)
            rows = chosen[:, t]
            np.testing.assert_allclose(
                np.array(logits)[rows], expected[rows, t], rtol=1e-4, atol=1e-5
            )

    def test_a_state_has_a_row_for_each_image(self, captioner):
        name, model = captioner
        state = model.start(images_of(batch_of(name)))
        _, next_state = model.step(np.ones(4, np.int32), state)
        for value in keras.tree.flatten(state) + keras.tree.flatten(next_state):
            assert value.shape[0] == 4
        keras.tree.assert_same_structure(state, next_state)

    def test_padding_changes_nothing(self, captioner):
        name, model = captioner
        batch = batch_of(name)
        chosen = is_target(batch)
        longer = dict(batch, token_ids=np.pad(batch["token_ids"], ((0, 0), (0, 3))))
        np.testing.assert_allclose(
            np.array(model(longer))[:, :6][chosen],
            np.array(model(batch))[chosen],
            rtol=1e-4,
            atol=1e-5,
        )
        costs = [
            float(model.compute_loss(x=each, y_pred=model(each), training=False))
            for each in (longer, batch)
        ]
        np.testing.assert_allclose(*costs, rtol=1e-5)

    def test_a_word_is_predicted_from_those_before_it(self, captioner):
        name, model = captioner
        batch = batch_of(name)
        changed = dict(batch, token_ids=batch["token_ids"].copy())
        changed["token_ids"][0, 2:] = 3 + (batch["token_ids"][0, 2:] - 2) % 6
        before, after = np.array(model(batch))[0], np.array(model(changed))[0]
        np.testing.assert_allclose(after[:3], before[:3], rtol=1e-5, atol=1e-6)
        assert not np.allclose(after[3], before[3])

    def test_log_probs_are_those_of_the_words_and_end(self, captioner):
        name, model = captioner
        batch = batch_of(name)
        result = np.array(model.sentence_log_probs(model.encode_images(batch), batch["token_ids"]))
        targets = np.array(with_end(batch["token_ids"]))
        expected = np.take_along_axis(log_softmax(model(batch)), targets[..., None], axis=-1)
        np.testing.assert_allclose(
            result, np.where(is_target(batch), expected[..., 0], 0), rtol=1e-4, atol=1e-5
        )

    def test_config_and_weights_give_the_same_model(self, captioner):
        name, model = captioner
        batch, settings = batch_of(name), CAPTIONERS[name][1]
        config = model.get_config()
        assert config.items() >= settings.items()
        other = _revived(model, batch)
        assert other.get_config() == config
        np.testing.assert_array_equal(other(batch), model(batch))


class TestCaptioner(VsaTfTestCase):
    @pytest.mark.parametrize("name", OWN_CELLS)
    def test_gradients_of_logits(self, name):
        batch = batch_of(name, size=2, num_words=3)
        with dtype_policy("float64"):
            model = make_captioner(name, batch)
        self.check_gradients(lambda: model(batch), model.trainable_weights)

    def test_every_setting_is_in_the_config(self):
        settings = {
            "train_word_vectors": False,
            "image_context": "attention",
            "feature_normalization": "l2",
            "dropout": 0.25,
            "weight_penalty": 0.5,
        }
        for model_class in (DvsaRnn, MRnn):
            config = model_class(9, **settings).get_config()
            assert config.items() >= {"vocabulary_size": 9, **settings}.items()

    @pytest.mark.parametrize("name", ["m_rnn shared", "dvsa_rnn"])
    def test_training_lowers_the_loss(self, name):
        batch = make_batch()
        model = make_captioner(name)
        model.compile(optimizer=keras.optimizers.Adam(0.06), jit_compile=False)
        losses = fit(model, 8, batch)
        assert losses[-1] < 0.8 * losses[0]

    @pytest.mark.parametrize("name", PAPERS)
    def test_loss_is_the_cost_of_the_words_and_the_penalty_of_the_weights(self, name):
        batch = make_batch()
        model = make_captioner(name, weight_penalty=0.01)
        loss = model.compute_loss(x=batch, y_pred=model(batch), training=False)
        cost = word_cost(model(batch), with_end(batch["token_ids"]))
        # A table with two uses is one matrix of theta.
        square = sum(np.square(weight).sum() for weight in model.get_weights())
        np.testing.assert_allclose(loss, cost + 0.01 * square, rtol=1e-5)

    def test_without_a_penalty_the_loss_is_bits_a_word(self):
        batch = make_batch()
        model = make_captioner("m_rnn m-rnn")
        loss = model.compute_loss(x=batch, y_pred=np.zeros((4, 6, 9), "float32"), training=False)
        np.testing.assert_allclose(loss, np.log2(9), rtol=1e-6)

    def test_dropout_is_of_training_alone(self):
        batch = make_batch()
        model, plain = make_captioner("m_rnn m-rnn", dropout=0.5), make_captioner("m_rnn m-rnn")
        np.testing.assert_array_equal(model(batch), plain(batch))
        np.testing.assert_array_equal(plain(batch, training=True), plain(batch))
        assert not np.allclose(model(batch, training=True), model(batch))

    @pytest.mark.parametrize("name", PAPERS)
    def test_dropout_is_on_the_image_the_words_and_the_last_layer(self, name):
        batch = make_batch()
        model = make_captioner(name, dropout=0.5)
        image = model.encode_images(batch)
        words = model.embed(batch["token_ids"], image)
        hidden = np.ones((4, 5, 4), "float32")
        for function in (
            lambda training: model.encode_images(batch, training),
            lambda training: model.embed(batch["token_ids"], image, training),
            lambda training: model.logits(words, hidden, image, training),
        ):
            values, dropped = (keras.tree.flatten(function(each))[-1] for each in (False, True))
            assert not np.allclose(values, dropped)

    @pytest.mark.parametrize("name", PAPERS)
    def test_the_word_table_can_be_frozen(self, name):
        model = make_captioner(name, train_word_vectors=False)
        assert [weight.path.split("/")[-2] for weight in model.non_trainable_weights] == [
            "word_table"
        ]
        batch = make_batch()
        with tf.GradientTape() as tape:
            tape.watch(model.word_table.embeddings.value)
            loss = model.compute_loss(x=batch, y_pred=model(batch))
        assert all(
            gradient is not None
            for gradient in tape.gradient(loss, [w.value for w in model.trainable_weights])
        )

    def test_l2_forgets_the_scale_of_the_features(self):
        batch = make_batch()
        model = make_captioner("m_rnn m-rnn", feature_normalization="l2")
        larger = dict(batch, region_features=8 * batch["region_features"])
        np.testing.assert_allclose(model(larger), model(batch), rtol=1e-4, atol=1e-5)
        image = np.zeros((1, 1, 5), "float16")
        image[0, 0, 3] = 7  # of 5 entries: the length becomes the root of 5
        np.testing.assert_allclose(
            model.encode_images({"region_features": image})["multimodal"][0, 0],
            5**0.5 * np.array(model.V_I.kernel)[3],
            rtol=1e-5,
        )

    def test_other_normalizations_are_refused(self):
        model = DvsaRnn(9, feature_normalization="l1")
        with pytest.raises(ValueError, match="Expected feature_normalization to be one of.*'l1'"):
            model.encode_images(make_batch())

    @pytest.mark.parametrize("name", ["m_rnn m-rnn", "dvsa_rnn"])
    def test_a_network_over_pixels_is_trained_through(self, name):
        batch = _pixels()
        network = CropNetwork(ConvolutionalEncoder((4,)), size=8)
        model = make_captioner(name, batch, image_network=network)
        np.testing.assert_array_equal(_revived(model, batch)(batch), model(batch))
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x=batch, y_pred=model(batch, training=True))
        variables = network.trainable_weights
        assert {id(weight) for weight in variables} < {id(w) for w in model.trainable_weights}
        for weight, gradient in zip(
            variables, tape.gradient(loss, [weight.value for weight in variables]), strict=True
        ):
            assert np.abs(gradient).max() > 0, weight.path
        state = model.start({name: batch[name] for name in ("images", "region_boxes")})
        logits, _ = model.step(np.ones(4, np.int32), state)
        np.testing.assert_allclose(logits, model(batch)[:, 0], rtol=1e-4, atol=1e-5)

    def test_a_sentence_without_words_leaves_loss_and_weights_finite(self):
        batch = make_batch()
        batch["token_ids"][2] = 0
        model = make_captioner("m_rnn m-rnn")
        model.compile(optimizer="sgd", run_eagerly=True)
        assert np.isfinite(fit(model, 2, batch)).all()
        assert all(np.isfinite(weight).all() for weight in model.get_weights())

    def test_mixed_precision_trains(self):
        with dtype_policy("mixed_bfloat16"):
            model = make_captioner("m_rnn shared")
            model.compile(optimizer="sgd", run_eagerly=True)
            assert model(make_batch()).dtype == tf.bfloat16
            assert np.isfinite(fit(model, 2, make_batch())).all()
        assert all(weight.dtype == "float32" for weight in model.trainable_weights)

    def test_compiled_losses_are_the_same(self):
        batch = make_batch(size=2, num_words=3)
        model = make_captioner("m_rnn gru", batch)

        def loss():
            return model.compute_loss(x=batch, y_pred=model(batch))

        np.testing.assert_allclose(
            tf.function(loss, jit_compile=True, autograph=False)(), loss(), rtol=1e-4
        )


def _generate(model, decoder, batch):
    generator = CaptionGenerator(model, decoder)
    return [np.asarray(value) for value in generator.predict_on_batch(batch)]


def _greedy(model, batch, prefixes=((),) * 4):
    """For each image a caption and the log probability of each token.

    By running the model again each time: the logits are those of whole sentences.
    """
    captions = [([], []) for _ in prefixes]
    chosen = np.zeros((len(prefixes), 0), "int32")
    for t in range(MAX_LENGTH):
        logits = model({**images_of(batch), "token_ids": np.pad(chosen, ((0, 0), (0, 1)))})
        following = log_softmax(logits)[:, t]
        allowed = following.copy()
        allowed[:, FORBIDDEN] = -np.inf
        forced = [prefix[t] if t < len(prefix) else 0 for prefix in prefixes]
        words = np.where(forced, forced, allowed.argmax(axis=1)).astype("int32")
        for (tokens, log_probs), word, row in zip(captions, words.tolist(), following):
            if END not in tokens:
                tokens.append(word)
                log_probs.append(row[word])
        chosen = np.column_stack([chosen, words])
    return captions


def _assert_caption(hypotheses, image, tokens, log_probs):
    token_ids, token_log_probs, log_prob = (value[image, 0] for value in hypotheses)
    padding = [0] * (MAX_LENGTH - len(tokens))
    assert token_ids.tolist() == tokens + padding
    np.testing.assert_allclose(token_log_probs, log_probs + padding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_prob, sum(log_probs), rtol=1e-4)


@pytest.fixture(scope="module", params=NAMES)
def model_and_batch(request):
    return make_captioner(request.param), batch_of(request.param)


def test_greedy_captions_are_those_of_whole_sentences(model_and_batch):
    model, batch = model_and_batch
    hypotheses = _generate(model, GreedySearch(max_length=MAX_LENGTH), images_of(batch))
    assert [value.shape for value in hypotheses] == [(4, 1, MAX_LENGTH)] * 2 + [(4, 1)]
    for image, caption in enumerate(_greedy(model, batch)):
        _assert_caption(hypotheses, image, *caption)


def test_captions_go_on_from_a_prefix():
    batch = make_batch()
    model = make_captioner("m_rnn m-rnn")
    prefix = np.int32([[5, 8], [7, 0], [0, 0], [4, 4]])
    hypotheses = _generate(
        model, GreedySearch(max_length=MAX_LENGTH), {**images_of(batch), "prefix": prefix}
    )
    for image, caption in enumerate(_greedy(model, batch, ([5, 8], [7], [], [4, 4]))):
        _assert_caption(hypotheses, image, *caption)


def test_beams_have_the_probabilities_of_their_sentences(model_and_batch):
    model, batch = model_and_batch
    decoder = BeamSearch(beam_size=5, num_captions=5, max_length=3)
    token_ids, token_log_probs, log_prob = _generate(model, decoder, images_of(batch))
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
    batch = images_of(make_batch())
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
            model, BeamSearch(beam_size=2, max_length=MAX_LENGTH), images_of(make_batch())
        )
    assert log_prob.dtype == np.float32
    assert np.isfinite(log_prob).all() and not np.isin(token_ids[:, :, 0], FORBIDDEN).any()
