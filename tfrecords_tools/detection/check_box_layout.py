"""Refuses a file of boxes that are not `ymin, xmin, ymax, xmax` in 0..1."""

import numpy as np

# Detectors' boxes exceed the frame by rounding.
_TOLERANCE = 0.01
# Boxes of so many images cover more than a tenth of the frame's sides, unless they are of another
# scale.
_MIN_IMAGES = 10
_MIN_COVER = 0.01


def check_box_layout(boxes, path):
    """Tells from all boxes together what they look like; whether x is before y cannot be seen.

    Args:
        boxes: dict of file name to float `[K, 4]`, finite.
        path: of the file, for the message.

    Raises:
        ValueError: naming the scale or layout that they seem to have, or the first wrong box.
    """
    every = np.concatenate([np.zeros((0, 4)), *boxes.values()])
    if not len(every):
        return
    expected = f"Expected ymin, xmin, ymax, xmax in 0..1 of the frame in {path}. Received: "
    outside = ((every < -_TOLERANCE) | (every > 1 + _TOLERANCE)).any(axis=1)
    backwards = (every[:, 2:] <= every[:, :2]).any(axis=1)
    if outside.mean() > 0.5:
        scale = "pixels: divide them by the image's height and width"
        if every.max() <= 101:
            scale = f"per cent of the frame: divide them by 100; or like {scale}"
        raise ValueError(f"{expected}numbers up to {every.max():g}, which look like {scale}")
    sums = every[:, :2] + every[:, 2:]
    if backwards.mean() > 0.1 and (sums <= 1 + _TOLERANCE).all():
        raise ValueError(
            f"{expected}boxes that look like a corner and a size (x, y, width, height): the third "
            "number is often below the first, and their sum never above 1"
        )
    for name, own in boxes.items():
        wrong = ((own < -_TOLERANCE) | (own > 1 + _TOLERANCE)).any(axis=1)
        wrong |= (own[:, 2:] <= own[:, :2]).any(axis=1)
        if wrong.any():
            raise ValueError(f"{expected}{own[wrong][0].tolist()} for {name}")
    # Their hull's overlap (IoU) with the frame: it lies in it.
    cover = np.prod(every[:, 2:].max(axis=0) - every[:, :2].min(axis=0))
    if len(boxes) >= _MIN_IMAGES and cover < _MIN_COVER:
        raise ValueError(
            f"{expected}boxes that all lie in {cover:.2g} of the frame, which look divided by the "
            "size of the image twice"
        )
