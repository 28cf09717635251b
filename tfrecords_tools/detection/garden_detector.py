"""Detectors of TensorFlow Model Garden as SavedModels that give boxes and their feature pyramid."""

import contextlib
import logging
import os
import re

import tensorflow as tf
from official.core import exp_factory, train_utils
from official.core import export_base as garden_export
from official.modeling import hyperparams
from official.vision import configs
from official.vision.serving import detection

from vsa_tf.errors import meant
from vsa_tf.file_reading import reason_of
from vsa_tf.program import silent


def export_detector(
    experiment,
    checkpoint,
    folder,
    *,
    config_files=(),
    params_override="",
    image_size=(),
    max_detections=100,
    score_threshold=0.01,
    say=silent,
):
    """Writes the SavedModel of a detector.

    Args:
        experiment: Model Garden's name of a RetinaNet, Faster or Mask R-CNN.
        checkpoint: path of a checkpoint, or of a directory of them, whose latest is taken; None:
            random weights.
        folder: directory to write to, str; empty.
        config_files: YAML files of parameters, in their order.
        params_override: more of them, as YAML or JSON in one line.
        image_size: `(height, width)` in pixels; empty for that of the experiment.
        max_detections: most boxes of an image.
        score_threshold: least score of a box.
        say: function that is given a line where a parameter is replaced.

    Returns:
        `(levels, image_size, feature_size)` of the pyramid.

    Raises:
        OSError: it cannot be written.
        ValueError: experiment, parameters or checkpoint cannot be used.
    """
    checkpoint = None if checkpoint is None else _checkpoint_path(checkpoint)
    params = _parameters(experiment, config_files, params_override)
    generator = {
        "apply_nms": True,
        "pre_nms_score_threshold": score_threshold,
        "max_num_detections": max_detections,
    }
    own = params.task.model.detection_generator.as_dict()
    if own["nms_version"] == "v2" and not own.get("use_class_agnostic_nms"):
        # One operation for a loop over classes: the same boxes, in a seventh of the time on a CPU.
        generator["nms_version"] = "batched"
        say("detection_generator: nms_version is batched in place of v2: the same boxes, sooner")
    params.override({"task": {"model": {"detection_generator": generator}}})
    image_size = [*(image_size or params.task.model.input_size[:2])]
    try:
        module = PyramidModule(params=params, batch_size=1, input_image_size=image_size)
    except Exception as error:  # of many types: what does not fit together shows in layers
        raise ValueError(
            f"Expected parameters that make a network of {experiment}. Received: others, where it "
            f"fails: {type(error).__name__}: {reason_of(error)}"
        ) from error
    if checkpoint is not None:
        try:
            weights = tf.train.Checkpoint(model=module.model).read(checkpoint)
            weights.assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            raise ValueError(
                f"Expected a checkpoint of {experiment} with these parameters. Received: "
                f"{checkpoint}: {reason_of(error)}"
            ) from error
    try:
        with _without_warnings():
            garden_export.export(module, ["image_tensor"], folder, timestamped=False)
        train_utils.serialize_config(params, folder)
    except tf.errors.OpError as error:
        raise OSError(f"The SavedModel cannot be written: {reason_of(error)}") from error
    return module.levels, image_size, module.feature_size


@contextlib.contextmanager
def _without_warnings():
    """Without those of layers that are saved as functions alone, which is all that is asked."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class PyramidModule(detection.DetectionModule):
    """Model Garden's module of a detector, with its feature pyramid among the outputs.

    Model Garden's own gives it of RetinaNet alone, with the backbone's maps that nobody reads.

    Attributes:
        levels, feature_size: of the pyramid, once it was traced.
    """

    def serve(self, images):
        """Returns normalised boxes, scores, classes, their number, `image_info` and the maps.

        Args:
            images: uint8 `[1, h, w, 3]`.
        """
        images, anchor_boxes, image_info = self.preprocess(images)
        of_retinanet = isinstance(self.params.task.model, configs.retinanet.RetinaNet)
        found = self.model.call(
            images=images,
            image_shape=image_info[:, 1, :],
            anchor_boxes=anchor_boxes,
            training=False,
            **({"output_intermediate_features": True} if of_retinanet else {}),
        )
        if of_retinanet:
            maps = {name: value for name, value in found.items() if name.startswith("decoder_")}
        else:
            maps = {f"decoder_{level}": value for level, value in found["decoder_features"].items()}
        self.levels = sorted(int(name.removeprefix("decoder_")) for name in maps)
        self.feature_size = next(iter(maps.values())).shape[-1]
        found = self._normalize_coordinates(found, ["detection_boxes"], image_info)
        kept = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
        return {**{name: found[name] for name in kept}, **maps, "image_info": image_info}


def _parameters(experiment, config_files, params_override):
    try:
        params = exp_factory.get_exp_config(experiment)
    except LookupError as error:
        raise ValueError(
            "Expected --experiment of a RetinaNet, Faster or Mask R-CNN of Model Garden. Received: "
            f"{experiment!r}{meant(experiment, _experiments(), otherwise='')}"
        ) from error
    if not isinstance(
        params.task, (configs.retinanet.RetinaNetTask, configs.maskrcnn.MaskRCNNTask)
    ):
        raise ValueError(
            "Expected --experiment of a RetinaNet, Faster or Mask R-CNN. Received: "
            f"{experiment!r}, a {type(params.task).__name__}"
        )
    where = ""
    try:
        for changes in (*config_files, params_override):
            where = f"{changes}: " if changes in config_files else ""
            if changes:
                params = hyperparams.override_params_dict(params, changes, is_strict=True)
        params.validate()
    except Exception as error:  # of many types: YAML, keys, values
        raise ValueError(
            f"Expected parameters of {experiment}. Received: {where}{reason_of(error)}"
        ) from error
    return params


def _experiments():
    """Returns the names of Model Garden's detectors, which it lists in this table alone."""
    return [name for name in exp_factory._REGISTERED_CONFIGS if "rcnn" in name or "retina" in name]


def _checkpoint_path(checkpoint):
    """Returns the path that a checkpoint is read by, given by a file's name or a directory."""
    found = tf.io.gfile.glob(os.path.join(checkpoint, "*.index"))
    # One that was downloaded or copied comes without the list that a training keeps.
    path = tf.train.latest_checkpoint(checkpoint) or (found[0] if len(found) == 1 else checkpoint)
    path = re.sub(r"\.(index|data-\d+-of-\d+)$", "", path)
    if tf.io.gfile.exists(f"{path}.index"):
        return path
    advice = ""
    if found:
        names = ", ".join(sorted(name.removesuffix(".index") for name in found))
        advice = f", without the file 'checkpoint' that says which is the latest; give one: {names}"
    elif os.path.isfile(checkpoint):
        advice = ", a file: unpack it where it is packed, and give the directory"
    raise ValueError(
        f"Expected a checkpoint, or a directory of them. Received: {checkpoint!r}{advice}"
    )
