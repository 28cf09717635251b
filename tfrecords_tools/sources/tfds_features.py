"""Which features of a tensorflow-datasets builder are photograph, captions, and boxes."""

import dataclasses
import logging
import os

import numpy as np

from vsa_tf.data.schema import THING, AnnotatedBox, ObjectClass

# The first of these names that there is.
_CAPTIONS = (
    "captions",
    "caption",
    "sentences",
    "sentence",
    "descriptions",
    "description",
    "texts",
    "text",
)
_TEXTS = ("text", "raw", "caption", "sentence")
_SOURCE_IDS = ("image/id", "image_id", "id")
_FILENAMES = ("image/filename", "filename", "file_name")


class TfdsBoxes:
    """The boxes of a sequence of several features, such as `objects` of COCO.

    Each box is a chain of its own, `LABEL#ID`: its class where there is one class feature, its `id`
    or else its place. Boxes are clipped to the photograph. Crowds (`is_crowd`) and boxes without
    area are left out.

    Args:
        name: of the sequence.
        features: dict of the features in it.

    Attributes:
        name: of the sequence.
        parts: set of the names in it that are read.

    Raises:
        ValueError: when there are boxes of two kinds, and none is called `bbox`.
    """

    def __init__(self, name, features):
        boxes = self.names(features)
        if len(boxes) > 1 and "bbox" not in boxes:
            raise ValueError(
                f"Expected one box in {name}, or one called bbox. Received: {', '.join(boxes)}"
            )
        class_label = load_tfds().features.ClassLabel
        labels = [part for part, own in features.items() if isinstance(own, class_label)]
        self.name = name
        self._box = "bbox" if "bbox" in boxes else boxes[0]
        self._label = labels[0] if len(labels) == 1 else None
        self._class_names = features[self._label].names if self._label else ()
        numbers = {
            part
            for part in ("id", "is_crowd")
            if part in features
            and np.dtype(features[part].get_tensor_info().np_dtype).kind in "biu"
        }
        self.parts = {self._box, self._label, *numbers} - {None}

    @staticmethod
    def names(features):
        """Returns which of the features are boxes, normalised `(ymin, xmin, ymax, xmax)`."""
        box = load_tfds().features.BBoxFeature
        return [
            name
            for name, own in features.items()
            if isinstance(own, box) and getattr(own.bbox_format, "name", "") == "REL_YXYX"
        ]

    def annotate(self, values):
        """Reads the boxes of a photograph.

        Args:
            values: dict of the parts, one row a box.

        Returns:
            `(objects, problems)`: a tuple of `AnnotatedBox`, and a list of reasons for what was
            left out.
        """
        objects, problems, num_crowds = [], [], 0
        for row, box in enumerate(np.clip(values[self._box], 0.0, 1.0).tolist()):
            kind, name, index = THING, "object", 0
            if self._label:
                index = int(values[self._label][row])
                # -1 is a box whose class is not told.
                if index >= 0:
                    kind = ObjectClass(index + 1, self._class_names[index])
                    name = kind.name
            chain = f"{name}#{values['id'][row] if 'id' in self.parts else row}"
            if "is_crowd" in self.parts and values["is_crowd"][row]:
                num_crowds += 1
            elif index < 0:
                problems.append(f"the box of {chain} has no class")
            elif not (box[2] > box[0] and box[3] > box[1]):
                problems.append(f"the box of {chain} has no area inside the image")
            else:
                objects.append(AnnotatedBox(chain, tuple(box), kind))
        if num_crowds:
            problems.append(f"boxes of crowds are left out: {num_crowds}")
        return tuple(objects), problems


