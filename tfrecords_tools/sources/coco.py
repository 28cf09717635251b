"""COCO: 123,287 photographs with five to seven captions each, in the official splits; boxes.

Source: Chen et al., "Microsoft COCO captions: data collection and evaluation server", 2015; Lin et
al., "Microsoft COCO: common objects in context", 2014.
"""

import collections
import functools
import math
import os
import re

from tfrecords_tools.archive import AnnotationFile, normal_path, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource, file_names
from tfrecords_tools.sources.source import (
    MOST_PIXELS,
    SourceExample,
    object_classes,
    shown,
    split_name,
    whole_number,
)
from vsa_tf.data.schema import AnnotatedBox
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of

_OFFICIAL_COUNTS = {
    "2014": {"train": 82_783, "dev": 40_504},
    "2017": {"train": 118_287, "dev": 5000},
}
_NAMES = r"captions_(train|val|validation|dev|test)\d*\.json"


class Coco(CaptionSource):
    """Parses `captions_{train,val,test}{2014,2017}.json`; `val`, or `validation`, is `dev`.

    The test photographs of COCO have no published captions; other data sets in its format, without
    a year, may have `captions_test.json`. Karpathy's splits, which most papers report on, are the
    data set `karpathy_json`.

    Args:
        images: directory or zip of the photographs, in any folders: `file_name` is a path in it or
            the last parts of one.
        captions: directory or zip that holds captions of one year, or a file; or a list of these.
        instances: directory or zip that holds `instances_*.json`, or one file; None for no boxes.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "coco"

    def __init__(self, images, captions, instances=None):
        super().__init__()
        self._images = open_photographs(images)
        self._files = self._find(captions)
        self._photographs = {split: {} for split in self._files}
        for split, file in self._files.items():
            self._parse_file(split, file)
        names = [photo[0] for split in self._photographs.values() for photo in split.values()]
        self._filenames = file_names(names)
        if not any(self._images.locate(name) for name in names):
            advice = (
                f" Get train{self._year}.zip and val{self._year}.zip from https://cocodataset.org, "
                "unpack them into one directory and pass it as --images."
            )
            raise ValueError(
                f"Expected the photographs of the captions, for example {shown(names[0])}. "
                f"Received: {self._images.path!r}, which holds none of them."
                f"{advice if self._year else ''}"
            )
        self._instances = None if instances is None else CocoInstances(instances)
        if self._instances is not None:
            for reason in self._instances.leftovers(names):
                self._skip("", "entities", reason)

    @property
    def official_counts(self):
        """The number of photographs of each split of this year."""
        return _OFFICIAL_COUNTS.get(self._year, {})

    def splits(self):
        """Returns the names of the splits whose captions were found."""
        return tuple(self._files)

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        boxes = {} if self._instances is None else self._instances.checksums()
        return dict(sorted({**self._checksums, **boxes}.items()))

    def _find(self, paths):
        paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
        received = ", ".join(repr(str(path)) for path in paths)
        found = [file for path in paths for file in AnnotationFile.find(path, _NAMES)]
        if not found:
            advice = (
                "Get annotations_trainval2014.zip (or 2017) from https://cocodataset.org and pass "
                "it as --captions."
            )
            if any(AnnotationFile.find(path, r"dataset_.*\.json") for path in paths):
                advice = "For Karpathy's file give --dataset=karpathy_json."
            raise FileNotFoundError(
                "Expected captions_train2014.json and captions_val2014.json (or 2017). "
                f"Received: {received}, which holds neither. {advice}"
            )
        files = {split: [] for split in ("train", "dev", "test")}
        for file in found:
            files[split_name(re.fullmatch(_NAMES, file.name)[1])].append(file)
        years = {re.sub(r"\D", "", file.name) for file in found}
        if len(years) > 1 or any(len(several) > 1 for several in files.values()):
            raise ValueError(
                "Expected the captions of one year, each split once. Received: "
                f"{', '.join(file.name for file in found)} in {received}. Pass a directory with "
                "those that you mean."
            )
        (self._year,) = years
        return {split: several[0] for split, several in files.items() if several}

    def _parse_file(self, split, file):
        """Fills `{image id: (file name, [(caption id, caption)])}`."""
        content = file.read_json()
        self._checksums[file.name] = file.sha256
        photographs, seen = self._photographs[split], set()
        try:
            for item in content["images"]:
                number, name = whole_number(item["id"]), item["file_name"]
                if number is None or not isinstance(name, str):
                    reason = f"the id or the file_name is none: {shown(name)}"
                    self._skip(split, shown(item["id"]), reason)
                    continue
                if any(number in known for known in self._photographs.values()):
                    self._skip(split, str(number), "a second photograph of this id")
                    continue
                photographs[number] = (normal_path(name), [])
            for item in content["annotations"]:
                number, image_id = whole_number(item["id"]), whole_number(item["image_id"])
                if number is None or image_id is None:
                    where = f"{shown(item['image_id'])}#{shown(item['id'])}"
                    self._skip(split, where, "the id or the image_id is no whole number")
                    continue
                if number in seen:
                    self._skip(split, f"{image_id}#{number}", "a second caption of this id")
                elif image_id not in photographs:
                    reason = "a caption of no photograph in the file"
                    self._skip(split, f"{image_id}#{number}", reason)
                else:
                    photographs[image_id][1].append((number, item["caption"]))
                seen.add(number)
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected COCO's captions in {file.name}: images with id and file_name, "
                f"annotations with id, image_id and caption. Received: {reason_of(error)}."
            ) from None
        if not photographs:
            first = f" First reason: {self._skipped[-1].reason}." if self._skipped else ""
            raise ValueError(f"Expected images in {file.name}. Received: none.{first}")

    def _parse(self, split):
        for number, (name, captions) in self._photographs[split].items():
            source_id = str(number)
            path = self._images.locate(name)
            if path is None:
                self._skip(split, source_id, f"{name} is not in --images")
                continue
            usable = self._usable_captions(split, source_id, captions)
            if not usable:
                continue
            texts = tuple(text for _, text in usable)
            objects = ()
            if self._instances is not None:
                objects, _, problems = self._instances.annotate(number, texts)
                for _, reason in problems:
                    self._skip(split, source_id, reason)
            yield SourceExample(
                source_id=source_id,
                filename=self._filenames[name],
                captions=texts,
                read_image=functools.partial(self._images.read, path),
                objects=objects,
                path=path,
            )


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
                if not all(0 < side < MOST_PIXELS for side in size):
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
