"""Records to the formats of others: COCO's, that of VSE++ and SCAN, and a table.

All take the `DatasetInfo` of the records, the names of the splits, the `pathlib.Path` of an empty
directory, and what is called with 1 after each image. They return a list of strings, what the
format does not carry, and raise `OSError` or `ValueError` where a record cannot be read or a file
not written.
"""

import contextlib
import csv
import itertools
import json
import os
import re
import shutil

import numpy as np

from tfrecords_tools.exporting.exported_directory import (
    ImageFolder,
    left_out,
    one_line,
    read_records,
)
from tfrecords_tools.sources.caption_tables import COLUMNS

_CAPTIONS_PER_IMAGE = 5


def export_coco(info, splits, folder, report):
    """Writes `annotations/captions_SPLIT.json`, `instances_SPLIT.json` and `images`.

    `tfrecords_tools.write --dataset=coco` reads them back. `dev` is called `val`. Images keep
    their ids where these are numbers, as COCO's are, and are counted otherwise; further entries
    tell what COCO has no place for: `source_id` of an image, `chain` of a box. A box's category
    is its class. A split without annotated boxes has no instances.

    Source: Chen et al., "Microsoft COCO captions: data collection and evaluation server", 2015.
    """
    images = ImageFolder(folder / "images")
    annotations = folder / "annotations"
    annotations.mkdir()
    image_ids = _image_ids(info, splits)
    caption_ids, box_ids = itertools.count(1), itertools.count(1)
    categories = {}
    num_relations = 0
    for split in splits:
        name = "val" if split == "dev" and "val" not in splits else split
        description = f"{info.dataset}, {split}"
        boxes_path = annotations / f"instances_{name}.json"
        with contextlib.ExitStack() as stack:
            captions = stack.enter_context(
                CocoFile(annotations / f"captions_{name}.json", description)
            )
            boxes = stack.enter_context(CocoFile(boxes_path, description))
            for record in read_records(info, split):
                image = {
                    "id": image_ids(record),
                    "file_name": images.add(record) if info.images_stored else record.filename,
                    "source_id": record.source_id,
                }
                if record.width:
                    image |= {"width": record.width, "height": record.height}
                captions.add(
                    image,
                    ({"id": next(caption_ids), "caption": caption} for caption in record.captions),
                )
                boxes.add(image, _instances(record, box_ids, categories))
                num_relations += sum(map(len, record.dependencies))
                report(1)
            # Of all splits so far.
            boxes.categories = [
                {"id": label, "name": name, "supercategory": name}
                for label, name in categories.items()
            ]
        if not boxes.num_annotations:
            boxes_path.unlink()
    return left_out(info, splits, dependency_relations=num_relations)


def _image_ids(info, splits):
    """Returns a function from records to the numbers of their images."""
    records = (record for split in splits for record in read_records(info, split))
    if all(re.fullmatch(r"0|[1-9]\d{0,17}", record.source_id, re.ASCII) for record in records):
        return lambda record: int(record.source_id)
    numbers = itertools.count(1)
    return lambda record: next(numbers)


def _instances(record, numbers, categories):
    """Yields the annotated boxes of a record in pixels; `categories` grows by their classes."""
    for item in record.objects:
        categories[item.object_class.label] = item.object_class.name
        ymin, xmin, ymax, xmax = item.box
        left, top = xmin * record.width, ymin * record.height
        width, height = xmax * record.width - left, ymax * record.height - top
        yield {
            "id": next(numbers),
            "category_id": item.object_class.label,
            "bbox": [left, top, width, height],
            "area": width * height,
            "iscrowd": 0,
            "chain": item.chain,
        }


class CocoFile:
    """Writes `{"info", "licenses", "images", "annotations"[, "categories"]}`; a context manager.

    Memory does not grow with the file: until the end annotations wait in a second one.

    Args:
        path: `pathlib.Path` of the file; it is there when the context is left.
        description: of the data set.

    Attributes:
        num_annotations: so far.
        categories: list of dicts; None, as for captions: the file has no such entry.
    """

    def __init__(self, path, description):
        self.num_annotations = 0
        self.categories = None
        self._path = path
        self._waiting = path.with_suffix(".annotations")
        info = json.dumps({"description": description}, ensure_ascii=False)
        self._images = open(path, "w", encoding="utf-8")
        self._images.write(f'{{"info": {info}, "licenses": [], "images": [')
        self._annotations = open(self._waiting, "w+", encoding="utf-8")
        self._num_images = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with self._images, self._annotations:
            self._images.write('\n], "annotations": [')
            self._annotations.seek(0)
            shutil.copyfileobj(self._annotations, self._images)
            self._images.write("\n]")
            if self.categories is not None:
                categories = json.dumps(self.categories, ensure_ascii=False)
                self._images.write(f', "categories": {categories}')
            self._images.write("}\n")
        os.remove(self._waiting)

    def add(self, image, annotations):
        """Adds an image, a dict, and its annotations, dicts without `image_id`."""
        self._num_images += _write(self._images, image, self._num_images)
        for annotation in annotations:
            row = {"image_id": image["id"], **annotation}
            self.num_annotations += _write(self._annotations, row, self.num_annotations)


