"""Features of regions from the feature pyramid of the detector that found them."""

import re

import tensorflow as tf

# Points a side at which a region is read, as detectors read theirs.
_POINTS = 7
# The maps' names in Model Garden's exports, at strides of 2^L pixels.
_LEVEL = re.compile(r"decoder_([2-9])")


class PyramidEncoder:
    """One pass of a detector gives an image's boxes and their features.

    A region is read from the level of the pyramid that fits its size, by Model Garden's RoIAlign,
    and averaged.

    Args:
        detector: a `SavedModelDetector` whose outputs hold its pyramid, `decoder_L` float32
            `[1, h, w, D]` for consecutive levels L, and `image_info`: as
            `tfrecords_tools.export_detector` writes it.

    Attributes:
        feature_size: D.

    Reference: Lin et al., Feature pyramid networks for object detection, 2017, equation 1.

    Raises:
        ValueError: the detector has no pyramid, or of a size that is not known.
    """

    def __init__(self, detector):
        network = getattr(detector, "model", None)
        outputs = network.signature.structured_outputs if network else {}
        shapes = {
            int(match[1]): outputs[name].shape
            for name in sorted(outputs)
            if (match := _LEVEL.fullmatch(name))
        }
        whole = shapes and list(shapes) == list(range(min(shapes), max(shapes) + 1))
        known = all(shape.rank == 4 and None not in shape[1:] for shape in shapes.values())
        if not (whole and known) or "image_info" not in outputs:
            raise ValueError(
                "Expected --image_encoder=detector with a detector that gives its feature pyramid "
                "(decoder_3, decoder_4, ... [1, h, w, D], all of known sizes, and image_info), as "
                "tfrecords_tools.export_detector writes it. Received: --detector="
                f"{detector.describe()['spec']} with "
                f"{ {name: str(outputs[name].shape) for name in sorted(outputs)} }"
            )
        # Only here: it takes seconds to import.
        from official.vision.ops.spatial_transform_ops import multilevel_crop_and_resize

        self._levels, self._detector = tuple(shapes), detector
        self._crop_and_resize = multilevel_crop_and_resize
        self.feature_size = shapes[self._levels[0]][3]
        detector.remember()
        specification = [
            {str(level): tf.TensorSpec(shape) for level, shape in shapes.items()},
            tf.TensorSpec((4, 2)),
            tf.TensorSpec((None, 4)),
        ]
        self._pool = tf.function(self._pool, input_signature=specification, autograph=False)

    def describe(self):
        return {
            "spec": "detector",
            "sha256": self._detector.model.checksum,
            "feature_size": self.feature_size,
            "region_features": "pyramid",
            "levels": list(self._levels),
        }

    def encode(self, images, boxes):
        return [self.features(image, own).numpy() for image, own in zip(images, boxes)]

    def features(self, image, boxes):
        """Returns the features of an image's regions; in a graph too.

        Args:
            image: uint8 `[h, w, 3]`.
            boxes: float32 `[R, 4]`, normalised.

        Returns:
            float32 `[R, D]`.
        """
        outputs = self._detector.outputs(image)
        maps = {str(level): outputs[f"decoder_{level}"] for level in self._levels}
        return self._pool(maps, outputs["image_info"][0], boxes)

    def _pool(self, maps, image_info, boxes):
        # To pixels of the image as the network sees it.
        pixels = boxes * tf.tile(image_info[0] * image_info[2], [2])
        points = self._crop_and_resize(maps, pixels[None], output_size=_POINTS)
        return tf.reduce_mean(points[0], axis=(1, 2))
