import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.sentence_features.generated_sentences import generated_sentences
from vsa_tf.sentence_features import bag_of_words
from vsa_tf.sentence_features.bag_of_words import TfIdf

SENTENCES = generated_sentences()


def test_hand_made_numbers():
    feature = TfIdf.fit([["a", "dog"], ["a", "cat", "a"], ["a"]])
    assert feature.words == ("a", "cat", "dog")
    # Of 3 sentences 3 have "a", 1 "dog": ln(4 / 4) + 1 and ln(4 / 2) + 1.
    np.testing.assert_allclose(feature.idf, [1, np.log(2) + 1, np.log(2) + 1], rtol=1e-6)
    expected = np.array([2, 0, np.log(2) + 1])
    np.testing.assert_allclose(
        feature.transform([["a", "dog", "a", "bird"]])[0],
        expected / np.linalg.norm(expected),
        rtol=1e-6,
    )


def test_features_are_those_of_scikit_learn():
    theirs = TfidfVectorizer(analyzer=lambda sentence: sentence).fit(SENTENCES)
    ours = TfIdf.fit(SENTENCES)
    assert list(ours.words) == list(theirs.get_feature_names_out())
    new = generated_sentences(100, 90, seed=1)
    features = ours.transform(new)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, theirs.transform(new).toarray(), atol=1e-6)


def test_projected_features_keep_the_products_that_matter():
    full = TfIdf.fit(SENTENCES).transform(SENTENCES)
    feature = TfIdf.fit(SENTENCES, dimension=30)
    features = feature.transform(SENTENCES)
    assert features.shape == (300, 30) and feature.dimension == 30
    values = np.linalg.svd(full, compute_uv=False)
    lost = np.square(values[30:]).sum()
    # The best projection on 30 dimensions, to within a hundredth.
    np.testing.assert_allclose(np.square(full).sum() - np.square(features).sum(), lost, rtol=0.01)
    np.testing.assert_array_equal(features, TfIdf.fit(SENTENCES, dimension=30).transform(SENTENCES))


@pytest.mark.parametrize("dimension", [None, 10])
def test_a_sentence_without_known_words_is_zero_and_counted(dimension):
    feature = TfIdf.fit(SENTENCES, dimension=dimension)
    sentences = [[], ["w0"], ["unheard"]]
    features = feature.transform(sentences)
    assert not features[[0, 2]].any() and features[1].any()
    assert feature.count_empty(sentences) == 2
    assert feature.transform([]).shape == (0, feature.dimension)


def test_rare_words_are_left_out():
    feature = TfIdf.fit([["a", "dog", "a"], ["dog", "cat"]], min_count=2)
    assert feature.words == ("a", "dog")


@pytest.mark.parametrize("dimension", [None, 10])
def test_blocks_change_nothing(monkeypatch, dimension):
    feature = TfIdf.fit(SENTENCES, dimension=dimension)
    at_once = feature.transform(SENTENCES)
    monkeypatch.setattr(bag_of_words, "_ROWS", 7)
    np.testing.assert_array_equal(feature.transform(SENTENCES), at_once)


@pytest.mark.parametrize("dimension", [None, 10])
def test_a_file_restores_the_feature_to_the_last_bit(tmp_path, dimension):
    feature = TfIdf.fit(SENTENCES, dimension=dimension)
    feature.save(tmp_path / "feature.npz")
    restored = TfIdf.load(tmp_path / "feature.npz")
    np.testing.assert_array_equal(restored.transform(SENTENCES), feature.transform(SENTENCES))
    assert restored.words == feature.words


@pytest.mark.parametrize(
    ("sentences", "settings", "message"),
    [
        ([["a"]], {"min_count": 2}, "2 times or more.*1 sentences"),
        ([[]], {}, "1 times or more"),
        (SENTENCES, {"dimension": 0}, "from 1 to 80.*dimension=0"),
        (SENTENCES[:5], {"dimension": 6}, "from 1 to 5.*dimension=6"),
    ],
)
def test_settings_out_of_range_are_refused(sentences, settings, message):
    with pytest.raises(ValueError, match=message):
        TfIdf.fit(sentences, **settings)
