import numpy as np
import pytest

from tests.evaluation.small_splits import load_split, make_captioner
from vsa_tf.evaluation.evaluation import (
    CaptionOptions,
    EvaluationOptions,
    GivenSplits,
    RetrievalOptions,
)
from vsa_tf.evaluation.probability_retrieval import (
    encode_images,
    log_mean_exp,
    perplexity,
    probability_retrieval,
    relative_scores,
    split_perplexities,
)
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.scoring.sentence_likelihood import all_log_likelihoods, pair_log_likelihoods
from vsa_tf.text.vocabulary import END_ID, UNK_ID

DIRECTIONS = ("image_to_sentence", "sentence_to_image")


class TestLogMeanExp:
    def test_it_is_the_logarithm_of_the_mean(self):
        # (1/2 + 1/4) / 2 and (1 + 0) / 2.
        values = np.log([[1 / 2, 1], [1 / 4, 1e-300]])
        np.testing.assert_allclose(log_mean_exp(values), np.log([3 / 8, 1 / 2]))

    def test_improbable_sentences_do_not_vanish(self):
        values = np.float32([[-2000, -2000], [-2000 + np.log(3), -3000]])
        np.testing.assert_allclose(log_mean_exp(values), [-2000 + np.log(2), -2000 - np.log(2)])

    def test_one_image_is_its_own_mean(self):
        np.testing.assert_allclose(log_mean_exp([[-3.0, -4.0]]), [-3, -4])


class _Numbered:
    """A model whose images contribute their number in the split."""

    def encode_images(self, batch):
        return {"image": np.array(batch["image_id"], np.int64)[:, None, None]}


class TestHandMadeProbabilities:
    """Two images with a sentence each; the first sentence is probable whatever the image."""

    GIVEN_IMAGES = [[1 / 2, 1 / 64], [1 / 4, 1 / 8]]
    # The means are 1/2 and 3/64.
    GIVEN_TRAINING_IMAGES = [[1 / 2, 1 / 16], [1 / 2, 1 / 32]]

    def _metrics(self, tmp_path, monkeypatch, num_normalization_images=2, **options):
        for name, number in (("data", 2), ("training", 5)):
            (tmp_path / name).mkdir()
            captions = [("a dog",), ("two cats",), ("a",), ("b",), ("c",)][:number]
            setattr(self, name, load_split(tmp_path / name, captions))
        self.sampled = []

        def all_log_likelihoods(model, images, tokens, progress=None):
            assert tokens is self.data.tokens
            if progress == "of all pairs":
                return np.log(self.GIVEN_IMAGES).astype("float32")
            self.sampled.append(images["image"].ravel().tolist())
            return np.log(self.GIVEN_TRAINING_IMAGES)

        monkeypatch.setattr(
            "vsa_tf.evaluation.probability_retrieval.all_log_likelihoods", all_log_likelihoods
        )
        return probability_retrieval(
            _Numbered(),
            self.data,
            {},
            EvaluationOptions(**{"intervals": False, **options}, progress="of all pairs"),
            captions=CaptionOptions(
                retrieval="exact", num_normalization_images=num_normalization_images
            ),
            retrieval=RetrievalOptions(),
            splits=GivenSplits(self.training),
        )

    def test_sentences_are_ranked_by_normalized_probability(self, tmp_path, monkeypatch):
        metrics = self._metrics(tmp_path, monkeypatch)
        # P(w|I) / P(w) is 1, 1/3 for the first image and 1/2, 8/3 for the second: both are right.
        # P(w|I) would give the first sentence to both.
        assert metrics["image_to_sentence"]["R@1"] == 100

    def test_one_score_of_both_directions_is_relative(self, tmp_path, monkeypatch):
        self._metrics(tmp_path, monkeypatch)
        options = EvaluationOptions(progress="of all pairs")
        scores = relative_scores(_Numbered(), self.data, self.training, options, CaptionOptions())
        np.testing.assert_allclose(np.exp(scores), [[1, 1 / 3], [1 / 2, 8 / 3]], rtol=1e-6)

    def test_images_are_ranked_by_probability(self, tmp_path, monkeypatch):
        metrics = self._metrics(tmp_path, monkeypatch)
        # 1/2 > 1/4 and 1/8 > 1/64.
        assert metrics["sentence_to_image"]["R@1"] == 100
        assert metrics.keys() == set(DIRECTIONS)

    def test_training_images_are_sampled_without_repetition(self, tmp_path, monkeypatch):
        self._metrics(tmp_path, monkeypatch, num_normalization_images=3, seed=1)
        (first,) = self.sampled
        assert first == sorted(set(first)) and len(first) == 3 and set(first) < set(range(5))

    def test_there_may_be_fewer_training_images_than_asked_for(self, tmp_path, monkeypatch):
        self._metrics(tmp_path, monkeypatch, num_normalization_images=100)
        assert self.sampled == [[0, 1, 2, 3, 4]]

    def test_intervals_are_added(self, tmp_path, monkeypatch):
        metrics = self._metrics(tmp_path, monkeypatch, intervals=True)
        for direction in DIRECTIONS:
            assert metrics[direction]["interval_95"]["R@1"] == [100, 100]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_split(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="module")
def alignment(data):
    model = AlignmentModel(len(data.text.vocabulary), 6, word_embedding_size=4)
    model({**next(iter(data.image_batches(4))), **next(iter(data.sentence_batches(4)))})
    return model


