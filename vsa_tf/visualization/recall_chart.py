"""A picture of recall curves."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS

_WIDTH, _HEIGHT = 720, 480
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 20, 20, 90
_LEGEND_HEIGHT = 20
_INK, _GRID, _PAPER = (40, 40, 40), (225, 225, 225), (255, 255, 255)
_GREY = (140, 140, 140)
# Drawn larger and reduced, so that lines are smooth.
_OVERSAMPLING = 3
_OF_SHARES = "recall, %, against the percentage of items retrieved"


def recall_chart(curves, label=_OF_SHARES, ticks=None, by_chance=None):
    """Draws recall against what is retrieved, on a logarithmic axis.

    Args:
        curves: dict of a name to `{retrieved: recall}`: a share in percent, as text, as of
            `recall_curve`, or a number of items, as of `recalls_at`; recall in percent. All of the
            same shares or numbers, ascending and above 0.
        label: what the axes are.
        ticks: those that are written below the axis; None: all.
        by_chance: name of the curve that is drawn grey, or None.

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
    logarithms = np.log([float(share) for share in shares[0]])
    scale = (_WIDTH - _LEFT - _RIGHT) / (logarithms[-1] - logarithms[0])
    positions = dict(zip(shares[0], _LEFT + scale * (logarithms - logarithms[0])))
    colors = _colors(curves, by_chance)
    legend = _legend(curves)
    size = _WIDTH, _HEIGHT + legend[-1][2] - legend[0][2]
    large = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), _PAPER)
    draw = ImageDraw.Draw(large)
    for recall in range(0, 101, 20):
        _line(draw, [(_LEFT, _height(recall)), (_WIDTH - _RIGHT, _height(recall))], _GRID, 1)
    for tick in ticks or positions:
        _line(draw, [(positions[tick], _height(0)), (positions[tick], _height(100))], _GRID, 1)
    for name, curve in curves.items():
        points = [(positions[share], _height(recall)) for share, recall in curve.items()]
        _line(draw, points, colors[name], 2)
    picture = large.resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(picture)
    _write(draw, {str(tick): positions[tick] for tick in ticks or positions}, label)
    for name, x, y in legend:
        draw.rectangle((x, y - 5, x + 14, y + 5), fill=colors[name])
        draw.text((x + 20, y), name, _INK, _font(), anchor="lm")
    return picture


def _colors(names, by_chance):
    others = [name for name in names if name != by_chance]
    colors = {
        name: SNIPPET_COLORS[place % len(SNIPPET_COLORS)] for place, name in enumerate(others)
    }
    return {by_chance: _GREY} | colors


def _legend(names):
    """Returns `(name, x, y)` of each name, as many side by side as there is room for."""
    places, x, y = [], _LEFT, _HEIGHT - 20
    for name in names:
        width = 40 + math.ceil(_font().getlength(name))
        if x > _LEFT and x + width > _WIDTH:
            x, y = _LEFT, y + _LEGEND_HEIGHT
        places.append((name, x, y))
        x += width
    return places


def _height(recall):
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * recall / 100


def _line(draw, points, color, width):
    points = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
    draw.line(points, fill=color, width=width * _OVERSAMPLING, joint="curve")


def _font():
    return ImageFont.load_default(13)


def _write(draw, ticks, label):
    for recall in range(0, 101, 20):
        draw.text((_LEFT - 8, _height(recall)), str(recall), _INK, _font(), anchor="rm")
    for tick, x in ticks.items():
        draw.text((x, _height(0) + 8), tick, _INK, _font(), anchor="mt")
    draw.text((_LEFT, _height(0) + 30), label, _INK, _font())
