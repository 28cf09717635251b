"""Encoders: photographs and boxes to one feature a region.

An encoder has `feature_size`, `describe()` (what it is, for `dataset_info.json`) and
`encode(images, boxes)`: a list of float32 `[R, D]`, one an image. Region 0 is the whole frame.

Two ways to a region's feature: `crop` resizes each region to the encoder's input, at the cost of
one pass of the network a region; `pool` runs the network once an image, on a larger frame, and
averages its last feature map over the region. `both` puts the two side by side, each of length 1:
every region, and the whole frame, is then seen at two scales.
"""

import functools

import numpy as np
from PIL import Image

REGION_FEATURES = ("crop", "pool", "both")

# What a network expects of its pixels: mean and deviation by which those of 0..255 are normalised.
ENCODER_INPUTS = {
    "0..1": (0.0, 255.0),
    "-1..1": (127.5, 127.5),
    "0..255": (0.0, 1.0),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # Blue first, as OpenCV reads them.
    "caffe": ((103.939, 116.779, 123.68), 1.0),
}

# Shorter features than this, of a network that saw nothing, stay short with `both`.
LEAST_LENGTH = 1e-6

# Where Keras keeps what it has downloaded.
_KERAS_WEIGHTS = "~/.keras/models, or KERAS_HOME"

# Crops in one call: more of them leave the cache of a core and are slower each.
CROPS_PER_CALL = 5


