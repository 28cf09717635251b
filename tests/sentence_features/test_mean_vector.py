import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.sentence_features import bag_of_words
from vsa_tf.sentence_features.bag_of_words import MeanVector


def test_the_feature_is_the_mean_over_words_as_often_as_they_occur():
    vectors = generated_vectors(4, 3)
    sentences = [["w0", "w2", "w0"], ["w1", "unheard"]]
    features = MeanVector.fit(sentences, vectors).transform(sentences)
    v = vectors.vectors
    np.testing.assert_allclose(features, [(2 * v[0] + v[2]) / 3, v[1]], rtol=1e-5)
    assert features.dtype == np.float32


def test_a_sentence_without_known_words_is_zero_and_counted():
    feature = MeanVector.fit([["w0"]], generated_vectors(4, 3))
    sentences = [[], ["unheard"], ["w1"]]
    assert not feature.transform(sentences)[:2].any()
    assert feature.count_empty(sentences) == 2
    assert feature.transform([]).shape == (0, 3)


def test_blocks_change_nothing(monkeypatch):
    sentences = generated_sentences(50)
    feature = MeanVector.fit(sentences, generated_vectors())
    at_once = feature.transform(sentences)
    monkeypatch.setattr(bag_of_words, "_ROWS", 7)
    np.testing.assert_array_equal(feature.transform(sentences), at_once)


def test_a_file_restores_the_feature_to_the_last_bit(tmp_path):
    sentences = generated_sentences(50)
    feature = MeanVector.fit(sentences, generated_vectors())
    feature.save(tmp_path / "feature.npz")
    restored = MeanVector.load(tmp_path / "feature.npz")
    np.testing.assert_array_equal(restored.transform(sentences), feature.transform(sentences))
    assert restored.dimension == feature.dimension == 6


def test_vectors_of_other_words_are_refused():
    with pytest.raises(ValueError, match="none of 4 words occurs in 2 sentences"):
        MeanVector.fit([["unheard"], []], generated_vectors(4, 3))
