"""Boxes of one's own from a file."""

import json
import math
import pathlib

from vsa_tf.program import ProgramError


def read_boxes(path):
    """Reads boxes.

    Args:
        path: of a JSON file: a list of `[ymin, xmin, ymax, xmax]`, each from 0 to 1.

    Returns:
        A list of lists of four floats, at least one.

    Raises:
        ProgramError: names the box that is none.
    """
    try:
        boxes = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProgramError(f"--boxes={path} cannot be read: {error}") from error
    if not isinstance(boxes, list) or not boxes:
        raise ProgramError(
            f"Expected --boxes={path} to hold a JSON list of boxes [ymin, xmin, ymax, xmax]. "
            f"Received: {json.dumps(boxes)[:80]}"
        )
    for number, box in enumerate(boxes):
        if not _is_box(box):
            raise ProgramError(
                f"Expected box {number} of --boxes={path} to be [ymin, xmin, ymax, xmax], from 0 "
                f"to 1, ymin < ymax and xmin < xmax. Received: {json.dumps(box)[:80]}"
            )
    return boxes


def _is_box(box):
    numbers = (
        isinstance(box, list)
        and len(box) == 4
        and all(type(value) in (int, float) and math.isfinite(value) for value in box)
    )
    return numbers and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1
