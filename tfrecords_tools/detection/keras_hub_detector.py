"""Object detectors of Keras Hub: RetinaNet and D-FINE."""

import keras
import numpy as np
from keras import ops

from tfrecords_tools.encoding.keras_networks import compiled, weights_checksum
from tfrecords_tools.probes import probe_image
from vsa_tf.model_handles import import_keras_hub, load_preset, recorded_spec

# As many of the best boxes as detectors keep before they suppress the lesser of two: the writer
# and the exported model do that with these.
_MOST_BOXES = 1000


class KerasHubDetector:
    """A detector of a preset, whose boxes are decoded as its task decodes them.

    All boxes count, by the score of their best class: the task's own decoder drops those that are
    less likely than not, of which a photograph may have no other.

    Args:
        preset: a name or a directory.

    Raises:
        ValueError: it is not there, or is no detector.
    """

    def __init__(self, preset):
        self.name = recorded_spec(f"keras_hub:{preset}")
        keras_hub = import_keras_hub(self.name)
        try:
            # First the converter, which is small.
            converter = load_preset(keras_hub.layers.ImageConverter, preset)
            task = load_preset(keras_hub.models.ObjectDetector, preset, dtype="float32")
        except ValueError as error:
            raise ValueError(f"Expected --detector of an object detector. {error}") from error
        if converter.image_size is None:
            raise ValueError(
                "Expected a detector whose image converter has an image_size. Received: "
                f"{self.name}, which has none"
            )
        # The decoder gets boxes of D-FINE as yxyx, whatever the task's own format.
        is_d_fine = isinstance(task, keras_hub.models.DFineObjectDetector)
        self._format = "yxyx" if is_d_fine else task.bounding_box_format
        self._from_logits = task.prediction_decoder.from_logits
        task.prediction_decoder = _AllBoxes(task.bounding_box_format)
        self._task, self._converter = task, converter
        self._run = compiled(self.find, (None, None, 3))
        self.detect([probe_image(96, 144)], [None])

    @property
    def tracked(self):
        # Plain variables: the SavedModel shall not know of Keras.
        return [variable.value for variable in self._task.variables]

    def describe(self):
        return {"spec": self.name, "sha256": weights_checksum(self._task)}

    def detect(self, images, examples):
        return [tuple(map(ops.convert_to_numpy, self._run(image))) for image in images]

    def find(self, image):
        """Returns `(boxes float32 [K, 4], scores float32 [K])` of uint8 `[h, w, 3]`, tensors."""
        pixels = self._pixels(ops.convert_to_tensor(image)[None])
        decoded = self._task.decode_predictions(self._task(pixels, training=False), pixels)
        boxes = keras.utils.bounding_boxes.convert_format(
            ops.cast(decoded["boxes"], "float32"),
            source=self._format,
            target="rel_yxyx",
            height=pixels.shape[1],
            width=pixels.shape[2],
        )
        scores = ops.max(decoded["scores"][0], axis=-1)
        if self._from_logits:
            scores = ops.sigmoid(scores)
        scores, best = ops.top_k(scores, min(_MOST_BOXES, scores.shape[0]))
        return self._in_frame(ops.take(boxes[0], best, axis=0), image), scores

    def _pixels(self, images):
        converter = self._converter
        # Not as whole numbers, which it pads only where it need not.
        pixels = converter.resizing(ops.cast(images, "float32"))
        for value, combine in ((converter.scale, ops.multiply), (converter.offset, ops.add)):
            if value is not None:
                pixels = combine(pixels, np.asarray(value, np.float32))
        return pixels

    def _in_frame(self, boxes, image):
        """Boxes in shares of what the network saw, to shares of the image.

        It saw all of it, or of the aspect ratio that the converter keeps the largest part in the
        middle, or all of it in the middle of a smallest frame; in whole pixels, as Keras resizes.
        """
        converter = self._converter
        if not (converter.crop_to_aspect_ratio or converter.pad_to_aspect_ratio):
            return boxes
        shape = ops.cast(ops.shape(image)[:2], "float32")
        target_height, target_width = converter.image_size
        other = ops.stack(
            [
                ops.floor(shape[1] * target_height / target_width),
                ops.floor(shape[0] * target_width / target_height),
            ]
        )
        if converter.crop_to_aspect_ratio:
            seen = ops.maximum(ops.minimum(shape, other), 1.0)
            first = ops.floor((shape - seen) / 2)
        else:
            # The same on both sides, one pixel less where that is not whole.
            first = -ops.floor((ops.maximum(shape, other) - shape) / 2)
            seen = shape - 2 * first
        seen, first = ops.tile(seen, 2), ops.tile(first, 2)
        return (boxes * seen + first) / ops.tile(shape, 2)


class _AllBoxes(keras.layers.Layer):
    """In the place of a task's decoder of predictions: keeps all boxes and scores."""

    def __init__(self, bounding_box_format):
        super().__init__(name="all_boxes")
        self.bounding_box_format = bounding_box_format

    def call(self, boxes, scores, images=None):
        return {"boxes": boxes, "scores": scores}
