import numpy as np
import pytest

from tests.evaluation.small_splits import load_split, make_captioner
from vsa_tf.evaluation.sentence_probabilities import encode_images, split_perplexities
from vsa_tf.text.vocabulary import END_ID, UNK_ID


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"))


def _log_probs(model, data, image, words):
    """Of every word and END, by the model's logits of this sentence alone."""
    feature = data.records.read_region_features([image])[:, :1]
    logits = np.array(model({"region_features": feature, "token_ids": np.int32([words])}))[0]
    logits = logits.astype(np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return [log_probs[t, word] for t, word in enumerate([*words, END_ID])]


class TestEncodeImages:
    @pytest.mark.parametrize("batch_size", [1, 3, 250])
    def test_images_come_in_order_whatever_the_batches(self, data, batch_size):
        model = make_captioner(data, "vis_in_rnn_both")
        images = encode_images(model, data, batch_size)
        assert images.keys() == {"multimodal", "recurrent"}
        features = data.records.read_region_features(range(4))[:, :1].astype("float32")
        for name, layer in (("multimodal", model.V_I), ("recurrent", model.V_I1)):
            assert isinstance(images[name], np.ndarray)
            np.testing.assert_allclose(
                images[name], features @ np.array(layer.kernel), rtol=1e-4, atol=1e-5
            )

    def test_a_model_without_image_has_nothing(self, data):
        assert encode_images(make_captioner(data, "rnn_base"), data) == {}


class TestSplitPerplexities:
    def test_every_word_and_end_counts(self, data):
        model = make_captioner(data)
        log_probs, known_log_probs = [], []
        for caption, image in enumerate(data.records.image_of_caption):
            words = data.tokens.row(caption).tolist()
            log_probs += _log_probs(model, data, image, words)
            known = [word for word in words if word != UNK_ID]
            known_log_probs += _log_probs(model, data, image, known)
        # "a brown dog runs on grass" loses two words.
        assert len(log_probs) == len(known_log_probs) + 2 == sum(data.tokens.lengths) + 7
        result = split_perplexities(model, data, encode_images(model, data))
        assert result.keys() == {"perplexity", "perplexity_without_unknown"}
        np.testing.assert_allclose(result["perplexity"], np.exp(-np.mean(log_probs)), rtol=1e-5)
        np.testing.assert_allclose(
            result["perplexity_without_unknown"], np.exp(-np.mean(known_log_probs)), rtol=1e-5
        )

    def test_batches_change_nothing(self, data, monkeypatch):
        model = make_captioner(data)
        images = encode_images(model, data)
        whole = split_perplexities(model, data, images)
        monkeypatch.setattr("vsa_tf.evaluation.sentence_probabilities._BATCH_SIZE", 2)
        batched = split_perplexities(model, data, images)
        np.testing.assert_allclose(list(batched.values()), list(whole.values()), rtol=1e-6)

    def test_a_model_that_knows_nothing_chooses_among_all_words(self, data):
        model = make_captioner(data)
        model.softmax.kernel.assign(0 * model.softmax.kernel)
        model.softmax.bias.assign(0 * model.softmax.bias)
        result = split_perplexities(model, data, encode_images(model, data))
        np.testing.assert_allclose(list(result.values()), len(data.text.vocabulary), rtol=1e-5)

    def test_of_a_sentence_without_known_words_only_the_end_counts(self, data, tmp_path):
        unknown = load_split(tmp_path, (("zebra quagga",), ("dog",)), text=data.text)
        assert unknown.tokens.row(0).tolist() == [UNK_ID, UNK_ID]
        model = make_captioner(unknown)
        result = split_perplexities(model, unknown, encode_images(model, unknown))
        first = _log_probs(model, unknown, 0, [UNK_ID])
        dog = _log_probs(model, unknown, 1, unknown.tokens.row(1).tolist())
        np.testing.assert_allclose(
            result["perplexity_without_unknown"], np.exp(-np.mean([first[1], *dog])), rtol=1e-5
        )

    def test_a_model_without_image_has_a_perplexity(self, data):
        model = make_captioner(data, "rnn_base")
        log_probs = []
        for caption in range(7):
            log_probs += _log_probs(model, data, 0, data.tokens.row(caption).tolist())
        result = split_perplexities(model, data, {})
        np.testing.assert_allclose(result["perplexity"], np.exp(-np.mean(log_probs)), rtol=1e-5)
