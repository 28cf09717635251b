import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.files import write_arrays
from vsa_tf.model_dir.trained_model import load_sentence_feature
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector

SENTENCES = generated_sentences()


@pytest.mark.parametrize(
    "fit",
    [
        lambda: MeanVector.fit(SENTENCES, generated_vectors()),
        lambda: TfIdf.fit(SENTENCES),
        lambda: FisherVector.fit(SENTENCES, generated_vectors(), num_centers=3, dimension=10),
    ],
)
def test_each_feature_is_read_as_what_it_is(tmp_path, fit):
    feature = fit()
    feature.save(tmp_path / "feature.npz")
    restored = load_sentence_feature(tmp_path / "feature.npz")
    assert type(restored) is type(feature)
    features = feature.transform(SENTENCES)
    assert features.shape == (300, feature.dimension) and features.dtype == np.float32
    np.testing.assert_array_equal(restored.transform(SENTENCES), features)


def test_a_file_of_something_else_is_refused(tmp_path):
    write_arrays(tmp_path / "other.npz", "fruit", {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="other.npz to hold a sentence feature.*a fruit"):
        load_sentence_feature(tmp_path / "other.npz")
    with pytest.raises(ValueError, match="other.npz to hold a tf_idf.*a fruit"):
        TfIdf.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        load_sentence_feature(tmp_path / "none.npz")
