"""Many photographs as one picture, as TensorBoard's embedding projector wants them."""

import math

import numpy as np
from PIL import Image, ImageOps

TILE = 64
# The projector draws no larger picture.
_LARGEST_SIDE = 8192
MOST_TILES = (_LARGEST_SIDE // TILE) ** 2


def sprite_sheet(photographs, count):
    """Returns photographs, each cut to a square, row by row in a square picture.

    Args:
        photographs: iterable of uint8 `[h, w, 3]`.
        count: their number, at most `MOST_TILES`.

    Returns:
        uint8 `[side, side, 3]`, side a multiple of `TILE`; white where there is no photograph.

    Raises:
        ValueError: there are none, or too many.
    """
    if not 1 <= count <= MOST_TILES:
        raise ValueError(f"Expected 1 to {MOST_TILES} photographs. Received: {count}")
    columns = math.isqrt(count - 1) + 1
    sheet = np.full((columns * TILE, columns * TILE, 3), 255, np.uint8)
    for place, photograph in enumerate(photographs):
        row, column = divmod(place, columns)
        tile = ImageOps.fit(Image.fromarray(photograph), (TILE, TILE))
        sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = np.asarray(tile)
    return sheet
