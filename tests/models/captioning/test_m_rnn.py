import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.captioning.small_captioners import (
    attended,
    batch_of,
    is_target,
    make_batch,
    make_captioner,
)
from tests.vsa_tf_test_case import VsaTfTestCase, randomize
from vsa_tf.models.captioning.m_rnn import CELLS, VARIANTS, MRnn, TransposedEmbedding, scaled_tanh
from vsa_tf.models.captioning.settings import MRnnSettings

INPUTS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def _f(x):
    return np.maximum(0, x)


def _g2(x):
    return 1.7159 * np.tanh(2 * x / 3)


def _arrays(layer):
    return [np.array(weight, np.float64) for weight in layer.weights]


def _logits(model, variant, feature, words, regions=None):
    """docs/equations.md 2.3 and M Figure 5, word by word, of one sentence without padding.

    Returns:
        The logits `[L + 1, V]`, and what the softmax layer read.
    """
    (e1,) = _arrays(model.word_table)
    u_r, b_r = _arrays(model.recurrence.cell)
    v_r, b_m = _arrays(model.V_r)
    r, logits, read = np.zeros(len(b_r)), [], []
    for token in [1, *words]:
        w1 = e1[token]
        # The second word layer; here the image enters the recurrence.
        if variant == "one_layer_emb":
            w = w1
        else:
            w_2, b_2 = _arrays(model.W_2)
            before = w1 @ w_2 + b_2
            if variant in ("vis_in_rnn", "vis_in_rnn_both"):
                before += feature @ _arrays(model.V_I1)[0]
            elif variant == "vis_in_rnn_both_shared":
                before += feature @ _arrays(model.V_I)[0]
            w = _f(before)
        r = _f(r @ u_r + w + b_r)
        terms = r @ v_r + b_m
        if variant == "emb_one_input":
            terms += w1 @ _arrays(model.V_w)[0]
        elif variant != "no_emb_input":
            terms += w @ _arrays(model.V_w)[0]
        if variant not in ("rnn_base", "vis_in_rnn"):
            terms += feature @ _arrays(model.V_I)[0]
        if regions is not None:
            terms += attended(model, r, regions)
        m = _g2(terms)
        if variant == "shared":
            u_m, b_u = _arrays(model.U_M)
            m = _g2(m @ u_m + b_u)
            logits.append(e1 @ m + np.array(model.softmax.bias, np.float64))
        else:
            w_o, b_o = _arrays(model.softmax)
            logits.append(m @ w_o + b_o)
        read.append(m)
    return np.array(logits), np.array(read)


@pytest.fixture(scope="module", params=VARIANTS)
def variant_and_model(request):
    """The model must be left as it is."""
    return request.param, make_captioner(f"m_rnn {request.param}")


