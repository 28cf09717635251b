"""A detector with the outputs of Model Garden's exports."""

import numpy as np
import tensorflow as tf

# Of every image, in shares of it, and one row of padding.
BOXES = np.float32([[0.1, 0.2, 0.5, 0.9], [0.25, 0.0, 1.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
SCORES = np.float32([0.9, 0.8, 0.0])
_RESIZED = 640.0


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


def save_detector(path, *arguments):
    """Writes a `ModelGardenDetector` of `arguments`; returns its directory."""
    module = ModelGardenDetector(*arguments)
    tf.saved_model.save(module, str(path), signatures=module.serve)
    return str(path)
