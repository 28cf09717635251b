"""Regions that people described: Visual Genome's, RefCOCO's, and tables of boxes and sentences.

A description is a caption whose one phrase is all of it; its chain is the box, so that whatever
reads phrases and boxes reads it too.

Sources: Krishna et al., "Visual Genome", 2017; Kazemzadeh et al., "ReferItGame", 2014; Yu et al.,
"Modeling context in referring expressions", 2016.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

from tfrecords_tools.image_decoding import ImageError, image_size
from tfrecords_tools.sources.caption_tables import (
    BOX_COLUMNS,
    CaptionTable,
    named_columns,
    read_tables,
)
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.source import MOST_PIXELS, shown, whole_number
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase
from vsa_tf.file_reading import NOT_AS_EXPECTED, parse_json, reason_of

PHRASE_TYPE = "region"
# A box may exceed its photograph by rounding: by this share of it, and of pixels by one more.
_ROUNDING = 0.01
# Numbers up to this in photographs of twice as many pixels are percent.
_PERCENT = 100
_LOOKED_AT = 20

# Lists of objects, by what the first has; one that names a box or a caption is a row of a table.
_KINDS = {
    "regions": {"regions"},
    "refs": {"sentences", "image_id"},
    "images": {"image_id", "width", "height"},
}


class _Region(NamedTuple):
    """An entry of Visual Genome's regions, of which there are five million, in little memory."""

    number: object
    phrase: object
    box: tuple | list  # corners; a list is what stands in place of x, y, width and height


class RegionTable(CaptionTable):
    """The rows of a file of region descriptions, or what such a file needs beside it.

    It is a table of `path,ymin,xmin,ymax,xmax,caption[,split]`, in CSV or as `CaptionTable` reads
    JSON; or JSON of Visual Genome (`region_descriptions.json`), of RefCOCO (a list of its refs) or
    of COCO's instances, whose boxes the refs name; or Visual Genome's `image_data.json`.

    Args: those of `CaptionTable`.

    Attributes:
        in_pixels: whether boxes are known to be in pixels.
        sizes: `{path: (height, width)}` of photographs as the files say.
        And those of `CaptionTable`; rows of JSON are there after `complete`.
    """

    columns = ("path", *BOX_COLUMNS, "caption", "split")

    def __init__(self, file, name, folder, is_photograph):
        self.in_pixels, self.sizes = False, {}
        self._regions, self._refs, self._images, self._annotations = (), (), (), ()
        super().__init__(file, name, folder, is_photograph)

    def _read_json(self, data, has_lines):
        try:
            content = None if has_lines else parse_json(data, self.name, _in_short)
        except ValueError:
            content = None
        if isinstance(content, dict) and {"refs", "annotations"} & content.keys():
            found = content
        else:
            first = content[0] if isinstance(content, list) and content else None
            kind = _kind(first) if isinstance(first, dict) else None
            if kind is None:
                super()._read_json(data, has_lines)
                return
            found = {kind: content}
        self.in_pixels = self.has_names = True
        self._regions, self._refs, self._images, self._annotations = (
            found.get(name, ()) for name in ("regions", "refs", "images", "annotations")
        )

    def side_data(self):
        """Returns `{image id: (file name or None, size)}` and `{annotation id: box}`.

        Raises:
            ValueError: entries are not as COCO's instances or Visual Genome's images.
        """
        try:
            images = {
                whole_number(item.get("id", item.get("image_id"))): (
                    item.get("file_name"),
                    (_side(item["height"]), _side(item["width"])),
                )
                for item in self._images
            }
            boxes = {
                whole_number(item["id"]): _corners(*item["bbox"]) for item in self._annotations
            }
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected images of id, width and height, and annotations of id and bbox [x, y, "
                f"width, height], in {self.name}. Received: {reason_of(error)}"
            ) from None
        self._images = self._annotations = ()
        return images, boxes

    def complete(self, images, boxes, seen):
        """Makes rows of what is no table, with what all files say of images and boxes.

        Args:
            images, boxes: of `side_data`, of all files.
            seen: set of the names of Visual Genome's regions so far, to which these are added.

        Raises:
            ValueError: the file is not of one of the forms.
        """
        try:
            for entry in self._regions:
                number = whole_number(entry.get("id", entry.get("image_id")))
                path = self._image(number, images, f"{number}.jpg")
                for region in entry["regions"]:
                    self._add_region(region, path, seen)
            # Each of RefCOCO, RefCOCO+ and RefCOCOg numbers its refs from 0.
            own_refs = set()
            for place, ref in enumerate(self._refs, 1):
                self._add_ref(place, ref, images, boxes, own_refs)
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected region descriptions in {self.name}: entries of id and regions, each of "
                "region_id, phrase, x, y, width and height; or refs of ref_id, ann_id, image_id, "
                f"split and sentences. Received: {reason_of(error)}"
            ) from None
        self._regions = self._refs = ()

    def _image(self, number, images, otherwise):
        name, size = images.get(number, (None, None))
        path = name or otherwise
        if size:
            self.sizes[path] = size
        return path

    def _add_ref(self, place, ref, images, boxes, seen):
        number, annotation = whole_number(ref.get("ref_id")), whole_number(ref.get("ann_id"))
        name = f"entry {place}" if number is None else f"ref {number}"
        path = self._image(whole_number(ref["image_id"]), images, ref.get("file_name", ""))
        sentences, given = ref["sentences"], ref.get("bbox", ref.get("box"))
        if number is not None and not self._is_new(name, seen, len(sentences)):
            return
        box = _corners(*given) if given else boxes.get(annotation)
        if box is None:
            reason = f"no box of annotation {annotation}: give the instances.json that has it"
            if given:
                reason = f"Expected bbox [x, y, width, height] of numbers. Received: {shown(given)}"
            elif annotation is None:
                reason = f"Expected a bbox or an ann_id. Received: {shown(ref)}"
            self.faults += [(name, reason)] * len(sentences)
            return
        for sentence in sentences:
            text = sentence.get("sent", sentence.get("raw"))
            self._add(name, path, text, ref.get("split") or "", box)

    def _add_region(self, region, path, seen):
        number = whole_number(region.number) if isinstance(region, _Region) else None
        if number is None:
            reason = "Expected region_id, phrase, x, y, width and height. Received: "
            self.faults.append((f"a region of {path}", reason + shown(region)))
        elif self._is_new(f"region {number}", seen):
            if isinstance(region.box, list):
                reason = "Expected x, y, width and height as numbers. Received: "
                self.faults.append((f"region {number}", reason + shown(region.box)))
                return
            self._add(f"region {number}", path, region.phrase, "", region.box)

    def _is_new(self, name, seen, count=1):
        if name in seen:
            self.faults += [(name, "a second description of this id")] * count
            return False
        seen.add(name)
        return True


