"""Flickr8K, Flickr30K and COCO in Karpathy's splits: his JSON of captions, with photographs.

Source: Karpathy and Fei-Fei, "Deep visual-semantic alignments for generating image descriptions",
2015; https://cs.stanford.edu/people/karpathy/deepimagesent
"""

import collections
import dataclasses
import functools
import posixpath

from tfrecords_tools.archive import AnnotationFile, Archive, normal_path, open_photographs
from tfrecords_tools.sources.caption_source import CaptionSource, file_names, source_ids
from tfrecords_tools.sources.coco import CocoInstances
from tfrecords_tools.sources.flickr30k_entities import Flickr30kEntities
from tfrecords_tools.sources.source import SourceExample, shown, split_name, whole_number
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of

_SPLITS = ("train", "restval", "dev", "test")
_OFFICIAL_COUNTS = {
    "flickr8k": {"train": 6000, "dev": 1000, "test": 1000},
    "flickr30k": {"train": 29_000, "dev": 1014, "test": 1000},
    "coco": {"train": 82_783, "restval": 30_504, "dev": 5000, "test": 5000},
}


@dataclasses.dataclass(frozen=True)
class KarpathyImage:
    """A photograph of the file.

    Attributes:
        number: `imgid`, its place in files of features.
        source_id: COCO's number where there is one, else the file name without its ending; what
            tells two of one name apart besides.
        filename: of the photograph; as `SourceExample` has it.
        given: the path that the file has as its `filename`.
        path: the same with the folder (`filepath`) that the file says it lies in.
        coco_id: COCO's number, or None.
        captions: `(sentid, caption)`.
    """

    number: int
    source_id: str
    filename: str
    given: str
    path: str
    coco_id: int | None
    captions: tuple[tuple[int, str], ...]


class KarpathyCaptions(CaptionSource):
    """Parses such a file; a subclass says in `_example(split, image, captions)` what goes with it.

    `val` of the file is the split `dev`. Photographs of one name are told apart by their folders
    and endings.

    Args:
        file: an `AnnotationFile`.
        restval_in_train: whether COCO's `restval` joins `train`, as most papers have it; else it
            is a split of its own.

    Attributes:
        dataset: what the file says it is of.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is of another form.
    """

    def __init__(self, file, restval_in_train=False):
        super().__init__()
        content = file.read_json()
        self._checksums[file.name] = file.sha256
        self._restval_in_train = restval_in_train
        self._photographs = {}
        self._numbers, self._names = set(), set()
        try:
            self.dataset = str(content["dataset"])
            self._add_all(content["images"])
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected Karpathy's form in {file.name}: dataset, and images with filename, "
                f"imgid, split and sentences with raw, imgid, sentid. Received: {reason_of(error)}."
            ) from None
        if not self._photographs:
            first = f" First reason: {self._skipped[0].reason}." if self._skipped else ""
            raise ValueError(f"Expected images in {file.name}. Received: none.{first}")

    @property
    def official_counts(self):
        """The number of photographs of each split of this data set, where it is a known one."""
        counts = dict(_OFFICIAL_COUNTS.get(self.dataset, {}))
        if self._restval_in_train and "restval" in counts:
            counts["train"] += counts.pop("restval")
        return counts

    def splits(self):
        """Returns the names of the splits that the file has."""
        return tuple(split for split in _SPLITS if split in self._photographs)

    def _add_all(self, items):
        paths = [_path(item) for item in items]
        names, stems = (call(filter(None, paths)) for call in (file_names, source_ids))
        for item, path in zip(items, paths):
            split = self._split(item["split"])
            if path is None:
                self._skip(split, shown(item["filename"]), "the filename is no text")
            else:
                self._add(split, item, path, names[path], stems[path])

    def _split(self, name):
        split = split_name(name) if isinstance(name, str) else None
        if split not in _SPLITS:
            raise ValueError(f"the split {name!r}, none of train, restval, val and test")
        return "train" if split == "restval" and self._restval_in_train else split

    def _add(self, split, item, path, filename, stem):
        number, coco_id = whole_number(item["imgid"]), item.get("cocoid")
        if number is None or (coco_id is not None and whole_number(coco_id) is None):
            ids = f"{shown(item['imgid'])}, {shown(coco_id)}"
            self._skip(split, stem, f"the imgid or the cocoid is no whole number: {ids}")
            return
        coco_id = whole_number(coco_id)
        image = KarpathyImage(
            number,
            stem if coco_id is None else str(coco_id),
            filename,
            normal_path(item["filename"]),
            path,
            coco_id,
            tuple(self._captions(split, stem, number, item["sentences"])),
        )
        is_repeated = number in self._numbers or image.source_id in self._names
        # What is left out has its place in files of features, too.
        self._numbers.add(number)
        if is_repeated:
            reason = f"a second photograph of this name or imgid {number}"
            self._skip(split, image.source_id, reason)
            return
        self._names.add(image.source_id)
        self._photographs.setdefault(split, []).append(image)

    def _captions(self, split, name, number, sentences):
        seen = set()
        for sentence in sentences:
            sentence_id, raw = whole_number(sentence["sentid"]), sentence["raw"]
            if sentence_id is None:
                reason = "the sentid is no whole number"
                self._skip(split, f"{name}#{shown(sentence['sentid'])}", reason)
            elif whole_number(sentence["imgid"]) != number:
                self._skip(split, f"{name}#{sentence_id}", "a caption of another imgid")
            elif sentence_id in seen:
                self._skip(split, f"{name}#{sentence_id}", "a second caption of this sentid")
            else:
                seen.add(sentence_id)
                # Line ends within a caption are those of the form it was written into.
                yield sentence_id, " ".join(raw.split()) if isinstance(raw, str) else raw

    def _parse(self, split):
        for image in self._photographs[split]:
            captions = self._usable_captions(split, image.source_id, image.captions)
            if captions:
                example = self._example(split, image, captions)
                if example is not None:
                    yield example

    def _example(self, split, image, captions):
        raise NotImplementedError


