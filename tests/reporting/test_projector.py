import numpy as np
import pytest

from vsa_tf.reporting.projector import MOST_TILES, TILE, sprite_sheet


def _grey(level, height=TILE, width=TILE):
    return np.full((height, width, 3), level, np.uint8)


def test_photographs_fill_a_square_row_by_row():
    sheet = sprite_sheet([_grey(level) for level in (10, 20, 30)], 3)
    assert sheet.shape == (2 * TILE, 2 * TILE, 3)
    corners = sheet[TILE // 2 :: TILE, TILE // 2 :: TILE, 0]
    np.testing.assert_array_equal(corners, [[10, 20], [30, 255]])


def test_a_photograph_of_another_shape_is_cut_in_the_middle():
    wide = _grey(0, 2 * TILE, 4 * TILE)
    wide[:, TILE : 3 * TILE] = 200  # the square in its middle
    # But for the columns that are blurred into what was cut off.
    np.testing.assert_array_equal(sprite_sheet([wide], 1)[:, 3:-3], _grey(200)[:, 3:-3])


def test_the_largest_sheet_is_what_the_projector_draws():
    assert MOST_TILES * TILE**2 == 8192**2


@pytest.mark.parametrize("count", [0, MOST_TILES + 1])
def test_none_or_too_many_are_refused(count):
    with pytest.raises(ValueError, match=f"Received: {count}"):
        sprite_sheet([], count)
