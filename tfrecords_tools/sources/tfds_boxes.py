"""Annotated boxes among the features of a tensorflow-datasets builder."""

import numpy as np

from tfrecords_tools.sources.load_tfds import load_tfds
from tfrecords_tools.sources.source_example import AnnotatedBox


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
            label = self._class_names[values[self._label][row]] if self._label else "object"
            chain = f"{label}#{values['id'][row] if 'id' in self.parts else row}"
            if "is_crowd" in self.parts and values["is_crowd"][row]:
                num_crowds += 1
            elif not (box[2] > box[0] and box[3] > box[1]):
                problems.append(f"the box of {chain} has no area inside the image")
            else:
                objects.append(AnnotatedBox(chain, tuple(box)))
        if num_crowds:
            problems.append(f"boxes of crowds are left out: {num_crowds}")
        return tuple(objects), problems