def _retrieve(model, data, alignment=None, progress=None, **captions):
    """Retrieves by the probabilities of `model`, with shortlists by `alignment`."""

    def shortlist_model(records):
        assert records is data.records
        return alignment, data

    return probability_retrieval(
        model,
        data,
        encode_images(model, data),
        EvaluationOptions(intervals=False, progress=progress),
        captions=CaptionOptions(num_normalization_images=3, **captions),
        retrieval=RetrievalOptions(),
        splits=GivenSplits(data, shortlist_model=shortlist_model),
    )


def test_a_shortlist_of_everything_is_exact(data, alignment):
    model = make_captioner(data)
    exact = _retrieve(model, data, retrieval="exact")
    full = _retrieve(model, data, alignment, retrieval="shortlist", shortlist_size=4)
    assert full == exact


@pytest.mark.parametrize("size", [1, 2])
def test_a_shortlist_holds_the_best_of_both_directions(data, alignment, size, monkeypatch):
    model, looked_at = make_captioner(data), set()

    def recorded(model, images, tokens, image_index, sentence_index, progress):
        looked_at.update(zip(image_index.tolist(), sentence_index.tolist()))
        return pair_log_likelihoods(model, images, tokens, image_index, sentence_index)

    monkeypatch.setattr("vsa_tf.evaluation.probability_retrieval.pair_log_likelihoods", recorded)
    metrics = _retrieve(model, data, alignment, retrieval="shortlist", shortlist_size=size)
    scores = EmbeddedSplit.embed(alignment, data).scores(alignment)
    best_images = {
        (image, sentence)
        for sentence in range(7)
        for image in np.argsort(-scores[:, sentence])[:size].tolist()
    }
    # Seven sentences of four images: 1.75 for each image that is looked at.
    best_sentences = {
        (image, sentence)
        for image in range(4)
        for sentence in np.argsort(-scores[image])[: {1: 2, 2: 4}[size]].tolist()
    }
    assert looked_at == best_images | best_sentences
    # The ranks by hand, of sentences for which every shortlisted image is scored.
    likelihood = np.full((4, 7), -np.inf)
    chosen = tuple(np.array(sorted(looked_at)).T)
    images = encode_images(model, data)
    likelihood[chosen] = all_log_likelihoods(model, images, data.tokens)[chosen]
    true = data.records.image_of_caption
    first = likelihood.argmax(axis=0) == true
    assert metrics["sentence_to_image"]["R@1"] == pytest.approx(100 * first.mean())


def test_the_mean_image_gives_the_perplexity_that_sentences_are_relative_to(data):
    model = make_captioner(data)
    features = data.records.read_region_features(range(4))[:, :1].astype("float32")
    by_words = np.empty((4, 7))
    for sentence in range(7):
        words = data.tokens.row(sentence).tolist()
        reference = _sentence_log_probs(model, features.mean(axis=0), words)
        for image in range(4):
            given = _sentence_log_probs(model, features[image], words)
            by_words[image, sentence] = np.mean(given) - np.mean(reference)
    # The logarithm of PPL(w | mean) / PPL(w | I), PPL of every word and END.
    options, captions = EvaluationOptions(), CaptionOptions(normalization="mean_image")
    scores = relative_scores(model, data, data, options, captions)
    np.testing.assert_allclose(scores, by_words, atol=1e-5)
    assert np.abs(by_words).max() > 1e-3
    metrics = _retrieve(model, data, retrieval="exact", normalization="mean_image")
    is_own = data.records.image_of_caption[by_words.argmax(axis=1)] == np.arange(4)
    assert metrics["image_to_sentence"]["R@1"] == pytest.approx(100 * is_own.mean())


def test_progress_is_of_all_pairs(data):
    calls, model = [], make_captioner(data)
    _retrieve(model, data, progress=lambda *call: calls.append(call), retrieval="exact")
    assert calls == [(4, 4)]


def _log_probs(model, data, image, words):
    """Of every word and END, by the model's logits of this sentence alone."""
    return _sentence_log_probs(model, data.records.read_region_features([image])[0, :1], words)


def _sentence_log_probs(model, feature, words):
    logits = model({"region_features": feature[None], "token_ids": np.int32([words])})
    logits = np.array(logits)[0]
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
        monkeypatch.setattr("vsa_tf.evaluation.probability_retrieval._BATCH_SIZE", 2)
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


@pytest.mark.parametrize("size", [1, 7, 8000])
def test_perplexity_of_a_uniform_model_is_the_size_of_its_vocabulary(size):
    np.testing.assert_allclose(perplexity(np.full(5, -np.log(size))), size)


def test_perplexity_is_two_to_the_mean_of_bits():
    # 1, 2 and 6 bits: 2^3.
    np.testing.assert_allclose(perplexity(np.log([1 / 2, 1 / 4, 1 / 64])), 8)


def test_a_sure_model_has_perplexity_one():
    assert perplexity([0.0, 0.0]) == 1.0


def test_it_is_the_inverse_of_the_geometric_mean():
    probabilities = np.random.default_rng(0).uniform(0.01, 1, 50)
    np.testing.assert_allclose(perplexity(np.log(probabilities)), np.prod(probabilities) ** -0.02)


def test_many_single_precision_numbers_are_summed_in_double():
    log_probs = np.full(10**6, -0.1, np.float32)
    expected = np.exp(-np.float64(log_probs[0]))
    np.testing.assert_allclose(perplexity(log_probs), expected, rtol=1e-12)


def test_a_word_held_impossible_gives_infinity():
    with np.errstate(over="ignore"):
        assert perplexity([-np.inf, -1.0]) == np.inf


def test_without_words_it_is_an_error():
    with pytest.raises(ValueError, match="at least one word. Received: none"):
        perplexity([])
