import types

import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences, generated_vectors
from vsa_tf.errors import VsaTfError
from vsa_tf.files import write_arrays
from vsa_tf.model_dir.trained_model import TrainedModel, load_sentence_feature
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


def _check(**values):
    """Checks records against a model that has learnt from 20 regions; returns what is said."""
    encoder = {"spec": "cnn", "sha256": "0f1e", "crop_size": 0, "region_features": "both"}
    inputs = {"num_regions": 20, "region_feature_size": 8, "encoder": encoder}
    received = {"data_dir": "data/a", **inputs, **values}
    received["encoder"] = encoder | received["encoder"]
    lines = []
    TrainedModel.check_records(
        types.SimpleNamespace(inputs=inputs),
        types.SimpleNamespace(info=types.SimpleNamespace(**received)),
        lines.append,
    )
    return lines


def test_of_records_with_other_features_what_differs_is_named_and_nothing_else():
    message = r"Received: data/a with 8 of cnn, which differ in crop_size \(64, not 0\), "
    message += r"region_features \(crop, not both\), sha256$"
    with pytest.raises(VsaTfError, match=message):
        _check(encoder={"crop_size": 64, "region_features": "crop", "sha256": "beef"})
    with pytest.raises(VsaTfError, match="with 8 of cnn, which differ in sha256$"):
        _check(encoder={"sha256": "beef"})
    with pytest.raises(VsaTfError, match="8 numbers of cnn. Received: data/a with 4 of vit$"):
        _check(encoder={"spec": "vit"}, region_feature_size=4)


def test_records_of_fewer_regions_are_told():
    assert _check() == _check(num_regions=30) == []
    said = "data/a holds 10 regions of an image, fewer than the 20 that the model was trained on"
    assert _check(num_regions=10) == [said]
