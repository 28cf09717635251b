"""TFRecords of photographs, captions and boxes: of Model Garden, the Object Detection API, ours.

Source: `official/vision/data/create_coco_tf_record.py` of Model Garden.
"""

import collections
import functools
import hashlib
import json
import os
import posixpath
import re
from typing import NamedTuple

import numpy as np

from tfrecords_tools.archive import matching_files
from tfrecords_tools.sources.caption_source import CaptionSource, file_names
from tfrecords_tools.sources.record_file import find_records, mapped, parse_example, read_record
from tfrecords_tools.sources.source import SourceExample, object_classes, split_name, whole_number
from vsa_tf.data import schema
from vsa_tf.file_reading import NOT_AS_EXPECTED

# Of a directory, the files that are read; compressed ones, to be told to unpack them.
_RECORDS = re.compile(r"(?i).*(records?|-\d+-of-\d+)(\.gz)?")
_SPLITS = ("train", "restval", "dev", "test", "testall")
# The first of these that a record has.
_CAPTIONS = (schema.CAPTION_RAW, "image/caption", "image/captions")
_OF_BOXES = (
    *(schema.OBJECT_CLASS_TEXT, schema.OBJECT_CLASS_LABEL),
    *("image/object/is_crowd", schema.OBJECT_CHAIN),
)
_PHRASES = (
    *(schema.PHRASE_CAPTION_INDEX, schema.PHRASE_FIRST_WORD, schema.PHRASE_NUM_WORDS),
    *(schema.PHRASE_CHAIN, schema.PHRASE_TYPE),
)


def split_files(pattern):
    """Finds the files of each split, without reading any.

    Args:
        pattern: `PATH[,PATH...]`, directories, files or globs, whose names tell their splits; or
            `SPLIT=PATH[,SPLIT=PATH...]`, of what there is no file called so.

    Returns:
        A dict of split to list of paths.

    Raises:
        ValueError: there are none, their split is not clear, or one is of two splits.
    """
    found, splits = {}, []
    for part in list(filter(None, pattern.split(","))) or [pattern]:
        given, files = "", matching_files(part, _RECORDS)
        if not files:
            given, _, path = part.partition("=")
            # Folders have names such as date=2020.
            files = [] if "/" in given else matching_files(path, _RECORDS)
        if not files:
            raise ValueError(
                "Expected TFRecords, --dataset=tf_records:PATH[,PATH...], of directories, files "
                f"or globs. Received: {part!r}, which names none"
            )
        for file in files:
            split = split_name(given) if given else _named_split(file)
            if found.setdefault(os.path.realpath(file), (split, file))[0] != split:
                raise ValueError(
                    f"Expected each file in one split. Received: {file} in "
                    f"{found[os.path.realpath(file)][0]} and {split} of --dataset=tf_records:"
                    f"{pattern}"
                )
            splits.append(split)
    order = dict.fromkeys([*(own for own in _SPLITS if own in splits), *splits])
    return {split: sorted(file for own, file in found.values() if own == split) for split in order}


def _named_split(path):
    """Returns the split that a file's name tells, or its folder's."""
    folder, name = os.path.split(path)
    words = map(split_name, re.split(r"[\W\d_]+", name))
    splits = {word for word in words if word in _SPLITS}
    splits = splits or {split_name(os.path.basename(folder))}.intersection(_SPLITS)
    if len(splits) == 1:
        return splits.pop()
    raise ValueError(
        "Expected a split in the name of each file of TFRecords, train, dev (val) or test. "
        f"Received: {path}. Name it: --dataset=tf_records:train={path}"
    )


class _Record(NamedTuple):
    """What a record says of its photograph, whose bytes stay in the file."""

    source_id: str
    filename: str
    captions: list
    objects: list
    phrases: list
    read_image: functools.partial


