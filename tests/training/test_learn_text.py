import dataclasses
import types

import numpy as np
import pytest

from tests.models.captioning.small_captioners import make_batch
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.alignment.settings import DeFragSettings
from vsa_tf.models.captioning.dvsa_rnn import DvsaRnn
from vsa_tf.models.captioning.m_rnn import MRnn
from vsa_tf.models.two_branch.branch import Branch
from vsa_tf.sentence_features.bag_of_words import TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from vsa_tf.training.learn_text import (
    learn_text,
    log_frequencies,
    set_initial_weights,
    unknown_words_line,
)

# 4 sentences, 1 unknown word, "a" 8 times, "dog" 4 times, the rest once: 20 tokens in all but for
# the 4 of START, which never follows another.
VOCABULARY = Vocabulary(
    (*SPECIAL_TOKENS, "a", "dog", "cat", "runs", "sits"), (0, 4, 4, 1, 8, 4, 1, 1, 1)
)
TEXT = CaptionText(VOCABULARY, "word")
SHARES = [0.025, 0.025, 0.2, 0.05, 0.4, 0.2, 0.05, 0.05, 0.05]


@pytest.mark.parametrize(
    ("share", "names"),
    [(0.07, ("det", "amod")), (0.071, ("det",)), (0.0, ("det", "amod")), (1.0, ())],
)
def test_types_below_a_share_of_all_relations_are_one(share, names):
    # 0.07 times 100 is 7.000000000000001 in floating point.
    relations = [(("det", "dog", "a"),)] * 93 + [(), (("amod", "dog", "red"),) * 7]
    settings = Settings(
        DataSettings(min_count=1),
        OptimizerSettings(),
        TrainingSettings(),
        dataclasses.replace(DeFragSettings(), min_relation_share=share),
    )
    types = learn_text(["a red dog"] * 95, settings, relations).relation_types
    assert types.names[2:] == names
    assert sum(types.counts) == 100


def test_a_vocabulary_without_words_is_refused():
    settings = Settings.of("m_rnn", min_count=3)
    with pytest.raises(VsaTfError, match="No word of the 2 training captions .* min_count=3: lo"):
        learn_text(["a dog", "a cat"], settings)


def test_words_of_the_model_that_is_gone_on_from_come_first():
    start = CaptionText(Vocabulary.from_sentences([["zebra", "dog", "dog"]]), "word")
    settings = Settings.of("m_rnn", min_count=2)
    text = learn_text(["a dog", "a cat", "a dog"], settings, start=start)
    # Words of the start stay however rare; of the new ones those seen twice.
    assert text.vocabulary.tokens[4:] == ("dog", "zebra", "a")
    assert text.vocabulary.counts[4:] == (4, 1, 3)
    # Sentences of both, and the cat.
    assert text.vocabulary.counts[:4] == (0, 4, 4, 1)


def test_pieces_of_the_model_that_is_gone_on_from_stay():
    start = CaptionText(Vocabulary.from_sentences([], keep=["do", "d", "##o", "##g"]), "wordpiece")
    settings = Settings.of("m_rnn", tokenizer="wordpiece")
    text = learn_text(["dog dot"], settings, start=start)
    # The characters that it has not, at the start and inside of words, and no other pieces.
    assert text.vocabulary.tokens[4:8] == start.vocabulary.tokens[4:]
    assert set(text.vocabulary.tokens[8:]) == {"g", "o", "t", "##d", "##t"}
    assert text.tokenize("dog dot") == ["do", "##g", "do", "##t"]


def _model(model_class=MRnn, **settings):
    model = model_class(len(VOCABULARY), word_embedding_size=3, **settings)
    model(make_batch())
    return model


class TestLogFrequencies:
    def test_they_are_the_shares_of_all_words_and_ends(self):
        result = log_frequencies(VOCABULARY)
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, np.log(SHARES), rtol=1e-6)

    def test_tokens_that_never_follow_are_finite_and_least_probable(self):
        unseen = Vocabulary((*SPECIAL_TOKENS, "a", "b"), (0, 5, 5, 0, 9, 0))
        result = log_frequencies(unseen)
        # Half a time among 5 ends and 9 words: PAD, START, <unk> and a word that is kept unseen.
        np.testing.assert_allclose(result[[0, 1, 3, 5]], np.log(0.5 / 14), rtol=1e-6)
        assert result[[2, 4]].min() > np.log(0.5 / 14)


