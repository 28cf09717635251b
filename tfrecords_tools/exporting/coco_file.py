"""A COCO annotation file, written in one pass."""

import json
import os
import shutil


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
