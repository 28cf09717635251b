"""Karpathy's JSON of captions and splits.

Source: https://cs.stanford.edu/people/karpathy/deepimagesent
"""

import dataclasses
import posixpath
import re

from tfrecords_tools.sources.caption_source import CaptionSource
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of

_SPLITS = {"train": "train", "restval": "restval", "val": "dev", "test": "test"}
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
        source_id: COCO's number where there is one, else the file name without its ending.
        filename: of the photograph.
        folder: where it lies (`filepath`), or "".
        coco_id: COCO's number, or None.
        captions: `(sentid, caption)`.
    """

    number: int
    source_id: str
    filename: str
    folder: str
    coco_id: int | None
    captions: tuple[tuple[int, str], ...]


class KarpathyCaptions(CaptionSource):
    """Parses such a file; a subclass says in `_example(split, image, captions)` what goes with it.

    `val` of the file is the split `dev`.

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
            for item in content["images"]:
                self._add(item)
        except NOT_AS_EXPECTED as error:
            raise ValueError(
                f"Expected Karpathy's form in {file.name}: dataset, and images with filename, "
                f"imgid, split and sentences with raw, imgid, sentid. Received: {reason_of(error)}."
            ) from None
        if not self._photographs:
            raise ValueError(f"Expected images in {file.name}. Received: none.")

    @property
    def official_counts(self):
        """The number of photographs of each split of this data set, where it is a known one."""
        counts = dict(_OFFICIAL_COUNTS.get(self.dataset, {}))
        if self._restval_in_train and "restval" in counts:
            counts["train"] += counts.pop("restval")
        return counts

    def splits(self):
        """Returns the names of the splits that the file has."""
        return tuple(split for split in _SPLITS.values() if split in self._photographs)

    def _add(self, item):
        if item["split"] not in _SPLITS:
            raise ValueError(f"the split {item['split']!r}, none of {', '.join(_SPLITS)}")
        split = _SPLITS[item["split"]]
        if split == "restval" and self._restval_in_train:
            split = "train"
        number, filename = int(item["imgid"]), posixpath.basename(str(item["filename"]))
        coco_id = item.get("cocoid")
        stem = re.sub(r"\.\w+$", "", filename)
        image = KarpathyImage(
            number,
            stem if coco_id is None else str(int(coco_id)),
            filename,
            str(item.get("filepath", "")),
            None if coco_id is None else int(coco_id),
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
            sentence_id = int(sentence["sentid"])
            if int(sentence["imgid"]) != number:
                self._skip(split, f"{name}#{sentence_id}", "a caption of another imgid")
            elif sentence_id in seen:
                self._skip(split, f"{name}#{sentence_id}", "a second caption of this sentid")
            else:
                seen.add(sentence_id)
                # Line ends within a caption are those of the form it was written into.
                yield sentence_id, " ".join(str(sentence["raw"] or "").split())

    def _parse(self, split):
        for image in self._photographs[split]:
            captions = self._usable_captions(split, image.source_id, image.captions)
            if captions:
                example = self._example(split, image, captions)
                if example is not None:
                    yield example

    def _example(self, split, image, captions):
        raise NotImplementedError