def _kind(entry):
    """Returns which of `_KINDS` a list of such objects is; None: rows of a table."""
    named = named_columns(entry).keys()
    if named & {*BOX_COLUMNS, "caption"}:
        return None
    kind = next((kind for kind, own in _KINDS.items() if own <= entry.keys()), None)
    return None if kind == "images" and "captions" in named else kind


def _in_short(entry):
    """Takes a JSON object, as it is parsed, for what is read of it."""
    if "phrase" in entry and "x" in entry:
        given = [entry.get(name) for name in ("x", "y", "width", "height")]
        number = entry.get("region_id", entry.get("id"))
        return _Region(number, entry["phrase"], _corners(*given) or given)
    # Nine tenths of COCO's instances.
    entry.pop("segmentation", None)
    return entry


def _side(value):
    if not 0 < value < MOST_PIXELS:
        raise ValueError(f"a photograph {value} pixels long")
    return value


def _corners(x, y, width, height):
    """Returns `(ymin, xmin, ymax, xmax)`; None of what are no numbers."""
    numbers = (x, y, width, height)
    if not all(isinstance(each, (int, float)) for each in numbers):
        return None
    return y, x, y + height, x + width


class RegionDescriptions(CsvCaptions):
    """Parses descriptions of regions, each a caption of its photograph with a box.

    Descriptions of one box are of one chain. Boxes of tables, in CSV or JSON, are shares of the
    photograph, 0 to 1, or pixels, all of one table alike; those of Visual Genome and RefCOCO are
    pixels. Left out and listed are boxes that are outside the photograph or have no area in it,
    that are no numbers, or of another unit.

    Args:
        images: directory or zip.
        captions: the file, or a directory or zip of files, or a list of these, see `RegionTable`.
        holdout: as of `CsvCaptions`.

    Raises:
        OSError: when a file is missing or unreadable.
        ValueError: when the files hold no usable description, or boxes that look like percent, or
            disagree on what an id of photographs or of boxes is.
    """

    name = "regions"
    rows_wanted = "path,ymin,xmin,ymax,xmax,sentence[,split]"

    def __init__(self, images, captions, holdout=None):
        self._boxes, self._side_checksums = {}, {}
        self._photograph_size = functools.cache(self._read_size)
        super().__init__(images, captions, holdout)

    @property
    def skipped(self):
        """What was left out; neighbours of one reason, as those of a photograph, are one `Skip`."""
        joined = []
        for skip in self._skipped:
            if joined and (joined[-1].split, joined[-1].reason) == (skip.split, skip.reason):
                joined[-1] = dataclasses.replace(joined[-1], count=joined[-1].count + 1)
            else:
                joined.append(skip)
        return joined

    def checksums(self):
        """Returns the SHA-256 of each file, by name, and the shares of a hold-out."""
        return {**super().checksums(), **self._side_checksums}

    def _read_tables(self, paths, is_photograph):
        tables, repeated = read_tables(paths, is_photograph, RegionTable)
        images, boxes, seen = {}, {}, set()
        for table in tables:
            own_images, own_boxes = table.side_data()
            _add_agreeing(images, own_images, "photograph", table.name)
            _add_agreeing(boxes, own_boxes, "annotation", table.name)
        for table in tables:
            table.complete(images, boxes, seen)
        described = [table for table in tables if table.rows or table.faults]
        self._side_checksums = {
            table.name: table.sha256 for table in tables if table not in described
        }
        return described or tables, repeated

    def _read(self, table, default, photographs):
        self._in_pixels = table.in_pixels or self._is_of_pixels(table)
        super()._read(table, default, photographs)

    def _is_of_pixels(self, table):
        """Whether the boxes of a table are pixels, as most of them are; else shares."""
        largest = [max(map(abs, box)) for row in table.rows if (box := _numbers(row.box))]
        if 2 * sum(value > 1 + _ROUNDING for value in largest) <= len(largest):
            return False
        paths = list(dict.fromkeys(row.path for row in table.rows))[:_LOOKED_AT]
        sizes = [
            self._photograph_size(found) for path in paths if (found := self._find("", path)[0])
        ]
        are_larger = any(not isinstance(size, str) and min(size) >= 2 * _PERCENT for size in sizes)
        if max(largest) <= _PERCENT and are_larger:
            raise ValueError(
                f"Expected boxes as shares from 0 to 1, or in pixels, in {table.name}. Received: "
                f"numbers up to {max(largest):g} for photographs of more pixels, which look like "
                "percent. Give shares: divide percent by 100, or if they are pixels by the height "
                "and width of the photograph"
            )
        return True

    def _add(self, table, row, split, path, photograph):
        box, reason = self._normalized(table, row, path)
        if box is None:
            photograph.num_rows += 1
            self._skip(split or "", table, row.where, reason)
            return
        before = len(photograph.captions)
        super()._add(table, row, split, path, photograph)
        if len(photograph.captions) > before:
            self._boxes.setdefault(path, []).append(box)

    def _normalized(self, table, row, path):
        """Returns `(box, None)`, or None and why it cannot be used."""
        box = _numbers(row.box)
        if box is None:
            given = dict(zip(BOX_COLUMNS, row.box or len(BOX_COLUMNS) * (None,)))
            missing = ", ".join(name for name, value in given.items() if value is None)
            received = f"no {missing}" if missing else shown(row.box)
            return None, f"Expected {','.join(BOX_COLUMNS)} as numbers. Received: {received}"
        given = " ".join(f"{name} {value:g}" for name, value in zip(BOX_COLUMNS, box))
        size, of_size, rounding = (1.0, 1.0), "", _ROUNDING
        if self._in_pixels:
            size = table.sizes.get(row.path) or self._photograph_size(path)
            if isinstance(size, str):
                return None, size
            if not table.in_pixels and max(box) <= 1:
                return None, f"a box of shares among boxes of pixels: {given}"
            of_size = f" of {size[1]:g} x {size[0]:g} pixels"
            rounding += 1 / min(size)
        shares = [value / side for value, side in zip(box, 2 * tuple(size))]
        if not all(-rounding <= share <= 1 + rounding for share in shares):
            return None, f"a box outside the photograph{of_size}: {given}"
        ymin, xmin, ymax, xmax = (min(max(share, 0.0), 1.0) for share in shares)
        if ymin >= ymax or xmin >= xmax:
            return None, f"a box without area in the photograph{of_size}: {given}"
        return (ymin, xmin, ymax, xmax), None

    def _read_size(self, path):
        """Returns `(height, width)`, or why the photograph cannot be read."""
        try:
            return image_size(self._images.read(path))
        except (OSError, ImageError) as error:
            return f"the size of the photograph is not known: {error}"

    def _make_examples(self, photographs, splits):
        examples = super()._make_examples(photographs, splits)
        return {
            split: [_described(example, self._boxes[example.path]) for example in own]
            for split, own in examples.items()
        }


def _add_agreeing(known, own, what, name):
    """Adds what a file says of ids to what others do; Visual Genome and COCO number alike."""
    for number, value in own.items():
        if number is not None and known.setdefault(number, value) != value:
            raise ValueError(
                f"Expected files that agree on {what} {number}. Received: {value} in {name}, and "
                f"{known[number]} before. Write data sets with numbers of their own each by itself"
            )


def _numbers(box):
    """Returns the numbers of a box as written; None where there are none."""
    try:
        numbers = tuple(map(float, box))
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if all(map(math.isfinite, numbers)) else None


def _described(example, boxes):
    """Returns the example with each caption as a phrase, whose chain is its box."""
    chains = {box: str(number) for number, box in enumerate(dict.fromkeys(boxes), 1)}
    return dataclasses.replace(
        example,
        objects=tuple(AnnotatedBox(chain, box) for box, chain in chains.items()),
        phrases=tuple(
            AnnotatedPhrase(number, 0, len(caption.split()), chains[box], PHRASE_TYPE)
            for number, (caption, box) in enumerate(zip(example.captions, boxes))
        ),
    )
