"""Detectors with the outputs of Model Garden's exports."""

import numpy as np
import tensorflow as tf

# Of every image, in shares of it, and one row of padding.
BOXES = np.float32([[0.1, 0.2, 0.5, 0.9], [0.25, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
SCORES = np.float32([0.9, 0.8, 0.0])
_RESIZED = 640.0
# Parameters of networks of few layers, for images of 128 pixels.
_SMALL = {
    "num_classes": 4,
    "input_size": [128, 128, 3],
    "min_level": 3,
    "max_level": 4,
    "backbone": {"type": "resnet", "resnet": {"model_id": 10, "depth_multiplier": 0.25}},
    "decoder": {"type": "fpn", "fpn": {"num_filters": 16}},
}
_HEAD = {"num_convs": 1, "num_filters": 16}
RETINANET = {"task": {"model": {**_SMALL, "head": _HEAD}}}
FASTER_RCNN = {
    "task": {
        "model": {
            **_SMALL,
            "include_mask": False,
            "rpn_head": _HEAD,
            "detection_head": {**_HEAD, "num_fcs": 1, "fc_dims": 32},
        }
    }
}


class ModelGardenDetector(tf.Module):
    """The outputs of Model Garden's `DetectionModule.serve`, whose form was read in its source.

    Boxes lie in the image as it was resized, its aspect ratio kept, and padded;
    `output_normalized_coordinates` divides them by scale and size, and cuts them off.
    """

    def __init__(self, normalized=False, with_info=True):
        super().__init__()
        self.normalized, self.with_info = normalized, with_info

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, name="inputs")])
    def serve(self, inputs):
        size = tf.cast(tf.shape(inputs)[1:3], tf.float32)
        scale = tf.fill([2], _RESIZED / tf.reduce_max(size))
        image_info = tf.stack([size, [_RESIZED, _RESIZED], scale, [0.0, 0.0]])
        boxes = BOXES * tf.tile(size * scale, [2])
        if self.normalized:
            boxes = tf.clip_by_value(boxes / tf.tile(scale, [2]) / tf.tile(size, [2]), 0.0, 1.0)
        outputs = {
            "detection_boxes": boxes[None],
            "detection_scores": tf.constant(SCORES[None]),
            "detection_classes": tf.constant([[1.0, 2.0, 0.0]]),
            "num_detections": tf.constant([2]),
        }
        return outputs | ({"image_info": image_info[None]} if self.with_info else {})


class PyramidDetector(tf.Module):
    """As `tfrecords_tools.export_detector` writes one: normalised boxes and a feature pyramid.

    Args:
        levels: of the pyramid.
        size: pixels that images are fitted into.
        of_known_size: whether the maps say how large they are.
        left_out: name of an output that is not there.

    Attributes:
        num_runs: variable, how often it ran.
    """

    def __init__(self, levels=(2, 3, 4), size=512, of_known_size=True, left_out=""):
        super().__init__()
        self.levels, self.size, self.of_known_size = levels, size, of_known_size
        self.left_out = left_out
        self.kernel = tf.Variable(tf.random.stateless_normal([3, 4], [0, 1]) / 255.0)
        self.num_runs = tf.Variable(0)

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8, name="inputs")])
    def serve(self, inputs):
        self.num_runs.assign_add(1)
        size = tf.cast(tf.shape(inputs)[1:3], tf.float32)
        scale = tf.fill([2], self.size / tf.reduce_max(size))
        fitted = tf.image.resize(inputs, tf.cast(tf.round(size * scale), tf.int32))
        image = tf.image.pad_to_bounding_box(fitted, 0, 0, self.size, self.size)
        maps = {f"decoder_{level}": self._map(image, level) for level in self.levels}
        color = tf.reduce_mean(fitted) / 255.0
        outputs = {
            "detection_boxes": BOXES[None] * (0.5 + 0.5 * color),
            "detection_scores": tf.constant(SCORES[None]),
            "num_detections": tf.constant([2]),
            "image_info": tf.stack([size, [self.size, self.size], scale, [0.0, 0.0]])[None],
            **maps,
        }
        return {name: value for name, value in outputs.items() if name != self.left_out}

    def _map(self, image, level):
        values = tf.nn.avg_pool2d(image, 2**level, 2**level, "VALID") @ self.kernel + level
        if self.of_known_size:
            return values
        return tf.compat.v1.placeholder_with_default(values, [1, None, None, 4])


def save_detector(path, *arguments):
    """Writes a `ModelGardenDetector` of `arguments`; returns its directory."""
    return save_module(path, ModelGardenDetector(*arguments))


def save_module(path, module):
    """Writes a detector; returns its directory."""
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return str(path)
