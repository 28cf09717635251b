"""Features of regions in the forms in which others keep them."""

import base64

import numpy as np

# Of a photograph of 480 x 320.
BOXES = [[0, 0, 240, 320], [60, 80, 180, 240], [120.5, 160.25, 479.6, 320.4]]
SIZE = {"image_w": 480, "image_h": 320}


def features_of(seed, count=len(BOXES), size=4):
    return np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)


def encoded(array):
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode()


def row(image_id, boxes=BOXES, features=None, width=480, height=320, count=None):
    """A line of the authors' TSV files."""
    features = features_of(int(image_id)) if features is None else features
    count = len(boxes) if count is None else count
    values = (image_id, width, height, count, encoded(boxes), encoded(features))
    return "\t".join(map(str, values)) + "\n"


def write_arrays_of(path, boxes=BOXES, features=None, size=SIZE, **others):
    """An .npz file of a photograph."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = features_of(0) if features is None else features
    np.savez(path, x=features, bbox=np.float32(boxes), num_bbox=len(boxes), **size, **others)