class TestSetInitialWeights:
    @pytest.mark.parametrize(
        ("model_class", "settings"),
        [(MRnn, {}), (MRnn, {"variant": "shared"}), (DvsaRnn, {"hidden_size": 4})],
    )
    def test_an_untrained_model_expects_words_as_often_as_they_were_seen(
        self, model_class, settings
    ):
        model = _model(model_class, **settings)
        set_initial_weights(model, TEXT, Settings.of("dvsa_rnn"))
        for weight in model.trainable_weights:
            if weight is not model.softmax.bias:
                weight.assign(0 * weight)
        logits = np.array(model(make_batch()), np.float64)
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        # The two that never follow have a fortieth each on top of the whole.
        expected = np.array(SHARES) / 1.05
        np.testing.assert_allclose(probabilities, np.tile(expected, (4, 6, 1)), rtol=1e-5)

    def test_the_bias_is_left_where_nothing_is_said(self):
        model = _model()
        before = model.get_weights()
        set_initial_weights(model, TEXT, Settings.of("m_rnn", initialize_bias=False))
        for expected, received in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(received, expected)
        assert not np.array(model.softmax.bias).any()

    @pytest.mark.parametrize("model_class", [MRnn, AlignmentModel])
    def test_words_take_their_vectors_from_a_file(self, model_class, tmp_path):
        path = tmp_path / "vectors.txt"
        path.write_text("dog 1 2 3\nbird 4 5 6\na 7 8 9\n", encoding="utf-8")
        if model_class is MRnn:
            settings = Settings.of("m_rnn", word_vectors=str(path), initialize_bias=False)
            model = _model()
        else:
            model = AlignmentModel(len(VOCABULARY), 4, word_embedding_size=3)
            model(make_batch())
            settings = Settings.of("alignment", word_vectors=str(path))
        before = np.array(model.word_table.embeddings)
        lines = []
        set_initial_weights(model, TEXT, settings, lines.append)
        table = np.array(model.word_table.embeddings)
        assert table[[4, 5]].tolist() == [[7, 8, 9], [1, 2, 3]]
        np.testing.assert_array_equal(np.delete(table, [4, 5], 0), np.delete(before, [4, 5], 0))
        assert lines == [f"2 of 9 words have a vector in {path}"]

    def test_vectors_of_another_width_are_refused(self, tmp_path):
        path = tmp_path / "vectors.txt"
        path.write_text("dog 1 2\n", encoding="utf-8")
        with pytest.raises(VsaTfError, match="^word_vectors: Expected vectors of 3 numbers"):
            set_initial_weights(_model(), TEXT, Settings.of("m_rnn", word_vectors=str(path)))

    @pytest.mark.parametrize("linear", [False, True])
    def test_words_alike_are_rows_alike_of_a_matrix_that_reads_bags(self, tmp_path, linear):
        path = tmp_path / "vectors.txt"
        path.write_text("dog 1 2 0\nbird 0 0 3\ncat 2 4 0\n", encoding="utf-8")
        words = ("bird", "cat", "dog", "zebra")
        branch = Branch(500, hidden_size=500, linear_branches=linear)
        branch.build((None, len(words)))
        before = np.array(branch.first_projection.kernel)
        model = types.SimpleNamespace(text_branch=branch)
        feature = TfIdf(words, np.ones(4))
        text = types.SimpleNamespace(sentence_feature=feature)
        settings = Settings.of("embedding", word_vectors=str(path), word_embedding_size=3)
        lines = []
        set_initial_weights(model, text, settings, lines.append)
        bags = feature.transform([["bird"], ["cat"], ["dog"], ["zebra"]])
        bird, cat, dog, zebra = bags @ np.array(branch.first_projection.kernel)
        np.testing.assert_allclose(cat, dog, rtol=1e-5)
        assert abs(bird @ dog) < 0.2 * np.linalg.norm(bird) * np.linalg.norm(dog)
        np.testing.assert_array_equal(zebra, before[3])
        # As large as the others, whatever the vectors' lengths.
        np.testing.assert_allclose([dog.std(), bird.std()], before.std(), rtol=0.15)
        assert lines == [f"3 of 4 words have a vector in {path}"]


TWO_WORDS = CaptionText(Vocabulary.from_sentences([["a", "dog"]]), "word")


def _data(*captions):
    return types.SimpleNamespace(
        text=TWO_WORDS,
        tokens=TokenStore.from_captions(captions, TWO_WORDS.encode, 40),
        records=types.SimpleNamespace(split="dev"),
    )


def test_a_language_that_the_vocabulary_has_no_word_of_is_said():
    line = unknown_words_line(_data("ein brauner Hund", "a Hund"))
    assert line.startswith("dev: 80% of the words are unknown to the vocabulary of 6")
    assert "--min_count" in line and "--tokenizer=wordpiece" in line


def test_known_words_are_no_matter():
    assert unknown_words_line(_data("a dog", "a cat")) is None


def test_fisher_vectors_are_of_the_mixture_that_is_asked_for(monkeypatch):
    asked = {}
    monkeypatch.setattr(FisherVector, "fit", lambda *_, **values: asked.update(values))
    settings = Settings.of("embedding", text="hglmm", mixture="gaussian", min_count=1)
    learn_text(["a dog", "a cat"] * 5, settings)
    assert asked["mixture"] == "gaussian" and asked["num_centers"] == 30
