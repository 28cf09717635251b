"""Image files to the batches that a trained model reads, as its records were made."""

import numpy as np
import tensorflow as tf

from tfrecords_tools.detectors import make_detector
from tfrecords_tools.encoders import make_encoder
from tfrecords_tools.image_decoding import stored_image
from vsa_tf.boxes import select_regions
from vsa_tf.data.image_input import resized_image
from vsa_tf.errors import InputError, VsaTfError, differences
from vsa_tf.model_handles import NAMES, is_findable, joined_specs

# Of the records' own default.
NMS_THRESHOLD = 0.5


class PhotographReader:
    """Decodes image files, finds their regions and computes their features.

    Args:
        inputs: what the model's records were made with, of `TrainedModel.inputs`.
        image_size: side of the images where the model trains a CNN, in pixels.
        image_encoder: spec of the image encoder (`tfrecords_tools.encoders`); empty to take the one
            that the records name, where a name is enough to find it.
        detector: spec of the detector, likewise; read only where there are more regions than the
            whole frame, or where it is the encoder, too.
        num_regions: most regions of an image.

    Attributes:
        encoder, detector: as `make_encoder` and `make_detector` return them.
        image_size, num_regions: as above.

    Raises:
        VsaTfError: encoder or detector is not the one of the records, or cannot be used.
    """

    def __init__(self, inputs, image_size, image_encoder="", detector="", num_regions=1):
        self._inputs = inputs
        self.image_size = image_size
        self.num_regions = num_regions
        recorded = inputs["encoder"]
        if recorded.get("spec") == "given":
            raise VsaTfError(
                "Expected a model that reads photographs. Received: one that reads the features "
                f"that came with its records ({recorded.get('dataset', 'given')}), which nothing "
                "here makes of a photograph: vsa_tf.evaluate and vsa_tf.report answer by them"
            )
        size = recorded.get("crop_size") or recorded.get("frame_size") or 0
        image_encoder = image_encoder or _findable(recorded, "image_encoder")
        if image_encoder != (spec := recorded.get("spec")) and "detector" in (image_encoder, spec):
            raise VsaTfError(
                f"--image_encoder: expected {spec}, which the model was trained with. "
                f"Received: {image_encoder}"
            )
        finds = num_regions > 1 or image_encoder == "detector"
        named = (detector or _findable(inputs["detector"], "detector")) if finds else "none"
        if _of_data_set(named):
            raise VsaTfError(
                "Expected --detector of what finds boxes in any photograph, such as a SavedModel "
                f"or grid. Received: {named}, which has those of a data set's photographs"
            )
        try:
            self.detector = make_detector(named)
            self.encoder = make_encoder(
                image_encoder,
                recorded.get("region_features", "crop"),
                size,
                recorded.get("encoder_input", ""),
                detector=self.detector,
                num_crops=recorded.get("num_crops", 1),
            )
        except ValueError as error:
            raise VsaTfError.of(error) from error
        described = {"spec": "pixels"} if self.encoder is None else self.encoder.describe()
        _check_same("image_encoder", recorded, described)
        # Proposals came with the data set: for other photographs any detector will do.
        if finds and not _of_data_set(inputs["detector"].get("spec", "")):
            _check_same("detector", inputs["detector"], self.detector.describe())

    def batch(self, photographs, boxes=None):
        """Makes the batch of some photographs.

        Args:
            photographs: list of `(encoded, image)`, bytes and what they decode to.
            boxes: list of float32 `[r, 4]`, the regions of each, the whole frame first; None: the
                detector's, `num_regions` at most.

        Raises:
            VsaTfError: the detector gives no boxes that can be used.
            InputError: the encoder gives features that are not finite in float16.
        """
        images = [image for _, image in photographs]
        num_regions = self.num_regions if boxes is None else max(map(len, boxes))
        if boxes is None:
            try:
                boxes = [
                    select_regions(*detected, self.num_regions, NMS_THRESHOLD)[0]
                    for detected in self.detector.detect(images, [None] * len(images))
                ]
            except ValueError as error:
                raise VsaTfError.of(error) from error
        batch = {
            "region_boxes": _padded(boxes, num_regions),
            "region_mask": np.arange(num_regions) < np.array([[len(b)] for b in boxes]),
        }
        if self.encoder is None:
            batch["images"] = np.stack(
                [
                    resized_image(tf.constant(stored_image(data, image=image)[0]), self.image_size)
                    for data, image in photographs
                ]
            )
        else:
            features = self.encoder.encode(images, boxes)
            with np.errstate(over="ignore"):
                # As records keep them.
                features = _padded(features, num_regions).astype(np.float16)
            if not np.isfinite(features).all():
                raise InputError("the encoder's features of it are NaN, or infinite in float16")
            batch["region_features"] = features
        return batch


def _padded(rows, count):
    padded = np.zeros((len(rows), count, rows[0].shape[1]), np.float32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def _findable(recorded, flag):
    """Returns the spec that records name, if it is more than the name of a directory."""
    spec = recorded.get("spec", "")
    if all(part in NAMES[flag] or is_findable(part) for part in joined_specs(spec)):
        return spec
    raise VsaTfError(
        f"--{flag} is missing: the model reads what {spec} makes of an image; give its directory"
    )


def _of_data_set(detector):
    """Whether a detector gives proposals of a data set's photographs alone, joined or not."""
    return any(part.partition(":")[0] == "proposals" for part in joined_specs(detector))


def _unnamed(described):
    """What a detector or encoder is, without where it lies: of those that are joined, too."""
    own = {name: value for name, value in described.items() if name != "spec"}
    return own | ({"joined": list(map(_unnamed, own["joined"]))} if "joined" in own else {})


def _check_same(flag, recorded, given):
    if _unnamed(recorded) != _unnamed(given):
        is_joined = "joined" in recorded or "joined" in given
        told = _joined_differences if is_joined else differences
        raise VsaTfError(
            f"--{flag}: expected {recorded.get('spec')}, which the model was trained with. "
            f"Received: {given.get('spec')}, {'' if is_joined else 'which differs in '}"
            f"{told(recorded, given)}"
        )


def _joined_differences(recorded, given):
    """Says which of the detectors that are joined there are not here, and the reverse."""
    own, others = (each.get("joined", [each]) for each in (recorded, given))
    missing, more = (
        [each["spec"] for each in these if _unnamed(each) not in list(map(_unnamed, those))]
        for these, those in ((own, others), (others, own))
    )
    more = [f"another {spec}" if spec in missing else spec for spec in more]
    found = [f"without {', '.join(missing)}"] * bool(missing)
    found += [f"with {', '.join(more)}"] * bool(more)
    return " and ".join(found) or "joined otherwise"
