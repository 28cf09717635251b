"""COCO's instance boxes.

Source: Lin et al., "Microsoft COCO: common objects in context", 2014.
"""

import collections
import math

from tfrecords_tools.archive import AnnotationFile
from tfrecords_tools.sources.source import object_classes, whole_number
from vsa_tf.data.schema import AnnotatedBox
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of


class CocoInstances:
    """Reads the boxes of `instances_{train,val}{2014,2017}.json`.

    Each instance is a chain of its own, `CATEGORY#ID`, and of its category's class. Boxes are
    clipped to the photograph and normalised by its stated size. Crowds, boxes without area, second
    annotations of one id and second entries of one image are left out; if that is in another file,
    with its boxes.

    Args:
        path: directory or zip that holds one or several of the files, or one file.

    Raises:
        OSError: when there are none, or one cannot be read.
        ValueError: when one is not such a file, or a category has several names.
    """

    def __init__(self, path):
        files = AnnotationFile.find(path, r"instances_.*\.json")
        if not files:
            raise FileNotFoundError(
                f"Expected instances_*.json, the boxes. Received: {str(path)!r}, which holds none. "
                "Get annotations_trainval2014.zip (or 2017) from https://cocodataset.org and pass "
                "it as --entities."
            )
        self._sizes, self._instances, self._num_repeated, self._num_entries = {}, {}, {}, {}
        self._num_unnumbered = 0
        self._checksums, named = {}, set()
        for file in files:
            named |= self._add(file, set())
            self._checksums[file.name] = file.sha256
        self._classes = object_classes(named, f"categories of {', '.join(self._checksums)}")

    def checksums(self):
        """Returns the SHA-256 of each file, by name."""
        return dict(self._checksums)

    def leftovers(self, filenames):
        """Returns what belongs to no image, as `Flickr30kEntities.leftovers` has it.

        Args:
            filenames: not looked at, the files say which images there are.
        """
        counts = collections.Counter(self._num_repeated)
        counts.update({image_id: len(own) for image_id, own in self._instances.items()})
        reasons = []
        if self._num_unnumbered:
            reasons.append(f"{self._num_unnumbered} entries whose ids are no whole numbers")
        strays = set(counts) - set(self._sizes)
        if strays:
            count = sum(counts[image_id] for image_id in strays)
            reasons.append(
                f"{count} boxes of no image in the instances files (first: of {min(strays)})"
            )
        return reasons

    def annotate(self, image_id, captions):
        """Returns the boxes of a photograph, as `Flickr30kEntities.annotate` does.

        Args:
            image_id: COCO's number of the photograph.
            captions: not looked at, COCO has no phrases.

        Returns:
            `(objects, (), problems)`: a tuple of `AnnotatedBox`, and a list of `(None, reason)`
            of what was left out.
        """
        if image_id not in self._sizes:
            return (), (), [(None, f"no image {image_id} in the instances files")]
        width, height = self._sizes[image_id]
        objects, problems = [], []
        num_crowds = 0
        for number, label, is_crowd, place in self._instances.get(image_id, ()):
            category = self._classes[label]
            chain, (x, y, box_width, box_height) = f"{category.name}#{number}", place
            box = (
                min(max(y / height, 0.0), 1.0),
                min(max(x / width, 0.0), 1.0),
                min(max((y + box_height) / height, 0.0), 1.0),
                min(max((x + box_width) / width, 0.0), 1.0),
            )
            if is_crowd:
                num_crowds += 1
            elif box[2] <= box[0] or box[3] <= box[1]:
                problems.append((None, f"the box of {chain} has no area inside the image"))
            else:
                objects.append(AnnotatedBox(chain, box, category))
        if num_crowds:
            problems.append((None, f"boxes of crowds are left out: {num_crowds}"))
        if image_id in self._num_repeated:
            reason = f"second boxes of an id are left out: {self._num_repeated[image_id]}"
            problems.append((None, reason))
        if image_id in self._num_entries:
            reason = f"second entries of the image are left out: {self._num_entries[image_id]}"
            problems.append((None, reason))
        return tuple(objects), (), problems

    def _add(self, file, seen):
        """Takes in a file; returns the `(label, name)` of its categories."""
        # The outlines are nine tenths of the file: dropped one by one, not when all is parsed.
        content = file.read_json(object_hook=_without_outline)
        try:
            named = [
                (whole_number(item["id"]), str(item["name"])) for item in content["categories"]
            ]
            labels = {label: label for label, _ in named if label is not None}
            earlier, elsewhere = frozenset(self._sizes), set()
            for item in content["images"]:
                number = whole_number(item["id"])
                if number is None:
                    self._num_unnumbered += 1
                    continue
                size = float(item["width"]), float(item["height"])
                if not all(0 < side < math.inf for side in size):
                    raise ValueError(f"image {number} of {size[0]:g} x {size[1]:g} pixels")
                if number in self._sizes:
                    self._num_entries[number] = self._num_entries.get(number, 0) + 1
                if number in earlier:
                    elsewhere.add(number)
                self._sizes.setdefault(number, size)
            for item in content["annotations"]:
                number, image_id = whole_number(item["id"]), whole_number(item["image_id"])
                if number is None or image_id is None:
                    self._num_unnumbered += 1
                    continue
                if number in seen or image_id in elsewhere:
                    self._num_repeated[image_id] = self._num_repeated.get(image_id, 0) + 1
                    continue
                seen.add(number)
                box = tuple(float(value) for value in item["bbox"])
                if len(box) != 4 or not all(map(math.isfinite, box)):
                    raise ValueError(f"the box {item['bbox']} of annotation {number}")
                label = labels[whole_number(item["category_id"])]
                instance = (number, label, bool(item["iscrowd"]), box)
                self._instances.setdefault(image_id, []).append(instance)
            return {(label, name) for label, name in named if label is not None}
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected COCO's instances in {file.name}: images with id, width and height, "
                "annotations with id, image_id, category_id, iscrowd and bbox [x, y, width, "
                f"height], categories with id and name. Received: {reason_of(error)}."
            ) from None


def _without_outline(content):
    content.pop("segmentation", None)
    return content
