"""Photographs of training batches changed at random: mirrored, distorted, partly erased.

What is drawn is a pure function of (seed, step, captions of the batch of all hosts), so that a run
that goes on, also on more or fewer hosts, sees what the uninterrupted one would have seen. The
operations are Model Garden's; their own draws are not such.
"""

import functools
import math
import re

import numpy as np
import tensorflow as tf

# Cubuk et al. 2020 (arXiv:1909.13719): two of these 14, at level 9, for ResNet-50 on ImageNet.
_RANDAUGMENT_LAYERS, _RANDAUGMENT_LEVEL = 2, 9
_RANDAUGMENT = (
    *("Identity", "AutoContrast", "Equalize", "Rotate", "Solarize", "Color", "Posterize"),
    *("Contrast", "Brightness", "Sharpness", "ShearX", "ShearY", "TranslateX", "TranslateY"),
)
# Cubuk et al. 2019 (arXiv:1805.09501), table 9, as Model Garden calls it.
_AUTOAUGMENT = "reduced_imagenet"
# What moves things, at the highest level: degrees, slopes, and shares of a side (150 / 331 pixels).
_MOVES = {"Rotate": 30.0, "ShearX": 0.3, "ShearY": 0.3, "TranslateX": 0.45, "TranslateY": 0.45}
_HIGHEST_LEVEL = 10
_GREY = 128
# Zhong et al. 2017 (arXiv:1708.04896), Model Garden's defaults: of so many photographs such a share
# is erased, by a rectangle whose height by width is from this to its inverse.
_ERASED = {"probability": 0.25, "area": (0.02, 1 / 3), "aspect": 0.3}
# With leftmost, right-hand, bottom-right; not bright or upright. The second row is German.
_SIDE = re.compile(
    r"left|\bright|(?:top|bottom|upper|lower)right"
    r"|\b(?:link|recht)(?:s|e[nrms]?)\b"
)


def make_augmentation(name, data, seed, say):
    """Returns the `Augmentation` of a run's training batches; None where there is none.

    Args:
        name: `none`, or of `Augmentation`.
        data: `SplitData` of the training split.
        seed: of the run.
        say: called with a line of what is not mirrored.
    """
    if name == "none":
        return None
    pipeline, captions = data.pipeline, data.records.captions
    augmentation = Augmentation(name, captions, pipeline.image_size, pipeline.has_regions, seed)
    num_sides = int(augmentation.names_side.sum())
    say(
        f"--augmentation={name}: {num_sides} of {len(captions)} sentences hold left or right; "
        "batches with them do not mirror their photographs"
    )
    return augmentation


