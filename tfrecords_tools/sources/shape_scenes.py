"""SHAPE_SCENES: generated scenes of coloured shapes, described in English."""

import collections
import functools
import hashlib
import itertools
import json
import random

import numpy as np

from tfrecords_tools.sources.shape_scene import COLOURS, SHAPES, ShapeScene
from tfrecords_tools.sources.shape_scene_claims import satisfies
from tfrecords_tools.sources.shape_scene_language import describe
from tfrecords_tools.sources.source import GeneratedExamples, Source, SourceExample
from vsa_tf.data.schema import AnnotatedBox, ObjectClass

# Raised whenever the same settings would give other examples.
_VERSION = 1
_NUM_SHAPES = (1, 2, 3, 4, 5)
_NUM_SHAPES_WEIGHTS = (6, 18, 26, 26, 24)
# Scenes come in families: the second shows the things of the first arranged anew, the third has
# them with their colours exchanged, the rest are their own.
_FAMILY_SIZE = 6
_NUM_PROPOSALS = 46
_CLASSES = {name: ObjectClass(label, name) for label, name in enumerate(SHAPES, 1)}

Ceiling = collections.namedtuple("Ceiling", ["num_true_scenes", "recall_at_1", "num_duplicates"])


class ShapeScenes(Source):
    """Generated scenes of 1 to 5 coloured shapes with five sentences each.

    Example `i` of a split depends on the seed, the split and `i` alone. Its proposals are those of
    a simulated detector that knows nothing of the sentences.

    Args:
        num_train: number of scenes of the split `train`.
        num_dev: of `dev`.
        num_test: of `test`.
        seed: integer from which everything is drawn.
        image_size: side of the images in pixels.

    Attributes:
        name: `"shape_scenes"`.
        skipped: always empty.

    Raises:
        ValueError: for a negative number of scenes or an image of less than 32 pixels.

    Example:

    >>> source = ShapeScenes(num_train=1, num_dev=0, num_test=0)
    >>> example = next(source.examples("train"))
    >>> len(example.captions)
    5
    """

    name = "shape_scenes"

    def __init__(self, num_train=2000, num_dev=300, num_test=500, seed=0, image_size=96):
        self.num_train = num_train
        self.num_dev = num_dev
        self.num_test = num_test
        self.seed = seed
        self.image_size = image_size
        for split, count in self._counts().items():
            if count < 0:
                raise ValueError(f"Expected num_{split} of at least 0. Received: {count}")
        if image_size < 32:
            raise ValueError(f"Expected image_size of at least 32. Received: {image_size}")

    def _counts(self):
        return {"train": self.num_train, "dev": self.num_dev, "test": self.num_test}

    def splits(self):
        """Returns the names of the splits."""
        return tuple(self._counts())

    def num_examples(self, split):
        """Returns the number of scenes of a split; raises `ValueError` for an unknown one."""
        if split not in self._counts():
            raise ValueError(f"Expected split to be one of {self.splits()}. Received: {split!r}")
        return self._counts()[split]

    def checksums(self):
        """Returns `{"shape_scenes": sha256}` of the generator's version and settings."""
        settings = {"version": _VERSION, "seed": self.seed, "image_size": self.image_size}
        text = json.dumps({**settings, **self._counts()}, sort_keys=True)
        return {self.name: hashlib.sha256(text.encode()).hexdigest()}

    def examples(self, split):
        """Yields the `SourceExample`s of a split in order."""
        for index in range(self.num_examples(split)):
            yield self.example(split, index)

    def example_sequence(self, split):
        """Returns the `GeneratedExamples` of a split: each is made where it is written."""
        return GeneratedExamples(self, split, range(self.num_examples(split)))

    def example(self, split, index):
        """Returns one `SourceExample`."""
        scene = self.scene(split, index)
        captions = self.captions(split, index, scene)
        phrases = tuple(phrase for caption in captions for phrase in caption.phrases)
        chains = {f"shape{number}": (number,) for number in range(len(scene.shapes))}
        for phrase in phrases:
            if phrase.type == "plural":
                numbers = phrase.chain.removeprefix("shapes").split("_")
                chains[phrase.chain] = tuple(map(int, numbers))
        proposals = _proposals(scene.boxes, self._random(split, index, "proposals"))
        return SourceExample(
            source_id=f"{split}-{index:06d}",
            filename=f"{split}-{index:06d}.jpg",
            captions=tuple(caption.text for caption in captions),
            read_image=scene.jpeg,
            objects=tuple(
                AnnotatedBox(chain, scene.boxes[number], _CLASSES[scene.shapes[number].shape])
                for chain in sorted(chains)
                for number in chains[chain]
            ),
            phrases=phrases,
            proposals=tuple(box for box, _ in proposals),
            proposal_scores=tuple(score for _, score in proposals),
        )

    def scene(self, split, index):
        """Returns the `ShapeScene` of an example."""
        family, place = divmod(index, _FAMILY_SIZE)
        own = self._random(split, index, "contents")
        if place < 3:
            contents = _contents(self._random(split, family, "family"))
            if place == 2:
                contents = _recoloured(contents)
        else:
            contents = _contents(own)
        own.shuffle(contents)
        arrangement = self._random(split, index, "arrangement")
        return ShapeScene.sample(arrangement, contents, self.image_size)

    def captions(self, split, index, scene=None):
        """Returns the `Caption`s of an example: its sentences with what they claim."""
        scene = scene or self.scene(split, index)
        return describe(scene, self._random(split, index, "captions"))

    def _random(self, *key):
        return random.Random("/".join(map(str, (_VERSION, self.seed, *key))))

    def sentence_to_image_ceiling(self, split, ignore=()):
        """Measures how well a reader who makes no mistake can tell the scenes apart.

        Args:
            split: name of the split.
            ignore: predicates (see `Claim`) which the reader does not understand, e.g.
                `("relation", "position", "group position")` for one blind to arrangement.

        Returns:
            A `Ceiling`: `num_true_scenes`, int32 `[num_captions]` with the number of scenes of the
            split of which each sentence is true; `recall_at_1`, the share of sentences whose own
            scene such a reader ranks first on average, the mean of 1 / `num_true_scenes`;
            `num_duplicates`, the number of scenes that look like another: the same shapes,
            colours and sizes in the same ninths of the image on the same background.

        Raises:
            ValueError: for an unknown split.
        """
        scenes = [self.scene(split, index) for index in range(self.num_examples(split))]
        showing = _scenes_by_kind(scenes)
        counts = []
        for index, own in enumerate(scenes):
            for caption in self.captions(split, index, own):
                claims = [claim for claim in caption.claims if claim.predicate not in ignore]
                candidates = _candidates(claims, showing, len(scenes))
                counts.append(sum(satisfies(claims, scenes[other]) for other in candidates))
        counts = np.array(counts, np.int32)
        looks = collections.Counter(map(_look, scenes))
        duplicates = sum(count for count in looks.values() if count > 1)
        recall = float(np.mean(1.0 / counts)) if len(counts) else float("nan")
        return Ceiling(counts, recall, duplicates)