def _write(file, row, count):
    file.write(("," if count else "") + "\n" + json.dumps(row, ensure_ascii=False))
    return 1


def export_precomp(info, splits, folder, report):
    """Writes `SPLIT_ims.npy`, `SPLIT_caps.txt` and `SPLIT_ids.txt`, the images' names.

    `tfrecords_tools.write --dataset=precomp` reads them back. The array is float32 `[N, R, D]`,
    row 0 being the whole frame, or `[N, D]` where there is no other region; of records that were
    made from such an array it is that array, without the mean that stands for the frame. Regions
    that an image lacks repeat its row 0. Captions are five lines an image: of more the first five,
    fewer are repeated in turn.
    """
    is_mean = info.encoder.get("dataset") in ("precomp", "bottom_up") and info.num_regions > 1
    num_regions = info.num_regions - is_mean
    counts = dict.fromkeys(
        ("annotated_boxes", "captions_after_the_fifth", "dependency_relations"), 0
    )
    num_filled = num_repeated = 0
    for split in splits:
        with contextlib.ExitStack() as stack:
            features = stack.enter_context(open(folder / f"{split}_ims.npy", "wb"))
            lines, ids = (
                stack.enter_context(
                    open(folder / f"{split}_{name}.txt", "w", encoding="utf-8", newline="\n")
                )
                for name in ("caps", "ids")
            )
            _write_header(features, info, split, num_regions)
            for record in read_records(info, split):
                rows = record.region_features.astype("<f4")
                if is_mean and len(rows) > 1:
                    rows = rows[1:]
                missing = num_regions - len(rows)
                features.write(np.concatenate([rows, *[rows[:1]] * missing]).tobytes())
                captions = record.captions
                for number in range(_CAPTIONS_PER_IMAGE):
                    lines.write(one_line(captions[number % len(captions)]) + "\n")
                ids.write(one_line(record.source_id) + "\n")
                num_filled += missing > 0
                num_repeated += len(captions) < _CAPTIONS_PER_IMAGE
                counts["annotated_boxes"] += len(record.objects)
                counts["captions_after_the_fifth"] += max(0, len(captions) - _CAPTIONS_PER_IMAGE)
                counts["dependency_relations"] += sum(map(len, record.dependencies))
                report(1)
    lines = left_out(info, splits, images_carried=False, features_carried=True, **counts)
    if info.num_regions > 1 and not is_mean:
        lines.append("where the regions lie")
    if num_filled:
        lines.append(
            f"how many regions there are: {num_filled} images have fewer than {num_regions}, the "
            "rest of their rows repeats the first"
        )
    if num_repeated:
        lines.append(
            f"how many captions there are: {num_repeated} images have fewer than five, which are "
            "repeated"
        )
    return lines


def _write_header(file, info, split, num_regions):
    shape = (info.split(split).num_images, num_regions, info.region_feature_size)
    if num_regions == 1:
        shape = shape[::2]
    # Written row by row after it: a mapped array would count as memory of this process.
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )


def export_csv(info, splits, folder, report):
    """Writes `captions.csv`, rows path,caption,split, and the images into `images`.

    `tfrecords_tools.write --dataset=csv` reads them back. Paths are relative to `images`, in the
    folders that the data set has; of records without images they are the names that it gave.
    """
    images = ImageFolder(folder / "images")
    num_objects = num_relations = 0
    with open(folder / "captions.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for split in splits:
            for record in read_records(info, split):
                # A table names its images by their paths.
                path = record.source_id if info.dataset == "csv" else record.filename
                if info.images_stored:
                    path = images.add(record, path)
                table.writerows((path, caption, split) for caption in record.captions)
                num_objects += len(record.objects)
                num_relations += sum(map(len, record.dependencies))
                report(1)
    return left_out(info, splits, annotated_boxes=num_objects, dependency_relations=num_relations)


EXPORTERS = {"coco": export_coco, "precomp": export_precomp, "csv": export_csv}
