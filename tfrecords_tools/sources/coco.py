"""COCO captions: 123,287 photographs with five to seven captions each, in the official splits.

Source: Chen et al., "Microsoft COCO captions: data collection and evaluation server", 2015.
"""

import functools
import os
import re

from tfrecords_tools.archive import AnnotationFile, normal_path, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource
from tfrecords_tools.sources.coco_instances import CocoInstances
from tfrecords_tools.sources.photograph_names import file_names
from tfrecords_tools.sources.source import SourceExample, shown, split_name, whole_number
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
                f"Expected the photographs of the captions, for example {names[0]}. Received: "
                f"{self._images.path!r}, which holds none of them.{advice if self._year else ''}"
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