def make_encoder(
    spec, region_features="crop", crop_size=0, encoder_input="", weights="imagenet", detector=None
):
    """Returns the encoder that `--image_encoder` names; None for `pixels`.

    Args:
        spec: a SavedModel directory or TF-Hub handle with the image-feature-vector signature,
            `keras:NAME` of keras.applications, `detector` (features of the detector's own pass), or
            `pixels` (no features).
        region_features: `crop`, `pool` or `both`.
        crop_size: pixels that a crop (`crop`, `both`) or the frame (`pool`) is resized to; 0: the
            encoder's own size, twice that for `pool` and for the frame of `both`.
        encoder_input: of a SavedModel, what it expects of its pixels, one of `ENCODER_INPUTS`;
            empty: `0..1`, as TF Hub's do, or `0..255` where it takes uint8.
        weights: of `keras:NAME`: `imagenet`, or a weights file.
        detector: what finds the regions, of `make_detector`; read with `detector` alone.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec == "pixels":
        return None
    if spec == "detector":
        from tfrecords_tools.detection.pyramid_encoder import PyramidEncoder

        return PyramidEncoder(detector)
    if region_features not in REGION_FEATURES:
        raise ValueError(
            f"Expected region_features to be one of {', '.join(REGION_FEATURES)}. "
            f"Received: {region_features!r}"
        )
    if spec.startswith("keras:"):
        network = KerasNetwork(spec.removeprefix("keras:"), weights)
    else:
        network = SavedModelNetwork(spec, encoder_input)
    if region_features == "pool":
        return PoolEncoder(network, crop_size or 2 * network.own_size)
    crops = CropEncoder(network, crop_size or network.own_size)
    if region_features == "crop":
        return crops
    return SideBySideEncoder(crops, PoolEncoder(network, 2 * network.own_size))


class CropEncoder:
    """One pass of the network for every region, batched across images.

    The whole frame is read at the network's own size whatever that of the other crops: its
    feature is the image's.
    """

    def __init__(self, network, size):
        self.network, self.size = network, size
        self.feature_size = network.feature_size

    def describe(self):
        return {
            **self.network.describe(),
            "region_features": "crop",
            "frame_size": self.network.own_size,
            "crop_size": self.size,
        }

    def encode(self, images, boxes):
        frames = self._vectors(images, [b[:1] for b in boxes], self.network.own_size)
        others = self._vectors(images, [b[1:] for b in boxes], self.size)
        ends = np.cumsum([len(b) - 1 for b in boxes])
        return [
            np.concatenate([frame[None], other])
            for frame, other in zip(frames, np.split(others, ends[:-1]))
        ]

    def _vectors(self, images, boxes, size):
        vectors = [np.zeros((0, self.feature_size), np.float32)]
        waiting = np.zeros((0, size, size, 3), np.uint8)
        # Image by image: the crops of all would be large where each has hundreds.
        for image, image_boxes in zip(images, boxes):
            waiting = np.concatenate([waiting, crop_regions(image, image_boxes, size)])
            while len(waiting) >= CROPS_PER_CALL:
                vectors.append(self.network.vectors(waiting[:CROPS_PER_CALL]))
                waiting = waiting[CROPS_PER_CALL:]
        if len(waiting):
            vectors.append(self.network.vectors(waiting))
        return np.concatenate(vectors)


class PoolEncoder:
    """One pass of the network for every image; regions are averages of its last feature map.

    The average over a region of the bilinearly interpolated map (RoIAlign with a single bin and
    dense samples) is separable: one weight vector over rows, one over columns. So a region is
    `rows . map . columns`, and Model Garden's multi-level RoIAlign, which samples bins that would
    be averaged away again, is not needed.
    """

    def __init__(self, network, size):
        self.network, self.size = network, size
        self.feature_size = network.feature_size
        # A network without maps is refused here, before any photograph.
        network.maps(np.zeros((1, size, size, 3), np.uint8))

    def describe(self):
        return {**self.network.describe(), "region_features": "pool", "frame_size": self.size}

    def encode(self, images, boxes):
        frame = np.array([[0.0, 0.0, 1.0, 1.0]], np.float32)
        features = []
        for image, image_boxes in zip(images, boxes):
            feature_map = self.network.maps(crop_regions(image, frame, self.size))[0]
            rows = average_weights(image_boxes[:, 0], image_boxes[:, 2], feature_map.shape[0])
            columns = average_weights(image_boxes[:, 1], image_boxes[:, 3], feature_map.shape[1])
            features.append(np.einsum("ry,rx,yxd->rd", rows, columns, feature_map, optimize=True))
        return features


class SideBySideEncoder:
    """A region's features by a `CropEncoder` and a `PoolEncoder` of one network, side by side.

    Each is scaled to length 1: the crops' are about twice as long, and would outweigh the others.
    """

    def __init__(self, crops, pool):
        self.crops, self.pool = crops, pool
        self.feature_size = crops.feature_size + pool.feature_size

    def describe(self):
        return {
            **self.crops.describe(),
            "region_features": "both",
            "feature_size": self.feature_size,
            "pool_frame_size": self.pool.size,
        }

    def encode(self, images, boxes):
        return [
            np.concatenate([_of_unit_length(crops), _of_unit_length(pooled)], axis=-1)
            for crops, pooled in zip(
                self.crops.encode(images, boxes), self.pool.encode(images, boxes)
            )
        ]


def crop_regions(image, boxes, size):
    """Resamples regions of an image, antialiased.

    Args:
        image: uint8 `[h, w, 3]`.
        boxes: float `[R, 4]`, normalised.
        size: pixels of a crop's sides; the aspect ratio is not kept, as in R-CNN.

    Returns:
        uint8 `[R, size, size, 3]`.
    """
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    crops = np.empty((len(boxes), size, size, 3), np.uint8)
    for crop, (ymin, xmin, ymax, xmax) in zip(crops, np.asarray(boxes, np.float64)):
        box = (xmin * width, ymin * height, min(xmax * width, width), min(ymax * height, height))
        crop[:] = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return crops


def average_weights(start, end, length, samples=16):
    """Weights over `length` cells that average a linearly interpolated signal over [start, end].

    Args:
        start, end: float `[R]`, in 0..1; the signal's cells have their centres at
            (i + 0.5) / length.
        length: number of cells.
        samples: points of the interval that are averaged.

    Returns:
        float32 `[R, length]`, rows sum to 1.
    """
    points = start[:, None] + (end - start)[:, None] * ((np.arange(samples) + 0.5) / samples)
    positions = np.clip(points * length - 0.5, 0, length - 1)
    weights = np.maximum(0, 1 - np.abs(positions[..., None] - np.arange(length)))
    return weights.mean(axis=1).astype(np.float32)


class SavedModelNetwork:
    """A network with the TF-Hub image-feature-vector signature: images `[b, s, s, 3]` to `[b, D]`.

    Args:
        handle: directory or TF-Hub handle.
        encoder_input: see `make_encoder`.
    """

    def __init__(self, handle, encoder_input=""):
        from tfrecords_tools.saved_model import SavedModel, SavedModelError

        self.model = SavedModel(handle)
        self.name = self.model.name
        outputs = self.model.signature.structured_outputs
        self.output = "default" if "default" in outputs else next(iter(outputs))
        shape = outputs[self.output].shape
        if len(outputs) > 1 and self.output != "default" or len(shape) != 2 or shape[1] is None:
            raise SavedModelError(
                f"Expected an image-feature-vector signature with one output [b, D]. Received: "
                f"{handle!r} with outputs { {k: tuple(v.shape) for k, v in outputs.items()} }"
            )
        takes = self.model.input_spec
        self.own_input = {"float32": "0..1", "uint8": "0..255"}.get(takes.dtype.name)
        if self.own_input is None or not takes.shape.is_compatible_with((None, None, None, 3)):
            raise SavedModelError(
                "Expected an encoder of float32 or uint8 images [b, s, s, 3]. Received: "
                f"{handle!r}, which takes {takes.dtype.name} {takes.shape}"
            )
        self.encoder_input = encoder_input or self.own_input
        if takes.dtype.is_integer and self.encoder_input != "0..255":
            raise SavedModelError(
                f"Expected --encoder_input=0..255 for {handle!r}, which takes uint8. "
                f"Received: --encoder_input={encoder_input}"
            )
        self.feature_size = shape[1]
        self.own_size = takes.shape[1] or 224

    def describe(self):
        description = {
            "spec": self.name,
            "sha256": self.model.checksum,
            "feature_size": self.feature_size,
        }
        if self.encoder_input != self.own_input:
            # Else as in the records of before there was this choice, which so stay valid.
            description["encoder_input"] = self.encoder_input
        return description

    def normalized(self, images):
        """uint8 `[n, s, s, 3]` to the tensor that the network expects; in a graph too."""
        import tensorflow as tf

        images = tf.cast(images, self.model.input_spec.dtype)
        if images.dtype.is_integer:
            return images
        mean, deviation = ENCODER_INPUTS[self.encoder_input]
        if self.encoder_input == "caffe":
            images = images[..., ::-1]
        return (images - mean) / deviation

    def vectors(self, images):
        """uint8 `[n, s, s, 3]` to float32 `[n, D]`."""
        return self.model(self.normalized(images))[self.output].numpy()

    def maps(self, images):
        """uint8 `[n, s, s, 3]` to the feature maps before pooling, float32 `[n, h, w, D]`."""
        return self.map_function(self.normalized(images)).numpy()

    @functools.cached_property
    def map_function(self):
        """The function from what the network expects to the feature maps."""
        function = self.model.feature_maps(self.feature_size)
        if function is None:
            raise ValueError(
                "--region_features=pool and both need a network with a feature map of "
                f"{self.feature_size} channels before its output. Received: {self.name}, which has "
                "none; use crop"
            )
        return function


class KerasNetwork:
    """A network of keras.applications."""

    def __init__(self, name, weights="imagenet"):
        import keras

        module = next(
            (
                getattr(keras.applications, module)
                for module in sorted(dir(keras.applications))
                if hasattr(getattr(keras.applications, module), "preprocess_input")
                and hasattr(getattr(keras.applications, module), name)
            ),
            None,
        )
        if module is None:
            raise ValueError(
                f"Expected keras:NAME to name a network of keras.applications, for example "
                f"keras:EfficientNetB0. Received: keras:{name}"
            )
        constructor = getattr(module, name)
        file = None if weights in ("imagenet", "random") else weights
        try:
            self.network = constructor(
                include_top=False, weights="imagenet" if weights == "imagenet" else None
            )
        except Exception as error:  # Keras raises `Exception` where it cannot download
            if "URL fetch failure" not in str(error):
                raise
            reason = " ".join(str(error).split())
            raise ValueError(
                f"The weights of keras:{name} cannot be downloaded: {reason}. "
                f"Run it where there is a network, once (they are kept in {_KERAS_WEIGHTS}), copy "
                "that folder, or give a SavedModel directory"
            ) from error
        if file:
            self.network.load_weights(file)
        self.preprocess = module.preprocess_input
        self.name, self.weights = name, weights
        self.feature_size = self.network.output_shape[-1]
        # The default input size is only stated by a network that is built with its top.
        self.own_size = 299 if name in ("Xception", "InceptionV3", "InceptionResNetV2") else 224

    def describe(self):
        import hashlib

        digest = hashlib.sha256()
        for weight in self.network.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
        return {
            "spec": f"keras:{self.name}",
            "sha256": digest.hexdigest(),
            "feature_size": self.feature_size,
        }

    def vectors(self, images):
        return self.maps(images).mean(axis=(1, 2))

    def maps(self, images):
        batch = self.preprocess(images.astype(np.float32))
        return np.asarray(self.network(batch, training=False))


def _of_unit_length(features):
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, LEAST_LENGTH)