class TestMRnn:
    def test_logits_are_those_of_the_equations(self, variant_and_model):
        variant, model = variant_and_model
        batch = make_batch()
        logits = np.array(model(batch))
        assert logits.shape == (4, 6, 9)
        for row, token_ids in enumerate(batch["token_ids"]):
            words = token_ids[token_ids != 0]
            feature = batch["region_features"][row, 0].astype("float64")
            expected, _ = _logits(model, variant, feature, words)
            np.testing.assert_allclose(
                logits[row, : len(words) + 1], expected, rtol=1e-4, atol=1e-5
            )

    @pytest.mark.parametrize("variant", ["m-rnn", "vis_in_rnn_both"])
    def test_every_word_attends_to_regions(self, variant):
        name = "m_rnn attention" if variant == "m-rnn" else f"m_rnn {variant} attention"
        model, batch = make_captioner(name), batch_of(name)
        logits = np.array(model(batch))
        for row, token_ids in enumerate(batch["token_ids"]):
            words = token_ids[token_ids != 0]
            regions = batch["region_features"][row][batch["region_mask"][row]].astype("float64")
            expected, _ = _logits(model, variant, regions[0], words, regions)
            np.testing.assert_allclose(
                logits[row, : len(words) + 1], expected, rtol=1e-4, atol=1e-5
            )

    def test_every_layer_is_made_that_the_variant_has_and_no_other(self, variant_and_model):
        variant, model = variant_and_model
        names = {layer.name for layer in model.layers if layer.weights}
        expected = {"word_table", "W_2", "V_w", "V_I", "recurrence", "V_r", "W_o"}
        difference = {
            "no_emb_input": {"V_w"},
            "one_layer_emb": {"W_2"},
            "vis_in_rnn": {"V_I", "V_I1"},
            "vis_in_rnn_both": {"V_I1"},
            "rnn_base": {"V_I"},
            "shared": {"U_M"},
        }
        assert names == expected ^ difference.get(variant, set())

    def test_every_variant_but_one_sees_the_image(self, variant_and_model):
        variant, model = variant_and_model
        batch, other = make_batch(), make_batch()
        other["region_features"] = -2 * batch["region_features"]
        same = np.allclose(model(batch), model(other), rtol=1e-4)
        assert same is (variant == "rnn_base")

    def test_a_model_says_whether_its_recurrent_states_depend_on_the_image(self, variant_and_model):
        variant, model = variant_and_model
        batch = make_batch(size=1)
        hidden = []
        for scale in (1, -2):
            image = model.encode_images(
                {**batch, "region_features": scale * batch["region_features"]}
            )
            words = model.embed(batch["token_ids"], image)
            hidden.append(model.recurrence(model.recurrent_input(words, image, None)))
        assert model.image_in_recurrence is not np.allclose(*hidden)
        assert model.image_in_recurrence == variant.startswith("vis_in_rnn")

    def test_terms_of_sentences_and_images_give_the_logits(self, variant_and_model):
        _, model = variant_and_model
        if model.image_in_recurrence:
            return  # there are no terms of sentences alone
        batch = make_batch()
        terms = model.sentence_terms(batch["token_ids"])
        logits = np.array(model.logits_of_terms(terms, model.encode_images(batch)))
        chosen = is_target(batch)
        np.testing.assert_allclose(
            logits[chosen], np.array(model(batch))[chosen], rtol=1e-5, atol=1e-6
        )

    def test_the_shared_softmax_is_the_word_table(self):
        model = make_captioner("m_rnn shared")
        matrices = [weight for weight in model.weights if len(weight.shape) == 2]
        tables = [weight for weight in matrices if 9 in weight.shape]
        assert tables == [model.word_table.embeddings]
        assert model.softmax.embedding is model.word_table
        assert sum(weight is model.word_table.embeddings for weight in model.weights) == 1

    def test_the_shared_table_learns_from_both_of_its_uses(self):
        batch = make_batch(size=1)
        batch["token_ids"] = np.int32([[4, 7, 4, 5, 6]])
        model = make_captioner("m_rnn shared")
        weights = np.random.default_rng(1).normal(size=(6, 9))
        table = model.word_table.embeddings.value
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(batch)[0] * tf.constant(weights, tf.float32))
        gradient = np.array(tf.convert_to_tensor(tape.gradient(loss, table)))
        feature = batch["region_features"][0, 0].astype("float64")
        _, read = _logits(model, "shared", feature, batch["token_ids"][0])
        # y_tv = E_v . m_t + b_v: as a softmax matrix, row v gets sum_t c_tv m_t.
        of_softmax = weights.T @ read
        # START, 4, 5, 6 and 7 are read as well; the other words only written.
        others = [0, 2, 3, 8]
        np.testing.assert_allclose(gradient[others], of_softmax[others], rtol=1e-4, atol=1e-5)
        of_words = gradient - of_softmax
        assert (np.abs(np.delete(of_words, others, axis=0)).max(axis=1) > 1e-2).all()

    def test_there_are_as_many_weights_as_in_the_equations(self):
        size, widths = 50, {"m-rnn": 0, "one_layer_emb": 0, "shared": 0}
        for variant in widths:
            model = MRnn(size, variant)
            model(make_batch())
            widths[variant] = model.count_params()
        # U_r, V_w, V_r and V_I of a feature of 5; biases of r and m.
        rest = (256 * 256 + 256) + 256 * 512 + (256 * 512 + 512) + 5 * 512
        words, softmax = 128 * size + (128 * 256 + 256), 512 * size + size
        assert widths["m-rnn"] == words + rest + softmax
        # M section 10.1: 256 M against 128 M + 128 * 256, and a bias.
        assert widths["one_layer_emb"] == 256 * size + rest + softmax
        # M section 8: 512 M becomes a projection of 512 to 128.
        assert widths["shared"] == words + rest + (512 * 128 + 128) + size

    def test_sharing_halves_the_weights_of_a_large_vocabulary(self):
        counts = []
        for variant in ("m-rnn", "shared"):
            model = MRnn(4000, variant)
            model(make_batch())
            counts.append(model.count_params())
        assert counts[1] < counts[0] / 2

    def test_one_image_matrix_needs_layers_of_one_size(self):
        with pytest.raises(ValueError, match="layers of one size.*recurrent_size=256, multi.*=512"):
            MRnn(9, "vis_in_rnn_both_shared")

    @pytest.mark.parametrize("setting", [{"variant": "m_rnn"}, {"cell": "rnn"}])
    def test_other_settings_are_refused(self, setting):
        ((name, value),) = setting.items()
        with pytest.raises(ValueError, match=f"Expected {name} to be.*Received.*'{value}'"):
            MRnn(9, **setting)

    @pytest.mark.parametrize(("name", "expected"), [("variant", tuple(VARIANTS)), ("cell", CELLS)])
    def test_flags_and_model_have_the_same_choices(self, name, expected):
        fields = {field.name: field for field in dataclasses.fields(MRnnSettings)}
        assert fields[name].metadata["choices"] == expected


def test_scaled_tanh_has_the_values_of_the_paper():
    # docs/equations.md 6.8: g2(1) = 0.999997, and the limit is 1.7159.
    values = np.array(scaled_tanh(tf.constant([1.0, -1.0, 0.0, 50.0, -50.0], tf.float64)))
    np.testing.assert_allclose(values, [0.999997, -0.999997, 0, 1.7159, -1.7159], atol=5e-7)


def test_the_slope_of_scaled_tanh_at_zero_is_two_thirds_of_the_limit():
    x = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = scaled_tanh(x)
    np.testing.assert_allclose(tape.gradient(y, x), 1.7159 * 2 / 3, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_scaled_tanh_keeps_shape_and_dtype(dtype):
    values = scaled_tanh(tf.ones((2, 3), dtype))
    assert (values.shape, values.dtype) == ((2, 3), tf.as_dtype(dtype))


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
