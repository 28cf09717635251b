"""A picture of recall curves."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS

_WIDTH, _HEIGHT = 720, 480
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 20, 20, 90
_INK, _GRID, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
# Drawn larger and reduced, so that lines are smooth.
_OVERSAMPLING = 3


def recall_chart(curves):
    """Draws recall against the share of the items that is retrieved, on a logarithmic axis.

    Args:
        curves: dict of a name to `{share: recall}`, shares as text, both in percent, as of
            `recall_curve`; all of the same shares, ascending and above 0.

    Returns:
        A PIL image in RGB.

    Raises:
        ValueError: if there is no curve, or one of other shares.
    """
    shares = [list(curve) for curve in curves.values()]
    if not shares or len(shares[0]) < 2 or any(own != shares[0] for own in shares):
        raise ValueError(
            "Expected curves over the same two or more shares. "
            f"Received: {dict(zip(curves, shares))}"
        )
    positions = np.log([float(share) for share in shares[0]])
    positions = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (
        (positions - positions[0]) / (positions[-1] - positions[0])
    )
    lines = {
        name: [(x, _height(recall)) for x, recall in zip(positions, curve.values())]
        for name, curve in curves.items()
    }
    large = Image.new("RGB", (_WIDTH * _OVERSAMPLING, _HEIGHT * _OVERSAMPLING), _PAPER)
    draw = ImageDraw.Draw(large)
    for recall in range(0, 101, 20):
        _line(draw, [(_LEFT, _height(recall)), (_WIDTH - _RIGHT, _height(recall))], _GRID, 1)
    for x in positions:
        _line(draw, [(x, _height(0)), (x, _height(100))], _GRID, 1)
    for line, color in zip(lines.values(), SNIPPET_COLORS):
        _line(draw, line, color, 2)
    picture = large.resize((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    _write(ImageDraw.Draw(picture), positions, shares[0], lines)
    return picture


def _height(recall):
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * recall / 100


def _line(draw, points, color, width):
    points = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
    draw.line(points, fill=color, width=width * _OVERSAMPLING, joint="curve")


def _write(draw, positions, shares, names):
    font = ImageFont.load_default(13)
    for recall in range(0, 101, 20):
        draw.text((_LEFT - 8, _height(recall)), str(recall), _INK, font, anchor="rm")
    for x, share in zip(positions, shares):
        draw.text((x, _height(0) + 8), share, _INK, font, anchor="mt")
    draw.text(
        (_LEFT, _height(0) + 30), "recall, %, against the percentage of items retrieved", _INK, font
    )
    x = _LEFT
    for name, color in zip(names, SNIPPET_COLORS):
        text, y = name.replace("_", " "), _HEIGHT - 20
        draw.rectangle((x, y - 5, x + 14, y + 5), fill=color)
        draw.text((x + 20, y), text, _INK, font, anchor="lm")
        x += 40 + math.ceil(draw.textlength(text, font))
