"""Flickr8K, Flickr30K and COCO in Karpathy's splits.

Source: Karpathy and Fei-Fei, "Deep visual-semantic alignments for generating image descriptions",
2015.
"""

import collections
import functools
import posixpath

from tfrecords_tools.archive import AnnotationFile, Archive, open_photographs
from tfrecords_tools.sources.coco_instances import CocoInstances
from tfrecords_tools.sources.flickr30k_entities import Flickr30kEntities
from tfrecords_tools.sources.karpathy_captions import KarpathyCaptions
from tfrecords_tools.sources.source import SourceExample


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
                f"Expected the photographs of {self.dataset}, for example {first.filename}. "
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
