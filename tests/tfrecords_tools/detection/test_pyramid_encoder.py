"""Features from a detector's own pass, `--image_encoder=detector`, in the writer."""

import threading

import numpy as np
import pytest

from tests.tfrecords_tools.mini_flickr8k import jpeg
from tests.tfrecords_tools.model_garden import PyramidDetector, save_detector, save_module
from tests.tfrecords_tools.program_runs import run_program
from tfrecords_tools import write
from tfrecords_tools.detection.saved_model_detector import PyramidEncoder
from tfrecords_tools.detectors import make_detector
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.image_decoding import decode_image
from tfrecords_tools.probes import probe_image
from tfrecords_tools.shard_writer import ShardWriter
from tfrecords_tools.sources.source import SourceExample
from tfrecords_tools.write_settings import WriteSettings
from vsa_tf.boxes import WHOLE_FRAME, select_regions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.schema import AnnotatedBox
from vsa_tf.errors import VsaTfError

LEVELS = (2, 3, 4)
SETTINGS = WriteSettings(image_encoder="detector", num_regions=3)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return save_module(tmp_path_factory.mktemp("pyramid") / "detector", PyramidDetector(LEVELS))


@pytest.fixture
def detector(directory):
    return make_detector(directory)


@pytest.fixture
def encoder(detector):
    return make_encoder("detector", detector=detector)


def test_a_detector_that_is_given_as_the_encoder_is_told_with_how_to_give_it(directory):
    with pytest.raises(ValueError, match="It is a detector: give it as --detector=") as caught:
        make_encoder(str(directory))
    expected = f"--detector={directory}, and its own features as --image_encoder=detector"
    assert str(caught.value).endswith(expected)


def num_runs(detector):
    return int(detector.model.module.num_runs.numpy())