def _contents(rng):
    """Returns `(colour, shape)` pairs; colours, shapes and both recur within a scene."""
    (count,) = rng.choices(_NUM_SHAPES, _NUM_SHAPES_WEIGHTS)
    contents = []
    for _ in range(count):
        colour, name = rng.choice(tuple(COLOURS)), rng.choice(SHAPES)
        if contents:
            model = rng.choice(contents)
            likeness = rng.random()
            if likeness < 0.30:
                colour = model[0]
            if likeness < 0.10 or likeness > 0.8:
                name = model[1]
        contents.append((colour, name))
    return contents


def _recoloured(contents):
    """Returns the contents with each thing in the colour of the next."""
    colours = [colour for colour, _ in contents]
    names = [name for _, name in contents]
    return list(zip(colours[1:] + colours[:1], names, strict=True))


def _look(scene):
    things = sorted(
        (shape.colour, shape.shape, shape.size, *(min(2, int(3 * value)) for value in center))
        for shape, center in zip(scene.shapes, scene.centers, strict=True)
    )
    return scene.background.kind, tuple(things)


def _scenes_by_kind(scenes):
    showing = collections.defaultdict(set)
    for index, scene in enumerate(scenes):
        for shape in scene.shapes:
            showing[shape.colour, shape.shape].add(index)
    return showing


