"""Models of records whose detector gives the features, too: `--image_encoder=detector`."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.inference.saved_operations import foreign_operations
from tests.inference.small_models import make_model_dir, photographs
from tests.tfrecords_tools.model_garden import RETINANET, PyramidDetector, save_module
from tests.tfrecords_tools.program_runs import run_program
from tfrecords_tools import export_detector, write
from tfrecords_tools.detectors import make_detector
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.image_decoding import decode_image
from tfrecords_tools.probes import probe_image
from tfrecords_tools.sources.shape_scenes import ShapeScenes
from vsa_tf.boxes import WHOLE_FRAME, select_regions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.export_model import export_model
from vsa_tf.inference.graph_photographs import GraphEncoder, GraphPhotographs, graph_regions
from vsa_tf.inference.model import open_model
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.settings import Settings
from vsa_tf.training.train_model import train_model

SHORT = {"beam_size": 2, "num_captions": 2, "max_caption_words": 5}


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pyramid")
    return save_module(folder / "detector", PyramidDetector(size=256))


@pytest.fixture(scope="module")
def model_dirs(tmp_path_factory, pyramid):
    """Directories of models of regions and of whole frames, and of one of other records."""
    folder = tmp_path_factory.mktemp("models")
    networks = {"image_encoder": "detector", "detector": pyramid}
    aligner = AlignmentSettings(joint_size=8)
    make_model_dir(folder / "aligner", "alignment", aligner, num_regions=3, **networks)
    captioner = MRnnSettings(feature_normalization="none")
    make_model_dir(folder / "captioner", "m_rnn", captioner, **networks)
    make_model_dir(folder / "pixels", "m_rnn", MRnnSettings(crop_size=16))
    return folder


def scores(model, images):
    return [found.score for found in model.align(images, "a red dog and a circle")]


def graph_differences(detector, encoder, image):
    """Returns how far boxes and features of a graph are from those of the writer."""
    module = GraphEncoder(encoder)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)], autograph=False)
    def run(image):
        boxes = graph_regions(*detector.find(image), 20, 0.5)
        return boxes, module(image, boxes)

    boxes, _ = select_regions(*detector.detect([image], [None])[0])
    (features,) = encoder.encode([image], [boxes])
    given = zip(run(image), (boxes, features), strict=True)
    return [float(np.abs(one - other).max()) for one, other in given], len(boxes)


def test_features_in_a_graph_are_those_of_the_writer(pyramid):
    detector = make_detector(pyramid)
    encoder = make_encoder("detector", detector=detector)
    for shape in ((60, 90), (300, 200)):
        differences, count = graph_differences(detector, encoder, probe_image(*shape))
        assert count == 3 and max(differences) < 1e-5


def test_the_records_own_encoder_is_found_and_its_detector_asked_for(model_dirs, pyramid):
    found = open_model(model_dirs / "aligner", detector=pyramid)
    named = open_model(model_dirs / "aligner", image_encoder="detector", detector=pyramid)
    assert scores(found, photographs(2)) == scores(named, photographs(2))
    with pytest.raises(VsaTfError, match="detector is missing.*give its directory"):
        open_model(model_dirs / "aligner")


def test_the_network_runs_once_an_image_for_boxes_and_features(model_dirs, pyramid):
    model = open_model(model_dirs / "aligner", detector=pyramid)
    runs = model.opened.reader.detector.model.module.num_runs
    before = int(runs.numpy())
    model.align(photographs(4), "a red dog")
    assert int(runs.numpy()) - before == 4


def test_a_model_of_the_frame_alone_reads_it_from_the_detector(model_dirs, pyramid):
    model = open_model(model_dirs / "captioner", detector=pyramid, **SHORT)
    images = photographs(2)
    assert len(model.caption(images)) == 2
    reader = model.opened.reader
    batch = reader.batch([(data, decode_image(data)) for data in images])
    encoder, frame = make_encoder("detector", detector=make_detector(pyramid)), [WHOLE_FRAME] * 2
    expected = np.stack(encoder.encode([decode_image(data) for data in images], frame))
    np.testing.assert_array_equal(batch["region_features"], expected.astype(np.float16))
    received = GraphPhotographs(reader)(tf.constant(images))
    for name, values in batch.items():
        np.testing.assert_allclose(received[name], values, 1e-3, 1e-3)
    with pytest.raises(VsaTfError, match="detector is missing"):
        open_model(model_dirs / "captioner")


@pytest.mark.parametrize(
    ("model_dir", "given", "expected"),
    [("aligner", "pixels", "detector"), ("pixels", "detector", "pixels")],
)
def test_another_encoder_is_refused(model_dirs, pyramid, model_dir, given, expected):
    message = f"image_encoder: expected {expected}, .* Received: {given}"
    with pytest.raises(VsaTfError, match=message):
        open_model(model_dirs / model_dir, image_encoder=given, detector=pyramid)


def test_another_detector_is_refused(model_dirs, tmp_path):
    other = save_module(tmp_path / "detector", PyramidDetector(size=128))
    with pytest.raises(VsaTfError, match="image_encoder.*differs in sha256"):
        open_model(model_dirs / "aligner", detector=other)
    with pytest.raises(VsaTfError, match="export_detector writes it.*detector=grid"):
        open_model(model_dirs / "aligner", detector="grid")


@pytest.fixture(scope="module")
def whole_way(tmp_path_factory):
    """A network of Model Garden, and what is made with it: records, a model, a SavedModel."""
    folder = tmp_path_factory.mktemp("garden")
    with pytest.MonkeyPatch.context() as patch:
        # It takes seconds, and all that is made here loads the network again.
        patch.setattr(tf.saved_model, "load", functools.cache(tf.saved_model.load))
        run_program(
            export_detector,
            "--experiment=retinanet_resnetfpn_coco",
            "--checkpoint=none",
            f"--params_override={json.dumps(RETINANET)}",
            "--score_threshold=0",
            f"--output_dir={folder / 'detector'}",
        )
        run_program(
            write,
            "--dataset=shape_scenes",
            "--num_examples=6,2,4",
            "--image_encoder=detector",
            f"--detector={folder / 'detector'}",
            "--num_regions=5",
            "--num_workers=0",
            f"--output_dir={folder / 'records'}",
        )
        places = {"data_dir": str(folder / "records"), "model_dir": str(folder / "model")}
        sizes = ("joint_size", "hidden_size", "text_hidden_size", "recurrent_size")
        small = {
            **dict.fromkeys(sizes, 4),
            "word_embedding_size": 4,
            "batch_size": 6,
            "num_epochs": 1,
        }
        # The network is in each signature that reads photographs: of this model two, not four.
        train_model(Settings.of("embedding", text="lstm", regions_context=True, **places, **small))
        detector = str(folder / "detector")
        export_model(folder / "model", folder / "served", detector=detector, num_examples=2)
        yield folder


@pytest.fixture(scope="module")
def local(whole_way):
    return open_model(whole_way / "model", detector=str(whole_way / "detector"))


@pytest.fixture(scope="module")
def scenes():
    """Encoded photographs of the split test."""
    return [example.read_image() for example in ShapeScenes(6, 2, 4).examples("test")]


def test_records_hold_what_the_network_says_of_the_photographs(whole_way, local, scenes):
    detector, encoder = local.opened.reader.detector, local.opened.reader.encoder
    split = RecordSplit(whole_way / "records", "test")
    assert split.info.encoder == encoder.describe() and encoder.feature_size == 16
    for row, data in enumerate(scenes):
        image = decode_image(data)
        boxes, _ = select_regions(*detector.detect([image], [None])[0], 5)
        (features,) = encoder.encode([image], [boxes])
        assert len(boxes) == split.region_mask[row].sum() > 1
        np.testing.assert_allclose(
            split.read_region_features([row])[0, : len(boxes)], features, rtol=1e-3, atol=1e-3
        )


def test_features_of_model_gardens_network_are_the_same_in_a_graph(local):
    reader = local.opened.reader
    differences, _ = graph_differences(reader.detector, reader.encoder, probe_image(100, 140))
    assert max(differences) < 1e-5


def test_the_saved_model_answers_as_the_model_by_core_operations(whole_way, local, scenes):
    exported = open_model(whole_way / "served")
    received, expected = (model.score(scenes, "a red circle") for model in (exported, local))
    np.testing.assert_allclose(received, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3
    assert not foreign_operations(exported.opened.path)
