"""A scene of coloured shapes: sampling it, rendering it, and where its shapes are."""

import dataclasses
import functools
import io
import math

import numpy as np
from PIL import Image, ImageDraw

from tfrecords_tools.sources.source import Box

COLOURS = {
    "red": (214, 34, 38),
    "orange": (244, 134, 22),
    "yellow": (246, 222, 46),
    "green": (44, 158, 62),
    "blue": (38, 76, 214),
    "purple": (124, 42, 160),
    "pink": (246, 132, 190),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart", "ring")
BACKGROUNDS = ("plain", "gradient", "speckled", "striped", "checkered")

# Longest side of a shape's box as a fraction of the image; the gap makes size words certain.
EXTENTS = {"small": (0.15, 0.20), "large": (0.30, 0.40)}
LARGEST_SMALL_EXTENT = 0.25

_SUPERSAMPLING = 3
_MAX_TILT = math.radians(15)
_COLOUR_JITTER = 12
_MARGIN = 0.01
# Share of the smaller of two boxes that the other may cover.
_MAX_COVERED = 0.08
_ANCHORS = (0.2, 0.5, 0.8)
_ANCHOR_JITTER = 0.06
_JPEG_QUALITY = 90


def _circle(radius, num_points=48):
    angles = np.linspace(0.0, 2.0 * np.pi, num_points)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star():
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    radii = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    return radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _heart():
    t = np.linspace(0.0, 2.0 * np.pi, 40)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([x, -y], axis=1) / 16.0


def _cross():
    a, b = 0.34, 1.0
    return np.array(
        [
            (-a, -b),
            (a, -b),
            (a, -a),
            (b, -a),
            (b, a),
            (a, a),
            (a, b),
            (-a, b),
            (-a, a),
            (-b, a),
            (-b, -a),
            (-a, -a),
        ]
    )


# Outlines as (x, y) points, y downwards; placing a shape rescales them. The ring's outline runs
# round the outer edge, then back round the inner one.
_OUTLINES = {
    "circle": _circle(1.0),
    "square": np.array([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]),
    "triangle": np.array([(0.0, -1.0), (1.0, 0.75), (-1.0, 0.75)]),
    "star": _star(),
    "cross": _cross(),
    "heart": _heart(),
    "ring": np.concatenate([_circle(1.0), _circle(0.55)[::-1]]),
}


@dataclasses.dataclass(frozen=True)
class Shape:
    """One shape of a scene.

    Attributes:
        colour: a key of `COLOURS`.
        shape: one of `SHAPES`.
        center: `(y, x)`, fractions of the image.
        extent: the longest side of its box, a fraction of the image.
        tilt: rotation in radians.
        rgb: the colour as drawn, or `None` for the colour's standard value.
    """

    colour: str
    shape: str
    center: tuple[float, float]
    extent: float
    tilt: float = 0.0
    rgb: tuple[int, int, int] | None = None

    @property
    def size(self) -> str:
        """`"small"` or `"large"`."""
        return "large" if self.extent > LARGEST_SMALL_EXTENT else "small"

    @functools.cached_property
    def outline(self) -> np.ndarray:
        """Points `[n, 2]`, `(x, y)`, in fractions of the image."""
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        points = _OUTLINES[self.shape] @ np.array([[cos, sin], [-sin, cos]])
        low, high = points.min(axis=0), points.max(axis=0)
        points = (points - (low + high) / 2) * (self.extent / (high - low).max())
        return points + np.array([self.center[1], self.center[0]])

    @functools.cached_property
    def full_box(self) -> Box:
        """The box of the whole outline, hidden parts included."""
        (xmin, ymin), (xmax, ymax) = self.outline.min(axis=0), self.outline.max(axis=0)
        return float(ymin), float(xmin), float(ymax), float(xmax)


@dataclasses.dataclass(frozen=True)
class Background:
    """What is behind the shapes.

    Attributes:
        kind: one of `BACKGROUNDS`.
        tone: mean brightness, 0 to 1.
        tint: offsets of red, green and blue from that brightness.
        seed: seed of the texture.
    """

    kind: str = "plain"
    tone: float = 0.5
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)
    seed: int = 0

    def pixels(self, size: int) -> np.ndarray:
        """Returns the texture, float32 `[size, size, 3]` in 0..255."""
        random = np.random.default_rng(self.seed)
        angle, period, phase = random.uniform([0.0, 0.09, 0.0], [2 * np.pi, 0.16, 1.0])
        y, x = np.mgrid[:size, :size].astype(np.float32) / size
        across = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
        along = y * np.float32(np.cos(angle)) - x * np.float32(np.sin(angle))
        noise = 2.5
        if self.kind == "gradient":
            texture = 90.0 * (across - across.mean())
        elif self.kind == "striped":
            texture = np.where((across / period + phase) % 1.0 < 0.5, -17.0, 17.0)
        elif self.kind == "checkered":
            odd = np.floor(across / period) + np.floor(along / period)
            texture = np.where(odd % 2 == 0, -15.0, 15.0)
        else:
            texture = np.zeros((size, size))
            if self.kind == "speckled":
                noise = 24.0
        texture = texture + noise * random.standard_normal((size, size), dtype=np.float32)
        base = 255.0 * (self.tone + np.array(self.tint))
        return np.clip(base + texture[:, :, None], 0.0, 255.0).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class ShapeScene:
    """A scene of coloured shapes; of two that overlap, the later one is in front.

    Attributes:
        shapes: the shapes.
        background: what is behind them.
        image_size: side of the rendered square image in pixels.

    Example:

    >>> scene = ShapeScene((Shape("red", "square", center=(0.25, 0.5), extent=0.25),))
    >>> [round(edge, 1) for edge in scene.boxes[0]]
    [0.1, 0.4, 0.4, 0.6]
    """

    shapes: tuple[Shape, ...]
    background: Background = Background()
    image_size: int = 96

    @classmethod
    def sample(cls, random, contents, image_size=96):
        """Returns a scene of given contents in an arrangement drawn at random.

        Args:
            random: a `random.Random`.
            contents: `(colour, shape)` pairs, one for each shape.
            image_size: side of the image in pixels.

        Returns:
            A `ShapeScene`; boxes of its shapes barely overlap.
        """
        shapes = None
        while shapes is None:
            shapes = _arrange(random, contents)
        background = Background(
            kind=random.choice(BACKGROUNDS),
            tone=random.uniform(0.15, 0.85),
            tint=tuple(random.uniform(-0.06, 0.06) for _ in range(3)),
            seed=random.getrandbits(32),
        )
        return cls(shapes, background, image_size)

    @functools.cached_property
    def boxes(self) -> tuple[Box, ...]:
        """For each shape the tight box of what is visible of it, `(ymin, xmin, ymax, xmax)`."""
        side = self.image_size * _SUPERSAMPLING
        image = Image.new("L", (side, side))
        draw = ImageDraw.Draw(image)
        for number, shape in enumerate(self.shapes, start=1):
            draw.polygon(_points(shape, side), fill=number)
        owner = np.asarray(image)
        boxes = []
        for number in range(1, len(self.shapes) + 1):
            visible = owner == number
            rows = np.flatnonzero(visible.any(axis=1))
            columns = np.flatnonzero(visible.any(axis=0))
            edges = (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)
            boxes.append(tuple(float(edge) / side for edge in edges))
        return tuple(boxes)

    @functools.cached_property
    def centers(self) -> tuple[tuple[float, float], ...]:
        """Centres `(y, x)` of `boxes`: what position and relation words are about."""
        return tuple(((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in self.boxes)

    def pixels(self) -> np.ndarray:
        """Returns the anti-aliased image, uint8 `[image_size, image_size, 3]`."""
        side = self.image_size * _SUPERSAMPLING
        texture = np.round(self.background.pixels(self.image_size)).astype(np.uint8)
        image = Image.fromarray(texture).resize((side, side), Image.Resampling.NEAREST)
        draw = ImageDraw.Draw(image)
        for shape in self.shapes:
            draw.polygon(_points(shape, side), fill=shape.rgb or COLOURS[shape.colour])
        return np.asarray(image.reduce(_SUPERSAMPLING))

    def jpeg(self) -> bytes:
        """Returns the image as JPEG."""
        buffer = io.BytesIO()
        image = Image.fromarray(self.pixels())
        image.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return buffer.getvalue()


def _points(shape, side):
    return [tuple(point) for point in (shape.outline * side).tolist()]


def _arrange(random, contents):
    """Returns the shapes placed, or `None` when they got in each other's way."""
    large_share = 0.5 if len(contents) <= 3 else 0.35
    shapes = []
    for colour, name in contents:
        size = "large" if random.random() < large_share else "small"
        extent = random.uniform(*EXTENTS[size])
        tilt = random.uniform(-_MAX_TILT, _MAX_TILT)
        rgb = tuple(
            min(255, max(0, channel + random.randint(-_COLOUR_JITTER, _COLOUR_JITTER)))
            for channel in COLOURS[colour]
        )
        for _ in range(20):
            center = tuple(_coordinate(random, extent) for _ in range(2))
            shape = Shape(colour, name, center, extent, tilt, rgb)
            if all(_apart(shape, other) for other in shapes):
                shapes.append(shape)
                break
        else:
            return None
    return tuple(shapes)


def _coordinate(random, extent):
    low = extent / 2 + _MARGIN
    if random.random() < 0.5:
        near = random.choice(_ANCHORS) + random.uniform(-_ANCHOR_JITTER, _ANCHOR_JITTER)
        return min(1.0 - low, max(low, near))
    return random.uniform(low, 1.0 - low)


def _apart(first, second):
    reach = (first.extent + second.extent) / 2
    if any(abs(a - b) >= reach for a, b in zip(first.center, second.center, strict=True)):
        return True
    a, b = first.full_box, second.full_box
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    if height <= 0 or width <= 0:
        return True
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return height * width <= _MAX_COVERED * smaller