def _candidates(claims, showing, num_scenes):
    """Returns scenes among which are all those that satisfy the claims."""
    needed = [claim.arguments[1:] for claim in claims if claim.predicate == "kind"]
    needed += [
        claim.arguments[0][1:]
        for claim in claims
        if claim.predicate == "count" and None not in claim.arguments[0][1:]
    ]
    if not needed:
        return range(num_scenes)
    return functools.reduce(set.intersection, (showing[kind] for kind in needed))


def _iou(a, b):
    # Most boxes lie apart: `box_overlap` would take ten times as long for a single pair.
    height = min(a[2], b[2]) - max(a[0], b[0])
    if height <= 0:
        return 0.0
    width = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return height * width / (both - height * width)


def _proposals(boxes, rng):
    """Returns `(box, score)` as from a detector of things, in random order.

    Each shape is found once or twice, not quite exactly; there are parts of shapes, boxes round
    two of them, and boxes of nothing. Scores say how likely a box shows one whole thing.
    """
    found = [_shaken(box, rng) for box in boxes for _ in range(rng.choice((1, 2, 2)))]
    scored = [(box, rng.gauss(0.72, 0.12)) for box in found]
    vague = [_part(box, rng) for box in boxes for _ in range(rng.choice((1, 2)))]
    pairs = list(itertools.combinations(boxes, 2))
    for a, b in rng.sample(pairs, k=min(4, len(pairs))):
        vague.append((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    scored += [(box, rng.gauss(0.45, 0.12)) for box in vague]
    while len(scored) < _NUM_PROPOSALS:
        scored.append((_elsewhere(boxes, rng), rng.gauss(0.35, 0.12)))
    rng.shuffle(scored)
    return [(box, min(0.99, max(0.01, score))) for box, score in scored]


def _shaken(box, rng):
    """Returns a box of IoU 0.6 to 0.95 with the given one."""
    height, width = box[2] - box[0], box[3] - box[1]
    while True:
        moves = [rng.uniform(-0.16, 0.16) for _ in range(4)]
        sides = (height, width, height, width)
        moved = zip(box, moves, sides, strict=True)
        shaken = tuple(min(1.0, max(0.0, edge + move * side)) for edge, move, side in moved)
        if 0.6 <= _iou(shaken, box) <= 0.95:
            return shaken


def _part(box, rng):
    """Returns a box inside the given one that covers less than 0.4 of it."""
    height = (box[2] - box[0]) * rng.uniform(0.4, 0.62)
    width = (box[3] - box[1]) * rng.uniform(0.4, 0.62)
    ymin = rng.uniform(box[0], box[2] - height)
    xmin = rng.uniform(box[1], box[3] - width)
    return ymin, xmin, ymin + height, xmin + width


def _elsewhere(boxes, rng):
    """Returns a random box that fits none of the given ones."""
    while True:
        height, width = rng.uniform(0.12, 0.6), rng.uniform(0.12, 0.6)
        ymin, xmin = rng.uniform(0.0, 1.0 - height), rng.uniform(0.0, 1.0 - width)
        box = (ymin, xmin, ymin + height, xmin + width)
        if all(_iou(box, other) < 0.4 for other in boxes):
            return box
