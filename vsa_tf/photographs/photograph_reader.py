"""Image files to the batches that a trained model reads, as its records were made."""

import pathlib

import numpy as np
import tensorflow as tf

from tfrecords_tools.detectors import make_detector
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.image_decoding import ImageError, decode_image, stored_image
from tfrecords_tools.regions import select_regions
from vsa_tf.data.resized_image import resized_image
from vsa_tf.program import ProgramError

# Of the records' own default; the photographs of one batch are held in memory at a time.
_NMS_THRESHOLD = 0.5


class PhotographReader:
    """Decodes image files, finds their regions and computes their features.

    Args:
        inputs: what the model's records were made with, of `TrainedModel.inputs`.
        image_size: side of the images where the model trains a CNN, in pixels.
        image_encoder: spec of the image encoder (`tfrecords_tools.encoders`); empty to take the one
            that the records name, where a name is enough to find it.
        detector: spec of the detector, likewise; None for the whole frame alone.
        num_regions: most regions of an image.

    Raises:
        ProgramError: encoder or detector is not the one of the records, or cannot be used.
    """

    def __init__(self, inputs, image_size, image_encoder="", detector=None, num_regions=1):
        self._inputs = inputs
        self._image_size = image_size
        self._num_regions = num_regions
        recorded = inputs["encoder"]
        size = recorded.get("crop_size") or recorded.get("frame_size") or 0
        try:
            self._encoder = make_encoder(
                image_encoder or _findable(recorded, "image_encoder"),
                recorded.get("region_features", "crop"), size,
            )
            self._detector = make_detector(
                "none" if detector is None else detector or _findable(inputs["detector"], "detector")
            )
        except ValueError as error:
            raise ProgramError(str(error)) from error
        described = {"spec": "pixels"} if self._encoder is None else self._encoder.describe()
        _check_same("image_encoder", recorded, described)
        # Proposals came with the data set: for other photographs any detector will do.
        if detector is not None and not inputs["detector"].get("spec", "").startswith("proposals"):
            _check_same("detector", inputs["detector"], self._detector.describe())

    def batches(self, paths, batch_size=16):
        """Reads image files in order.

        Args:
            paths: sequence of paths.
            batch_size: files of a batch.

        Yields:
            `(results, batch)`: results is a list of `(path, reason)`, reason None for an image that
            was read and else why it was not; batch is a dict as of `InputPipeline.image_batches`,
            with a row for each image that was read, or None if none was.
        """
        for first in range(0, len(paths), batch_size):
            results, photographs = [], []
            for path in paths[first:first + batch_size]:
                try:
                    data = pathlib.Path(path).read_bytes()
                    photographs.append((data, decode_image(data)))
                    results.append((path, None))
                except (OSError, ImageError) as error:
                    results.append((path, getattr(error, "strerror", None) or str(error)))
            yield results, self._batch(photographs) if photographs else None

    def _batch(self, photographs):
        images = [image for _, image in photographs]
        detections = self._detector.detect(images, [None] * len(images))
        boxes = [
            select_regions(*detected, self._num_regions, _NMS_THRESHOLD)[0]
            for detected in detections
        ]
        batch = {
            "region_boxes": _padded(boxes, self._num_regions),
            "region_mask": np.arange(self._num_regions) < np.array([[len(b)] for b in boxes]),
        }
        if self._encoder is None:
            batch["images"] = np.stack([
                resized_image(tf.constant(stored_image(data, image=image)[0]), self._image_size)
                for data, image in photographs
            ])
        else:
            features = self._encoder.encode(images, boxes)
            # As records keep them.
            batch["region_features"] = _padded(features, self._num_regions).astype(np.float16)
        return batch


def _padded(rows, count):
    padded = np.zeros((len(rows), count, rows[0].shape[1]), np.float32)
    for index, row in enumerate(rows):
        padded[index, :len(row)] = row
    return padded


def _findable(recorded, flag):
    """Returns the spec that records name, if it is more than the name of a directory."""
    spec = recorded.get("spec", "")
    if spec in ("pixels", "none", "grid") or spec.startswith("keras:") or "://" in spec:
        return spec
    raise ProgramError(
        f"--{flag} is missing: the model reads what {spec} makes of an image; give its directory"
    )


def _check_same(flag, recorded, given):
    differing = {
        name for name in recorded.keys() | given.keys()
        if name != "spec" and recorded.get(name) != given.get(name)
    }
    if differing:
        raise ProgramError(
            f"--{flag}: expected {recorded.get('spec')}, which the model was trained with. "
            f"Received: {given.get('spec')}, which differs in {', '.join(sorted(differing))}"
        )
