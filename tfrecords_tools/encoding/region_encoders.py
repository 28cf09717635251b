"""From photographs and boxes to one feature a region, by a network.

A network has `feature_size`, the D of its vectors; `own_size`, the side in pixels of the images
that it was made for, and `fixed_size`, the same if it takes no others, else None; `describe()`;
and of uint8 `[n, s, s, 3]` `vectors(images)`, float32 `[n, D]`, and `maps(images)`, the feature
maps before pooling, float32 `[n, h, w, map_channels]`. In a graph these are `graph_vectors` and
`graph_maps`, of tensors, and `tracked` is what a SavedModel of them must hold.
"""

import numpy as np
from PIL import Image

from vsa_tf.boxes import WHOLE_FRAME

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

# Crops in one call: more of them leave the cache of a core and are slower each.
CROPS_PER_CALL = 5


class CropEncoder:
    """One pass of the network for every region, batched across images.

    The whole frame is read at the network's own size whatever that of the other crops: its
    feature is the image's.

    Args:
        network: see above.
        size: pixels that regions are resized to.
        num_crops: views of the frame whose vectors are averaged: 1, the frame itself, or 10,
            see `frame_windows`.
    """

    def __init__(self, network, size, num_crops=1):
        self.network, self.size, self.num_crops = network, size, num_crops
        self.feature_size = network.feature_size

    def describe(self):
        # Records of one view are as those of before there was a choice, which so stay valid.
        several = {"num_crops": self.num_crops} if self.num_crops > 1 else {}
        return {
            **self.network.describe(),
            "region_features": "crop",
            "frame_size": self.network.own_size,
            "crop_size": self.size,
            **several,
        }

    def encode(self, images, boxes):
        views = (self._views(image, own[:1]) for image, own in zip(images, boxes))
        frames = self._vectors(views, self.network.own_size)
        frames = frames.reshape(-1, self.num_crops, self.feature_size).mean(axis=1)
        crops = (crop_regions(image, own[1:], self.size) for image, own in zip(images, boxes))
        others = self._vectors(crops, self.size)
        ends = np.cumsum([len(b) - 1 for b in boxes])
        return [
            np.concatenate([frame[None], other])
            for frame, other in zip(frames, np.split(others, ends[:-1]))
        ]

    def _views(self, image, frame):
        if self.num_crops == 1:
            return crop_regions(image, frame, self.network.own_size)
        height, width = map(np.float32, image.shape[:2])
        windows = np.array(frame_windows(height, width, min(height, width)), np.float32)
        views = crop_regions(image, windows, self.network.own_size)
        return np.concatenate([views, views[:, :, ::-1]])

    def _vectors(self, parts, size):
        """Vectors of crops, which come image by image: all would be large for hundreds each."""
        vectors = [np.zeros((0, self.feature_size), np.float32)]
        waiting = np.zeros((0, size, size, 3), np.uint8)
        for part in parts:
            waiting = np.concatenate([waiting, part])
            while len(waiting) >= CROPS_PER_CALL:
                vectors.append(self.network.vectors(waiting[:CROPS_PER_CALL]))
                waiting = waiting[CROPS_PER_CALL:]
        if len(waiting):
            vectors.append(self.network.vectors(waiting))
        return np.concatenate(vectors)


def frame_windows(height, width, shorter):
    """Returns the five windows of ten crops: the four corners and the centre; boxes.

    The other five are their mirror images. A window is a square of 224 pixels where the shorter
    side of the image has 256 (M section 8.1). T's photographs have 256 x 256 pixels (section 5.3).

    Args:
        height, width, shorter: of the image, its shorter side, float32; numbers or tensors.

    Example:

    >>> frame_windows(256.0, 512.0, 256.0)[4]
    (0.0625, 0.28125, 0.9375, 0.71875)
    """
    side = 0.875 * shorter
    high, wide = side / height, side / width
    top, left = 1.0 - high, 1.0 - wide
    corners = [(y, x) for y in (0.0 * high, top) for x in (0.0 * wide, left)]
    return [(y, x, y + high, x + wide) for y, x in [*corners, (0.5 * top, 0.5 * left)]]


class PoolEncoder:
    """One pass of the network for every image; regions are averages of its last feature map.

    The average over a region of the bilinearly interpolated map (RoIAlign with a single bin and
    dense samples) is separable: one weight vector over rows, one over columns. So a region is
    `rows . map . columns`, and Model Garden's multi-level RoIAlign, which samples bins that would
    be averaged away again, is not needed.
    """

    def __init__(self, network, size):
        self.network, self.size = network, size
        self.feature_size = network.map_channels
        # A network without maps is refused here, before any photograph.
        network.maps(np.zeros((1, size, size, 3), np.uint8))

    def describe(self):
        return {
            **self.network.describe(),
            "feature_size": self.feature_size,
            "region_features": "pool",
            "frame_size": self.size,
        }

    def encode(self, images, boxes):
        features = []
        for image, image_boxes in zip(images, boxes):
            feature_map = self.network.maps(crop_regions(image, WHOLE_FRAME, self.size))[0]
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


def _of_unit_length(features):
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.maximum(lengths, LEAST_LENGTH)