def random_boxes(count, seed=0):
    corners = np.sort(np.random.default_rng(seed).random((count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype(np.float32)


def region_average(maps, box):
    """The average of RoIAlign's 7 x 7 points of a region: Lin et al. 2017, equation 1, by loops.

    Args:
        maps: `{level: float [h, w, D]}`.
        box: in pixels of the image as the network sees it.
    """
    size = np.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    level = int(np.clip(np.floor(4 + np.log2(size / 224)), min(maps), max(maps)))
    ymin, xmin, ymax, xmax = np.float64(box) / 2**level
    values = maps[level]
    points = []
    for row in range(7):
        for column in range(7):
            y = min(ymin + (row + 0.5) / 7 * (ymax - ymin), values.shape[0] - 1)
            x = min(xmin + (column + 0.5) / 7 * (xmax - xmin), values.shape[1] - 1)
            top, left = int(y), int(x)
            bottom, right = (
                min(edge + 1, side - 1) for edge, side in zip((top, left), values.shape)
            )
            y, x = y - top, x - left
            points.append(
                (values[top, left] * (1 - x) + values[top, right] * x) * (1 - y)
                + (values[bottom, left] * (1 - x) + values[bottom, right] * x) * y
            )
    return np.mean(points, axis=0), level


@pytest.mark.parametrize("shape", [(90, 120), (500, 200)])
def test_a_region_is_averaged_over_the_level_of_its_size(detector, encoder, shape):
    image, boxes = probe_image(*shape), np.concatenate([WHOLE_FRAME, random_boxes(40)])
    (features,) = encoder.encode([image], [boxes])
    outputs = detector.outputs(image)
    maps = {level: outputs[f"decoder_{level}"][0].numpy() for level in LEVELS}
    # 512 pixels on the longer side, the other as long in proportion.
    pixels = boxes * np.tile(shape, 2) * 512 / max(shape)
    averages, levels = zip(*(region_average(maps, box) for box in pixels))
    assert set(levels) == set(LEVELS)
    np.testing.assert_allclose(features, averages, rtol=1e-4, atol=1e-5)
    assert encoder.feature_size == features.shape[1] == 4


def test_it_is_described_by_the_detectors_bytes_and_the_levels(detector, encoder):
    assert encoder.describe() == {
        "spec": "detector",
        "sha256": detector.describe()["sha256"],
        "feature_size": 4,
        "region_features": "pyramid",
        "levels": [2, 3, 4],
    }


@pytest.mark.parametrize(
    ("module", "received"),
    [
        (PyramidDetector((3, 5)), "'decoder_5'"),
        (PyramidDetector(of_known_size=False), r"'decoder_2': '\(1, None, None, 4\)'"),
        (PyramidDetector(left_out="image_info"), "'num_detections'"),
        (PyramidDetector(()), "'image_info'"),
    ],
)
def test_another_pyramid_is_refused(tmp_path, module, received):
    detector = make_detector(save_module(tmp_path / "mine", module))
    with pytest.raises(ValueError, match=f"export_detector.*--detector=mine with .*{received}"):
        make_encoder("detector", detector=detector)


@pytest.mark.parametrize("spec", ["grid", "none", "shapes"])
def test_a_detector_without_a_network_has_no_features(spec):
    with pytest.raises(ValueError, match=f"--detector={spec} with"):
        make_encoder("detector", detector=make_detector(spec))


@pytest.mark.parametrize(
    "detector", ["none", "grid", "proposals", "selective_search", "proposals:x", "/absent,grid"]
)
def test_the_program_refuses_them_before_anything_is_loaded(tmp_path, detector):
    with pytest.raises(VsaTfError, match=f"export_detector has written.* detector={detector}$"):
        run_program(
            write,
            "--dataset=shape_scenes",
            "--image_encoder=detector",
            f"--detector={detector}",
            f"--output_dir={tmp_path / 'out'}",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes", [{"region_features": "pool"}, {"crop_size": 64}, {"encoder_input": "imagenet"}]
)
def test_settings_of_other_encoders_are_refused(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"Received: .*--{name}={changes[name]}"):
        WriteSettings(image_encoder="detector", **changes)


def examples(count):
    """Photographs of different sizes, the same for the same count."""
    box = AnnotatedBox("1", (0.25, 0.25, 0.75, 1.0))
    return [
        SourceExample(
            f"{number}",
            f"{number}.jpg",
            ("A dog .",),
            lambda number=number: jpeg(seed=number),
            objects=(box,) if number % 2 else (),
        )
        for number in range(count)
    ]


@pytest.fixture
def written(detector, encoder, tmp_path):
    """Writes photographs; returns `(features of regions, features of chains)` of each record."""

    def written(count, settings=SETTINGS):
        writer = ShardWriter(settings, lambda _: (detector, encoder))
        before = num_runs(detector)
        note = writer.write(str(tmp_path / "shard"), examples(count))
        assert note["num_records"] == count
        return num_runs(detector) - before, records(tmp_path / "shard")

    return written


def records(path):
    import tensorflow as tf

    found = []
    for data in tf.data.TFRecordDataset(str(path)):
        values = tf.train.Example.FromString(data.numpy()).features.feature
        found.append(
            [
                np.frombuffer(b"".join(values[key].bytes_list.value), "<f2").reshape(-1, 4)
                for key in ("image/region/feature", "image/object/chain_feature")
            ]
        )
    return found


def test_the_network_runs_once_an_image_in_the_writer(written):
    runs, found = written(21)  # more than are looked at together
    assert (runs, len(found)) == (21, 21)


def test_records_hold_the_features_of_their_own_image_and_boxes(directory, written):
    _, found = written(5, WriteSettings(image_encoder="detector", object_features=True))
    alone = make_detector(directory)
    encoder = PyramidEncoder(alone)
    for example, (regions, chains) in zip(examples(5), found, strict=True):
        image = decode_image(example.read_image())
        boxes, _ = select_regions(*alone.detect([image], [None])[0])
        np.testing.assert_array_equal(
            regions, encoder.encode([image], [boxes])[0].astype(np.float16)
        )
        marked = np.float32([item.box for item in example.objects]).reshape(-1, 4)
        np.testing.assert_array_equal(
            chains, encoder.encode([image], [marked])[0].astype(np.float16)
        )


def test_other_threads_do_not_make_it_forget(detector, encoder):
    mine = probe_image(60, 80)
    others = [probe_image(40, 40, seed) for seed in range(20)]
    before = num_runs(detector)
    detector.detect([mine], [None])
    other = threading.Thread(target=lambda: detector.detect(others, [None] * 20))
    other.start()
    other.join()
    encoder.encode([mine], [WHOLE_FRAME])
    assert num_runs(detector) - before == 21


def test_a_detector_alone_remembers_nothing(directory):
    detector = make_detector(directory)
    image, before = probe_image(60, 80), num_runs(detector)
    detector.detect([image, image], [None] * 2)
    assert num_runs(detector) - before == 2


def test_an_export_without_a_pyramid_still_detects(tmp_path):
    detector = make_detector(save_detector(tmp_path / "detector"))
    assert len(detector.detect([probe_image(60, 80)], [None])[0][0]) == 2


def test_the_program_writes_them(directory, tmp_path):
    run_program(
        write,
        "--dataset=shape_scenes",
        "--num_examples=4,2,2",
        "--image_encoder=detector",
        f"--detector={directory}",
        f"--output_dir={tmp_path / 'out'}",
        "--num_workers=0",
    )
    split = RecordSplit(tmp_path / "out", "train")
    assert split.info.encoder["region_features"] == "pyramid" and split.info.num_regions == 3
    assert split.read_region_features([0, 1, 2, 3]).shape == (4, 3, 4)