class Augmentation:
    """Changes the photographs of training batches.

    All rows of an image in a batch, on whatever host, are alike, for losses take its sentences as
    true of each of them. It is mirrored, boxes and all, unless one of those sentences holds left or
    right. Where regions are read, RandAugment and AutoAugment go without the operations that move
    things: Model Garden's forms of them that move boxes, too, make boxes of padding, cut the whole
    frame, and round to pixels.

    Below n is the number of rows and K of operations one after another.

    Args:
        name: `mirror`, `randaugment` or `autoaugment`; the last two mirror and erase as well.
        captions: list of M str, those of the split.
        image_size: S, pixels.
        has_regions: whether boxes are read other than the whole frame.
        seed: whole number of at least 0.

    Attributes:
        names_side: bool [M], captions that hold left or right.

    Raises:
        ValueError: there is no such augmentation.
    """

    def __init__(self, name, captions, image_size, has_regions=True, seed=0):
        if name not in ("mirror", "randaugment", "autoaugment"):
            raise ValueError(
                "Expected augmentation to be mirror, randaugment or autoaugment. "
                f"Received: augmentation={name!r}"
            )
        self.names_side = np.array([_SIDE.search(text.lower()) is not None for text in captions])
        self._image = tf.TensorSpec([image_size, image_size, 3], tf.uint8)
        self._seed = seed
        self._distorts = name != "mirror"
        if self._distorts:
            self._choose_policies(name, image_size, has_regions)

    def shapes(self, rows):
        """Returns the shape of each entry that `draw` adds, a dict of lists; rows: n, or None."""
        if not self._distorts:
            return {"mirrored": [rows]}
        steps = [rows, self._layers * self._operations.shape[1]]
        return {"mirrored": [rows], "operations": steps, "directions": steps, "erased": [rows, 4]}

    def draw(self, batch, step, whole=None, rows=slice(None)):
        """Returns a batch with its boxes mirrored, and what `apply` does to its images.

        Args:
            batch: dict of arrays as of `BatchAssembler.assemble_batch`.
            step: from 0, counted through all epochs.
            whole: dict of image_id and sentence_id, int [N], of the batch of all hosts; None: it
                is `batch`.
            rows: slice of `whole` that `batch` has.

        Returns:
            dict of the batch; mirrored bool [n], and unless that is all operations int32 [n, K],
            0 for none, directions float32 [n, K] of -1 or 1, erased float32 [n, 4], a box.
        """
        # Other numbers than those of `PhraseRegions`, which are of [seed, step].
        generator = np.random.Generator(np.random.PCG64([self._seed, step, 1]))
        # Captions of an image may lie on several hosts, and a draw is of its place among all.
        whole = whole or batch
        images, image_of_row = np.unique(whole["image_id"], return_inverse=True)
        mirrored = generator.random(len(images)) < 0.5
        mirrored[image_of_row[self.names_side[whole["sentence_id"]]]] = False
        drawn = {"mirrored": mirrored}
        if self._distorts:
            drawn |= self._draw_operations(len(images), generator)
            drawn["erased"] = _draw_erased(len(images), generator)
        drawn = {name: values[image_of_row[rows]] for name, values in drawn.items()}
        mirrored = drawn["mirrored"]
        boxes = batch["region_boxes"]
        there = mirrored[:, None] & batch["region_mask"]
        drawn["region_boxes"] = np.where(there[..., None], mirrored_boxes(boxes), boxes)
        if "phrase_boxes" in batch:
            boxes = batch["phrase_boxes"]
            drawn["phrase_boxes"] = np.where(mirrored[:, None], mirrored_boxes(boxes), boxes)
        return batch | drawn

    def apply(self, batch):
        """Returns a batch of tensors with its images changed, without what was drawn.

        Args:
            batch: dict as of `draw`, with images uint8 [n, S, S, 3].
        """
        batch = dict(batch)
        drawn = {name: batch.pop(name) for name in self.shapes(None)}
        images = tf.map_fn(self._change, (batch["images"], drawn), fn_output_signature=self._image)
        return batch | {"images": images}

    def _choose_policies(self, name, image_size, has_regions):
        from official.vision.ops import augment  # Model Garden takes seconds to import.

        if name == "randaugment":
            policies = [[(operation, 1.0, _RANDAUGMENT_LEVEL)] for operation in _RANDAUGMENT]
            self._layers = _RANDAUGMENT_LAYERS
        else:
            policies, self._layers = augment.AutoAugment(_AUTOAUGMENT).policies, 1
        if has_regions:
            policies = [[row for row in policy if row[0] not in _MOVES] for policy in policies]
            policies = list(filter(None, policies))
        # Operation 0 is none: what a policy draws and does not apply, and where it has fewer.
        kinds = [("Identity", 0)]
        width = max(map(len, policies))
        self._operations = np.zeros((len(policies), width), np.int32)
        self._probabilities = np.zeros((len(policies), width))
        for policy, rows in enumerate(policies):
            for place, (operation, probability, level) in enumerate(rows):
                kind = kinds[0] if operation == "Identity" else (operation, level)
                if kind not in kinds:
                    kinds.append(kind)
                self._operations[policy, place] = kinds.index(kind)
                self._probabilities[policy, place] = probability
        functions = [_operation(augment, *kind, image_size) for kind in kinds]
        self._operate = tf.function(
            lambda image, operation, direction: tf.switch_case(
                operation, [functools.partial(of, image, direction) for of in functions]
            ),
            input_signature=[
                self._image,
                tf.TensorSpec([], tf.int32),
                tf.TensorSpec([], tf.float32),
            ],
        )

    def _draw_operations(self, num_images, generator):
        policies = generator.integers(len(self._operations), size=(num_images, self._layers))
        operations = self._operations[policies].reshape(num_images, -1)
        applied = generator.random(operations.shape) < self._probabilities[policies].reshape(
            num_images, -1
        )
        directions = np.where(generator.random(operations.shape) < 0.5, np.float32(-1), 1)
        return {
            "operations": np.where(applied, operations, 0).astype(np.int32),
            "directions": directions.astype(np.float32),
        }

    def _change(self, arguments):
        image, drawn = arguments
        image = tf.cond(drawn["mirrored"], lambda: tf.reverse(image, [1]), lambda: image)
        if not self._distorts:
            return image
        for operation, direction in zip(
            tf.unstack(drawn["operations"]), tf.unstack(drawn["directions"]), strict=True
        ):
            image = tf.ensure_shape(self._operate(image, operation, direction), self._image.shape)
        return _with_grey(image, drawn["erased"])


def mirrored_boxes(boxes):
    """Returns boxes `[..., 4]`, normalised `ymin, xmin, ymax, xmax`, in the mirrored image."""
    ymin, xmin, ymax, xmax = np.moveaxis(boxes, -1, 0)
    return np.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=-1)


def _operation(augment, name, level, image_size):
    """Returns Model Garden's operation as a function of an image and a direction, -1 or 1."""
    if name == "Identity":
        return lambda image, direction: tf.identity(image)
    function = augment.NAME_TO_FUNC[name]
    if name in _MOVES:
        furthest = _MOVES[name] * level / _HIGHEST_LEVEL
        if name.startswith("Translate"):
            furthest *= image_size
        return lambda image, direction: function(image, direction * furthest, [_GREY] * 3)
    arguments = augment.level_to_arg(cutout_const=0, translate_const=0)[name](level)
    return lambda image, direction: function(image, *arguments)


def _draw_erased(num_images, generator):
    """Returns boxes float32 `[num_images, 4]`, empty where nothing is erased."""
    share = generator.uniform(*_ERASED["area"], num_images)
    aspect = math.log(_ERASED["aspect"])
    aspect = np.exp(generator.uniform(aspect, -aspect, num_images))
    sides = np.minimum(np.sqrt(np.stack([share * aspect, share / aspect], axis=1)), 1)
    start = generator.random((num_images, 2)) * (1 - sides)
    boxes = np.concatenate([start, start + sides], axis=1)
    erased = generator.random(num_images) < _ERASED["probability"]
    return (boxes * erased[:, None]).astype(np.float32)


def _with_grey(image, box):
    """Returns an image `[S, S, 3]`, grey where pixels' centres lie in a box; it may be empty."""
    size = image.shape[0]

    def erase():
        centres = (tf.range(size, dtype=tf.float32) + 0.5) / size
        ymin, xmin, ymax, xmax = tf.unstack(box)
        rows = (ymin <= centres) & (centres < ymax)
        columns = (xmin <= centres) & (centres < xmax)
        inside = rows[:, None, None] & columns[:, None]
        return tf.where(inside, tf.constant(_GREY, tf.uint8), image)

    return tf.cond(box[2] > 0, erase, lambda: image)