@dataclasses.dataclass(frozen=True)
class TfdsFeatures:
    """The features that make a `SourceExample`.

    Attributes:
        image: name of the photograph.
        captions: name of the captions.
        text: name of their text, where they are a sequence of several features; or None.
        boxes: `TfdsBoxes`, or None.
        source_id: name of the photograph's number or key, or None.
        filename: name of the photograph's file name, or None.
    """

    image: str
    captions: str
    text: str | None
    boxes: TfdsBoxes | None
    source_id: str | None
    filename: str | None

    @classmethod
    def find(cls, features):
        """Finds them.

        The photograph is the only image, or `image`. The captions are the first of `captions`,
        `caption`, `sentences`, `sentence`, `descriptions`, `description`, `texts` and `text` that
        is text, a row of texts, or a sequence of several features with one text among them, or one
        called `text`, `raw`, `caption` or `sentence`. The boxes are those of the only sequence of
        several features that has some, or of `objects`; there need not be any.

        Args:
            features: `tfds.features.FeaturesDict` of a builder.

        Returns:
            `TfdsFeatures`.

        Raises:
            ValueError: listing the features, when it is not clear which is which.
        """
        tfds = load_tfds()
        images = [name for name, own in features.items() if type(own) is tfds.features.Image]
        captions = [name for name in _CAPTIONS if name in features and _texts(features[name])]
        with_boxes = [name for name, own in features.items() if TfdsBoxes.names(_parts(own) or {})]
        if not images or len(images) > 1 and "image" not in images:
            raise _unclear("one image, or one called image", features)
        if not captions:
            raise _unclear(f"text called {', '.join(_CAPTIONS)}", features)
        if len(with_boxes) > 1 and "objects" not in with_boxes:
            raise _unclear("boxes in one sequence, or in one called objects", features)
        boxes = None
        if with_boxes:
            name = "objects" if "objects" in with_boxes else with_boxes[0]
            boxes = TfdsBoxes(name, _parts(features[name]))
        return cls(
            image="image" if "image" in images else images[0],
            captions=captions[0],
            text=_texts(features[captions[0]])[0],
            boxes=boxes,
            source_id=_scalar(features, _SOURCE_IDS),
            filename=_scalar(features, _FILENAMES),
        )

    def annotations(self):
        """Returns what `tfds.decode.PartialDecoding` takes for all of these but the photograph."""
        names = {self.captions: {self.text} if self.text else True}
        names |= {name: True for name in (self.source_id, self.filename) if name}
        return names | ({self.boxes.name: self.boxes.parts} if self.boxes else {})


def _unclear(what, features):
    listed = ", ".join(f"{name}: {_shown(feature)}" for name, feature in features.items())
    return ValueError(
        f"Expected {what}, among the features of the data set. Received: {listed}. Write such a "
        "builder, or a table of paths and captions for --dataset=csv"
    )


def _shown(feature):
    parts = _parts(feature)
    if parts is None:
        return type(feature).__name__
    return "{" + ", ".join(f"{name}: {_shown(part)}" for name, part in parts.items()) + "}"


def _parts(feature):
    """Returns the features in a sequence of several, a dict; None of any other feature."""
    features = load_tfds().features
    inner = feature.feature if type(feature) is features.Sequence else None
    return dict(inner.items()) if isinstance(inner, features.FeaturesDict) else None


def _texts(feature):
    """Returns the names of the texts in a sequence, of one called as captions are only that.

    Of a feature that is text itself, or a row of texts, it is `[None]`; without text `[]`.
    """
    parts = _parts(feature)
    if parts is None:
        return [None] if _is_text(feature, (0, 1)) else []
    texts = [name for name, own in parts.items() if _is_text(own, (0,))]
    named = [name for name in _TEXTS if name in texts]
    return named[:1] or (texts if len(texts) == 1 else [])


def _is_text(feature, ranks):
    tensor = feature.get_tensor_info()
    if isinstance(tensor, dict):
        return False
    return np.dtype(tensor.np_dtype).kind == "O" and len(tensor.shape) in ranks


def _scalar(features, names):
    """Returns the first of the names that is a single value, or None."""
    for name in names:
        if name in features and getattr(features[name].get_tensor_info(), "shape", None) == ():
            return name
    return None


def load_tfds():
    """Imports tensorflow-datasets.

    Returns:
        The module `tensorflow_datasets`.

    Raises:
        ValueError: it is not installed.
    """
    # It reads records with TensorFlow, which would take all of a GPU that the writer's own
    # processes need.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ValueError(
            "--dataset=tfds:NAME needs tensorflow-datasets, which is not installed: "
            'pip install "vsa_tf[tfds]"'
        ) from error
    logging.getLogger("absl").addFilter(_is_not_of_its_own_names)
    return tensorflow_datasets


def _is_not_of_its_own_names(record):
    """It warns of an old name that it uses itself, once for every feature and file."""
    return "`FeatureConnector.dtype` is deprecated" not in record.getMessage()
