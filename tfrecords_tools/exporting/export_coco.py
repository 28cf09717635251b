"""Records to COCO's captions and instances.

Source: Chen et al., "Microsoft COCO captions: data collection and evaluation server", 2015.
"""

import contextlib
import itertools
import json
import os
import re
import shutil

from tfrecords_tools.exporting.exported_directory import ImageFolder, left_out, read_records


def export_coco(info, splits, folder, report):
    """Writes `annotations/captions_SPLIT.json`, `instances_SPLIT.json` and `images`.

    `tfrecords_tools.write --dataset=coco` reads them back. `dev` is called `val`. Images keep
    their ids where these are numbers, as COCO's are, and are counted otherwise; further entries
    tell what COCO has no place for: `source_id` of an image, `chain` of a box. A box's category
    is its class. A split without annotated boxes has no instances.

    Args:
        info: the `DatasetInfo` of the records.
        splits: names of the splits.
        folder: `pathlib.Path` of an empty directory.
        report: called with 1 after each image.

    Returns:
        A list of what the format does not carry, strings.

    Raises:
        OSError, ValueError: a record cannot be read, or a file not written.
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
