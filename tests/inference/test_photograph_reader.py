import contextlib
import io
import types

import numpy as np
import pytest
from PIL import Image

from tests.tfrecords_tools.fake_models import FEATURE_SIZE, FakeDetector, FakeEncoder
from tfrecords_tools.image_decoding import decode_image
from vsa_tf.data.image_input import resized_image
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference import photograph_reader
from vsa_tf.inference.photograph_reader import PhotographReader

_INPUTS = {
    "region_feature_size": FEATURE_SIZE,
    "encoder": FakeEncoder().describe(),
    "detector": FakeDetector().describe(),
}
_PIXELS = {"region_feature_size": 0, "encoder": {"spec": "pixels"}, "detector": {"spec": "none"}}


def _photograph(index, width=30):
    """Returns a photograph of one colour, `(encoded, image)`."""
    file = io.BytesIO()
    Image.new("RGB", (width, 20), (index * 40, 10, 250)).save(file, "PNG")
    return file.getvalue(), decode_image(file.getvalue())


@pytest.fixture
def reader(monkeypatch):
    monkeypatch.setattr(photograph_reader, "make_encoder", lambda *_, **__: FakeEncoder())
    monkeypatch.setattr(photograph_reader, "make_detector", lambda *_: FakeDetector())
    return PhotographReader(_INPUTS, 0, "fake", "fake", num_regions=4)


@pytest.mark.parametrize("spec", ["proposals", "proposals:boxes.json", "grid,proposals"])
def test_proposals_of_a_data_set_are_of_no_other_photograph(spec):
    with pytest.raises(VsaTfError, match=f"any photograph.*Received: {spec}, which"):
        PhotographReader(_INPUTS, 0, "fake", spec, num_regions=4)


def test_every_photograph_is_a_row(reader):
    batch = reader.batch([_photograph(0), _photograph(2)])
    # FakeEncoder's first number is the mean of all pixels.
    np.testing.assert_allclose(
        batch["region_features"][:, 0, 0], [(0 + 10 + 250) / 3, (80 + 10 + 250) / 3], rtol=1e-3
    )
    assert batch["region_features"].dtype == np.float16


def test_a_photograph_of_features_that_are_not_finite_cannot_be_read(reader):
    # FakeEncoder has none of those 40 wide.
    with pytest.raises(InputError, match="features of it are NaN"):
        reader.batch([_photograph(0), _photograph(2, width=40)])


def test_regions_are_the_frame_the_detections_and_padding(reader):
    batch = reader.batch([_photograph(0)])
    np.testing.assert_array_equal(batch["region_mask"], [[True, True, True, False]])
    np.testing.assert_allclose(
        batch["region_boxes"][0], [[0, 0, 1, 1], [0, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(batch["region_features"][0, :, 4], [0, 1, 2, 0])


def test_given_boxes_take_the_place_of_the_detections(reader):
    boxes = np.float32([[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], *[[0.5, 0.5, 1, 1]] * 3])
    batch = reader.batch([_photograph(0), _photograph(1)], [boxes, boxes[:2]])
    np.testing.assert_array_equal(batch["region_boxes"][0], boxes)
    np.testing.assert_array_equal(batch["region_mask"].sum(axis=1), [6, 2])
    assert batch["region_features"].shape[:2] == (2, 6)


def test_pixels_are_read_as_training_read_them():
    data, image = _photograph(0)
    batch = PhotographReader(_PIXELS, 8).batch([(data, image)])
    jpeg = io.BytesIO()  # records hold what is no JPEG as one
    Image.fromarray(image).save(jpeg, "JPEG", quality=95)
    np.testing.assert_array_equal(batch["images"][0], resized_image(jpeg.getvalue(), 8))
    np.testing.assert_array_equal(batch["region_boxes"], [[[0, 0, 1, 1]]])


def test_another_encoder_than_that_of_the_records_is_refused(monkeypatch):
    monkeypatch.setattr(photograph_reader, "make_encoder", lambda *_, **__: FakeEncoder())
    inputs = {**_INPUTS, "encoder": {"spec": "other", "feature_size": 7}}
    with pytest.raises(
        VsaTfError, match=r"expected other.*differs in feature_size \(\d+, not 7\)$"
    ):
        PhotographReader(inputs, 0, "fake")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["other_name", "grid"], None),
        (["a", "shapes"], "expected a,grid.*: a,shapes, without grid and with shapes$"),
        (["a"], "expected a,grid.*: a, without grid$"),
        (["grid", "a"], "expected a,grid.*: grid,a, joined otherwise$"),
        (["b", "grid"], None),
    ],
)
def test_joined_detectors_are_those_of_the_records_wherever_they_lie(monkeypatch, parts, message):
    sides = {"shapes": 4, "grid": 3}

    def described(names):
        own = [{"spec": name, "sides": sides.get(name, 0)} for name in names]
        return {"spec": ",".join(names), "joined": own}

    monkeypatch.setattr(photograph_reader, "make_encoder", lambda *_, **__: FakeEncoder())
    detector = types.SimpleNamespace(describe=lambda: described(parts))
    monkeypatch.setattr(photograph_reader, "make_detector", lambda *_: detector)
    inputs = {**_INPUTS, "detector": described(["a", "grid"])}
    with pytest.raises(VsaTfError, match=message) if message else contextlib.nullcontext():
        PhotographReader(inputs, 0, "fake", "given", num_regions=4)


def test_an_encoder_that_cannot_be_found_by_its_name_is_asked_for():
    with pytest.raises(VsaTfError, match="image_encoder is missing.*fake"):
        PhotographReader(_INPUTS, 0)