class TfRecords(CaptionSource):
    """Parses records of `image/encoded`, captions and boxes; any other feature is left alone.

    Captions are `caption/raw`, `image/caption` or `image/captions`, one or several. Boxes are
    `image/object/bbox/{ymin,xmin,ymax,xmax}`, normalised; each is a chain `CLASS#NUMBER` of its
    own unless `image/object/chain` says which chain it is of, as in records of this project, whose
    phrases are read as well. Photographs are read when they are wanted. What is damaged in a file
    is listed; the records before and after it are read.

    Args:
        pattern: see `split_files`.

    Raises:
        OSError: when a file cannot be read.
        ValueError: when no record of it can be used, or a label has several names.
    """

    name = "tf_records"

    def __init__(self, pattern):
        super().__init__()
        self.notes = []
        files = split_files(pattern)
        self._names = file_names(path for paths in files.values() for path in paths)
        self._records = {split: [] for split in files}
        self._seen = set()
        faults = [
            fault
            for split, paths in files.items()
            for path in paths
            for fault in self._read(split, path)
        ]
        if faults:
            self.notes.append(f"records left out: {len(faults)}, first {faults[0]}")
        if not self._seen:
            first = f" First reason: {self._skipped[0].reason}." if self._skipped else ""
            raise ValueError(
                "Expected records with image/encoded and caption/raw or image/caption. Received: "
                f"{pattern!r} with none.{first}"
            )
        names = (record.filename for own in self._records.values() for record in own)
        self._counts = collections.Counter(names)
        self._classes = _object_classes(
            {item[1:3] for own in self._records.values() for rec in own for item in rec.objects}
        )

    def splits(self):
        """Returns the names of the splits of the files."""
        return tuple(self._records)

    def _read(self, split, path):
        """Takes in a file; yields in words which records are left out, and why."""
        name, data = self._names[path], mapped(path)
        for number, (offset, length, reason) in enumerate(find_records(data), 1):
            if reason is None:
                read_image = functools.partial(_read_image, path, offset, length)
                try:
                    features = parse_example(data[offset : offset + length])
                    reason = self._add(split, features, read_image)
                except NOT_AS_EXPECTED:
                    reason = "damaged, it is no tf.train.Example"
                if reason is None:
                    continue
            self._skip(split, f"{name}#{number}", reason)
            yield f"record {number} of {name}: {reason}"

    def _add(self, split, features, read_image):
        """Takes in a record; returns why it is left out, or None."""
        if not any(map(len, features.get(schema.IMAGE_ENCODED, ()))):
            return f"it has no photograph ({schema.IMAGE_ENCODED})"
        captions = next(filter(None, (features.get(key) for key in _CAPTIONS)), ())
        if not captions:
            return f"it has no captions ({', '.join(_CAPTIONS)})"
        filename = _text(features, schema.IMAGE_FILENAME)
        source_id = _text(features, schema.IMAGE_SOURCE_ID) or posixpath.splitext(filename)[0]
        source_id = source_id or f"{split}-{len(self._records[split]):06d}"
        if source_id in self._seen:
            return f"a second photograph of the id {source_id[:60]!r}"
        record = _Record(
            source_id,
            filename or source_id,
            [bytes(own) if isinstance(own, memoryview) else own for own in captions],
            list(self._objects(split, source_id, features)),
            list(self._phrases(split, source_id, features)),
            read_image,
        )
        self._seen.add(source_id)
        self._records[split].append(record)
        return None

    def _objects(self, split, source_id, features):
        """Yields `(chain, class text, class label, box)`."""
        columns = [features.get(key, ()) for key in schema.OBJECT_BOX]
        if len({len(column) for column in columns}) > 1:
            counts = ", ".join(str(len(column)) for column in columns)
            self._skip(split, source_id, f"boxes of {counts} ymin, xmin, ymax, xmax")
            return
        boxes = np.array(columns, np.float32).T
        others = []
        for key in _OF_BOXES:
            own = features.get(key, ())
            if len(own) not in (0, len(boxes)):
                # Nobody knows whose they are.
                self._skip(split, source_id, f"{len(own)} values of {key} for {len(boxes)} boxes")
            others.append(own if len(own) == len(boxes) else [None] * len(boxes))
        texts, labels, crowds, chains = others
        rows = zip(np.clip(boxes, 0, 1).tolist(), texts, labels, crowds, chains)
        for place, (box, text, label, is_crowd, chain) in enumerate(rows):
            text = "" if text is None else _decoded(text)
            own = f"{text or ('object' if label is None else _decoded(label))}#{place}"
            chain = own if chain is None else _decoded(chain)
            number = None if label is None else _whole(label)
            if is_crowd:
                continue
            if not (box[2] > box[0] and box[3] > box[1]):
                reason = "has no area inside the image"
            elif label is not None and number is None:
                reason = f"has a label that is no whole number, {_decoded(label)[:60]}"
            else:
                yield chain, text, number, tuple(box)
                continue
            self._skip(split, source_id, f"the box of {chain} {reason}")
        if any(crowds):
            count = sum(map(bool, crowds))
            self._skip(split, source_id, f"boxes of crowds are left out: {count}")

    def _phrases(self, split, source_id, features):
        """Yields `(caption index, first word, number of words, chain, type)`."""
        columns = [features.get(key, ()) for key in _PHRASES]
        if len({len(column) for column in columns}) > 1:
            counts = ", ".join(str(len(column)) for column in columns)
            self._skip(split, source_id, f"phrases of {counts} values of caption/phrase")
            return
        for *numbers, chain, kind in zip(*columns):
            numbers = list(map(_whole, numbers))
            if None in numbers:
                reason = f"a phrase of {_decoded(chain)} whose numbers are no whole ones"
                self._skip(split, source_id, reason)
                continue
            yield *numbers, _decoded(chain), _decoded(kind)

    def _parse(self, split):
        digest = hashlib.sha256()
        for record in self._records[split]:
            numbered = list(enumerate(record.captions))
            usable = self._usable_captions(split, record.source_id, numbered)
            if not usable:
                continue
            places = {number: place for place, (number, _) in enumerate(usable)}
            objects = tuple(
                schema.AnnotatedBox(chain, box, self._classes[tuple(kind)])
                for chain, *kind, box in record.objects
            )
            example = SourceExample(
                source_id=record.source_id,
                filename=(
                    record.filename if self._counts[record.filename] == 1 else record.source_id
                ),
                captions=tuple(text for _, text in usable),
                read_image=record.read_image,
                objects=objects,
                phrases=tuple(
                    schema.AnnotatedPhrase(places[index], *rest)
                    for index, *rest in record.phrases
                    if index in places
                ),
                path=record.filename,
            )
            content = [
                *(example.source_id, record.filename, example.captions, record.objects),
                *(record.phrases, record.read_image.args[2]),
            ]
            digest.update(json.dumps(content).encode() + b"\n")
            yield example
        self._checksums[f"annotations of {split}"] = digest.hexdigest()


def _object_classes(kinds):
    """Returns `{(text, label): ObjectClass}`; the text may be empty, the label None."""
    if all(label is not None for _, label in kinds):
        named = {(label, text) for text, label in kinds if text}
        # A box without a text has its label's.
        nameless = {label for _, label in kinds}.difference(label for label, _ in named)
        named |= {(label, str(label)) for label in nameless}
        classes = object_classes(named, schema.OBJECT_CLASS_TEXT)
        return {kind: classes[kind[1]] for kind in kinds}
    names = {
        kind: kind[0] or (schema.THING.name if kind[1] is None else str(kind[1])) for kind in kinds
    }
    labels = {name: number for number, name in enumerate(sorted(set(names.values())), 1)}
    return {kind: schema.ObjectClass(labels[name], name) for kind, name in names.items()}


def _text(features, key):
    values = features.get(key)
    return _decoded(values[0]) if values else ""


def _decoded(value):
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else str(value)


def _whole(value):
    return whole_number(_decoded(value) if isinstance(value, memoryview) else value)


def _read_image(path, offset, length):
    return bytes(read_record(path, offset, length)[schema.IMAGE_ENCODED][0])