def _path(item):
    if not isinstance(item["filename"], str):
        return None
    return normal_path(posixpath.join(str(item.get("filepath") or ""), item["filename"]))


class KarpathyJson(KarpathyCaptions):
    """Parses `dataset_{flickr8k,flickr30k,coco}.json`, or a file of that form, with photographs.

    Args:
        images: directory or zip of the photographs, in any folders: `filepath` and `filename` are
            a path in it or the last parts of one, or `filename` is where no other has it.
        captions: the file; or a directory or zip that holds one.
        annotations: what has boxes: Flickr30K Entities, for COCO `instances_*.json`; or None.
        restval_in_train: whether COCO's `restval` joins `train`.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should.
    """

    name = "karpathy_json"

    def __init__(self, images, captions, annotations=None, restval_in_train=False):
        files = AnnotationFile.find(captions, r".*\.json")
        if len(files) > 1:
            files = [file for file in files if file.name.startswith("dataset")]
        if len(files) != 1:
            received = ", ".join(file.name for file in files) or "none"
            raise FileNotFoundError(
                "Expected one of dataset_flickr8k.json, dataset_flickr30k.json and "
                f"dataset_coco.json in {str(captions)!r}. Received: {received}. Get "
                "caption_datasets.zip from https://cs.stanford.edu/people/karpathy/deepimagesent, "
                "unpack it and pass the file that you mean as --captions."
            )
        self._images = open_photographs(images)
        super().__init__(files[0], restval_in_train)
        self._num_given = collections.Counter(
            image.given for split in self._photographs.values() for image in split
        )
        first = next(iter(self._photographs.values()))[0]
        if not any(self._path(image) for split in self._photographs.values() for image in split):
            raise ValueError(
                f"Expected the photographs of {self.dataset}, for example {shown(first.filename)}. "
                f"Received: {self._images.path!r}, which holds none of them. Get them from where "
                "the data set is published and pass their directory as --images."
            )
        self._annotations = None
        if annotations is not None:
            images = [image for split in self._photographs.values() for image in split]
            is_coco = any(image.coco_id is not None for image in images)
            self._annotations = (
                CocoInstances(annotations) if is_coco else Flickr30kEntities(Archive(annotations))
            )
            names = [*(image.filename for image in images), *self._images.names()]
            for reason in self._annotations.leftovers(names):
                self._skip("", "entities", reason)

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        annotations = {} if self._annotations is None else self._annotations.checksums()
        return dict(sorted({**self._checksums, **annotations}.items()))

    def _path(self, image):
        # The same photograph may lie in train2014/ of one copy and in images/ of another.
        path = self._images.locate(image.path)
        if path is None and self._num_given[image.given] == 1:
            path = self._images.locate(image.given)
        return path

    def _example(self, split, image, captions):
        path = self._path(image)
        if path is None:
            self._skip(split, image.source_id, f"{image.filename} is not in --images")
            return None
        texts = tuple(text for _, text in captions)
        objects, phrases = (), ()
        if self._annotations is not None:
            # A Flickr photograph is known by its digits.
            number = image.coco_id
            if number is None:
                number = posixpath.basename(image.source_id).split("_")[0]
            objects, phrases, problems = self._annotations.annotate(number, texts)
            for index, reason in problems:
                where = "" if index is None else f"#{captions[index][0]}"
                self._skip(split, image.source_id + where, reason)
        return SourceExample(
            source_id=image.source_id,
            filename=image.filename,
            captions=texts,
            read_image=functools.partial(self._images.read, path),
            objects=objects,
            phrases=phrases,
            path=path,
        )
