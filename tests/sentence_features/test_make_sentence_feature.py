import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.files import write_arrays
from vsa_tf.sentence_features.make_sentence_feature import (
    SENTENCE_FEATURES,
    load_sentence_feature,
    make_sentence_feature,
)

SENTENCES = generated_sentences()


@pytest.mark.parametrize("name", SENTENCE_FEATURES)
def test_each_feature_is_made_and_read_by_its_name(tmp_path, name):
    settings = {"num_centers": 3, "dimension": 10} if name == "hglmm" else {}
    feature = make_sentence_feature(name, SENTENCES, generated_vectors(), **settings)
    feature.save(tmp_path / "feature.npz")
    restored = load_sentence_feature(tmp_path / "feature.npz")
    assert type(restored) is SENTENCE_FEATURES[name]
    features = feature.transform(SENTENCES)
    assert features.shape == (300, feature.dimension) and features.dtype == np.float32
    np.testing.assert_array_equal(restored.transform(SENTENCES), features)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="'mean_vector', 'tf_idf', 'hglmm'.*'lstm'"):
        make_sentence_feature("lstm", SENTENCES)


def test_missing_word_vectors_are_refused():
    with pytest.raises(ValueError, match="word vectors for mean_vector"):
        make_sentence_feature("mean_vector", SENTENCES)


def test_a_file_of_something_else_is_refused(tmp_path):
    write_arrays(tmp_path / "other.npz", "fruit", {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="other.npz to hold a sentence feature.*a fruit"):
        load_sentence_feature(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="other.npz to hold a tf_idf.*a fruit"):
        SENTENCE_FEATURES["tf_idf"].load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        load_sentence_feature(tmp_path / "none.npz")
