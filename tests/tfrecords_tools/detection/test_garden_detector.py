"""`tfrecords_tools.export_detector`: what it makes of Model Garden's networks, and refuses."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tests.tfrecords_tools.model_garden import FASTER_RCNN, RETINANET
from tests.tfrecords_tools.program_runs import run_program
from tfrecords_tools import export_detector
from tfrecords_tools.detection import garden_detector
from tfrecords_tools.detection.garden_detector import PyramidModule
from vsa_tf.errors import VsaTfError

SMALL = json.dumps(RETINANET)
NO_LEVELS = json.dumps({"task": {"model": {**RETINANET["task"]["model"], "max_level": 2}}})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of another network: twice as many filters."""
    folder = tmp_path_factory.mktemp("checkpoints")
    wider = {"type": "resnet", "resnet": {"model_id": 10, "depth_multiplier": 0.5}}
    model = {**RETINANET["task"]["model"], "backbone": wider}
    tf.train.Checkpoint(model=make_module({"task": {"model": model}}).model).save(folder / "ckpt")
    return folder


@pytest.fixture(scope="module")
def own_checkpoint(tmp_path_factory):
    """A checkpoint of the small network."""
    folder = tmp_path_factory.mktemp("own")
    tf.train.Checkpoint(model=make_module(RETINANET).model).save(folder / "ckpt")
    return folder


def make_module(changes, experiment="retinanet_resnetfpn_coco"):
    params = garden_detector.exp_factory.get_exp_config(experiment)
    params.override(changes)
    return PyramidModule(params=params, batch_size=1, input_image_size=[128, 128])


def run(folder, *arguments, experiment="retinanet_resnetfpn_coco", checkpoint="none"):
    run_program(
        export_detector,
        f"--experiment={experiment}",
        f"--checkpoint={checkpoint}",
        f"--output_dir={folder / 'out'}",
        *arguments,
    )


def test_a_faster_rcnn_gives_normalised_boxes_and_its_pyramid():
    module = make_module(FASTER_RCNN, "fasterrcnn_resnetfpn_coco")
    image = np.random.default_rng(0).integers(0, 256, (1, 60, 100, 3)).astype(np.uint8)
    outputs = module.serve(tf.constant(image))
    assert (module.levels, module.feature_size) == ([3, 4], 16)
    assert outputs["decoder_3"].shape == (1, 16, 16, 16)
    assert outputs["decoder_4"].shape == (1, 8, 8, 16)
    boxes = outputs["detection_boxes"].numpy()[0, : int(outputs["num_detections"][0])]
    assert len(boxes) and boxes.min() >= 0 and boxes.max() <= 1
    # 60 x 100 pixels in 128 x 128: they become 77 x 128, the higher side rounded.
    info = [[60, 100], [128, 128], [77 / 60, 1.28], [0, 0]]
    np.testing.assert_allclose(outputs["image_info"][0], info)
    assert set(outputs) == {
        *("detection_boxes", "detection_scores", "detection_classes", "num_detections"),
        *("decoder_3", "decoder_4", "image_info"),
    }


@pytest.mark.parametrize(
    ("experiment", "override", "received"),
    [
        ("absent", SMALL, "Faster or Mask R-CNN of Model Garden. Received: 'absent'$"),
        ("retinanet_resnetfpn", SMALL, "'. Did you mean retinanet_resnetfpn_coco[?]"),
        (
            "image_classification",
            SMALL,
            "Faster or Mask R-CNN. Received: .*ImageClassificationTask",
        ),
        ("retinanet", "task: {model: {filters: 3}}", "of retinanet. Received: .*key 'filters'"),
        ("retinanet", "task: [", "parameters of retinanet. Received: while parsing"),
        ("retinanet", "absent.yaml", "parameters of retinanet. Received: absent.yaml"),
        ("retinanet", "task: {model: {decoder: {type: x}}}", "retinanet. Received: type: 'x' is"),
        ("retinanet", NO_LEVELS, "make a network of retinanet"),
    ],
)
def test_what_is_no_network_of_a_detector_is_one_line(tmp_path, experiment, override, received):
    with pytest.raises(VsaTfError, match=received) as refused:
        run(tmp_path, f"--params_override={override}", experiment=experiment)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_network_is_refused(tmp_path, checkpoint):
    message = "checkpoint of retinanet_resnetfpn_coco with these parameters. Received: .*shape"
    with pytest.raises(VsaTfError, match=message):
        run(tmp_path, f"--params_override={SMALL}", checkpoint=checkpoint)
    (path,) = checkpoint.glob("*.index")
    path.write_bytes(b"x" * 100)
    with pytest.raises(VsaTfError, match=f"with these parameters. Received: {checkpoint}"):
        run(tmp_path, f"--params_override={SMALL}", checkpoint=checkpoint)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_where_the_disk_is_full_nothing_is_left_and_nothing_else_is_blamed(
    tmp_path, own_checkpoint, has_checkpoint, monkeypatch, capsys
):
    def save(module, folder, *_, **__):
        tf.io.gfile.makedirs(f"{folder}/variables")
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(VsaTfError, match="SavedModel cannot be written: No space left") as refused:
        checkpoint = own_checkpoint if has_checkpoint else "none"
        run(tmp_path, f"--params_override={SMALL}", checkpoint=checkpoint)
    assert "checkpoint" not in str(refused.value)
    assert not list(tmp_path.iterdir())
    assert "nms_version is batched in place of v2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (["--image_size=640"], "image_size=HEIGHT,WIDTH in pixels. Received: 640"),
        (["--image_size=640,x"], "Received: 640,x"),
        (["--config_file=absent.yaml"], "absent.yaml is not a file"),
        (["--config_file=README.md"], "Expected parameters of retina.* Received: README.md: "),
        (["--checkpoint=absent"], "checkpoint, or a directory of them. Received: 'absent'"),
    ],
)
def test_wrong_flags_are_one_line(tmp_path, arguments, received):
    with pytest.raises(VsaTfError, match=received):
        run(tmp_path, *arguments)


def test_a_checkpoint_is_found_as_downloads_come(tmp_path, own_checkpoint):
    (index,) = own_checkpoint.glob("*.index")
    ckpt = str(index.with_suffix(""))
    find = garden_detector._checkpoint_path
    (part,) = own_checkpoint.glob("*.data-*")
    for given in (own_checkpoint, ckpt, index, part):
        assert find(str(given)) == ckpt
    # Without the list that a training keeps: the only one, and of several none unasked.
    shutil.copy(index, tmp_path / "a.index")
    assert find(str(tmp_path)) == str(tmp_path / "a")
    shutil.copy(index, tmp_path / "b.index")
    with pytest.raises(ValueError, match=f"give one: {tmp_path}/a, {tmp_path}/b$"):
        find(str(tmp_path))
    (tmp_path / "net.tar.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="net.tar.gz', a file: unpack it"):
        find(str(tmp_path / "net.tar.gz"))


def test_a_directory_that_holds_something_is_left_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    with pytest.raises(VsaTfError, match="a directory that is empty or not there. Received: .*out"):
        run(tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_what_must_be_given_is_named():
    with pytest.raises(VsaTfError, match="experiment.*checkpoint.*output_dir"):
        run_program(export_detector)
