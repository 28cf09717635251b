import io

import numpy as np
import pytest
from PIL import Image

from tests.tfrecords_tools.fake_models import FEATURE_SIZE, FakeDetector, FakeEncoder
from vsa_tf.errors import VsaTfError
from vsa_tf.inference import photograph_reader
from vsa_tf.inference.photograph_reader import PhotographReader

_INPUTS = {
    "region_feature_size": FEATURE_SIZE,
    "encoder": FakeEncoder().describe(),
    "detector": FakeDetector().describe(),
}
_PIXELS = {"region_feature_size": 0, "encoder": {"spec": "pixels"}, "detector": {"spec": "none"}}


@pytest.fixture
def photographs(tmp_path):
    """Three files, the second of which is no image."""
    paths = []
    for index in range(3):
        paths.append(tmp_path / f"{index}.png")
        Image.new("RGB", (30, 20), (index * 40, 10, 250)).save(paths[-1])
    paths[1].write_text("no image")
    return paths


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(photograph_reader, "make_encoder", lambda *_: FakeEncoder())
    monkeypatch.setattr(photograph_reader, "make_detector", lambda *_: FakeDetector())
    return PhotographReader(_INPUTS, 0, "fake", "fake", num_regions=4)


def test_a_file_that_is_no_image_is_reported_and_the_others_are_read(reader, photographs):
    ((results, batch),) = reader.batches(photographs)
    assert [path for path, _ in results] == photographs
    assert [reason is None for _, reason in results] == [True, False, True]
    assert "not an image" in results[1][1]
    # FakeEncoder's first number is the mean of all pixels.
    np.testing.assert_allclose(
        batch["region_features"][:, 0, 0], [(0 + 10 + 250) / 3, (80 + 10 + 250) / 3], rtol=1e-3
    )
    assert batch["region_features"].dtype == np.float16


def test_regions_are_the_frame_the_detections_and_padding(reader, photographs):
    ((_, batch),) = reader.batches(photographs[:1])
    np.testing.assert_array_equal(batch["region_mask"], [[True, True, True, False]])
    np.testing.assert_allclose(
        batch["region_boxes"][0], [[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(batch["region_features"][0, :, 4], [0, 1, 2, 0])


def test_a_missing_file_is_reported(reader, tmp_path):
    ((results, batch),) = reader.batches([tmp_path / "none.png"])
    assert results == [(tmp_path / "none.png", "No such file or directory")]
    assert batch is None


def test_files_are_read_in_batches(reader, photographs):
    batches = list(reader.batches(photographs, batch_size=2))
    assert [len(results) for results, _ in batches] == [2, 1]


def test_pixels_are_read_as_training_read_them(photographs):
    from vsa_tf.data.image_input import resized_image

    ((_, batch),) = PhotographReader(_PIXELS, 8).batches(photographs[:1])
    jpeg = io.BytesIO()  # records hold what is no JPEG as one
    Image.open(photographs[0]).save(jpeg, "JPEG", quality=95)
    np.testing.assert_array_equal(batch["images"][0], resized_image(jpeg.getvalue(), 8))
    np.testing.assert_array_equal(batch["region_boxes"], [[[0, 0, 1, 1]]])


def test_another_encoder_than_that_of_the_records_is_refused(monkeypatch):
    monkeypatch.setattr(photograph_reader, "make_encoder", lambda *_: FakeEncoder())
    inputs = {**_INPUTS, "encoder": {"spec": "other", "feature_size": 7}}
    with pytest.raises(VsaTfError, match="expected other.*differs in feature_size"):
        PhotographReader(inputs, 0, "fake")


def test_an_encoder_that_cannot_be_found_by_its_name_is_asked_for():
    with pytest.raises(VsaTfError, match="image_encoder is missing.*fake"):
        PhotographReader(_INPUTS, 0)
