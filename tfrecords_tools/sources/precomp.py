"""Features and captions as VSE++ and SCAN are trained on.

Source: Faghri et al., "VSE++", 2018; Lee et al., "Stacked cross attention", 2018.
"""

import functools
import os

import numpy as np

from tfrecords_tools.sources.caption_source import CaptionSource
from tfrecords_tools.sources.source import DEV_NAMES, GivenRegions, SourceExample
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import open_array, split_lines
from vsa_tf.files import file_sha256

CAPTIONS_PER_IMAGE = 5
# COCO's 5,000 test images are called testall, their first 1,000 test.
_SPLITS = ("train", "dev", "test", "testall")


class Precomp(CaptionSource):
    """Parses `{train,dev,test,testall}_ims.npy` and `{train,dev,test,testall}_caps.txt`.

    `val` and `validation` stand for `dev`, too.

    There are no photographs: the examples bring features. An array `[N, D]` has one an image; one
    `[N, R, D]` has those of R regions, whose mean becomes the feature of the whole frame, region 0.
    Rows of the array are images, of five captions each, or captions, the row of an image being
    repeated five times: told apart for each split, as one released set mixes them. Arrays are
    mapped into memory, not read.

    Args:
        captions: directory that holds the files; a split of which neither is there is left out.

    Attributes:
        feature_size: D.
        layout: `{split: what its rows are}`.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when arrays and captions do not fit.
    """

    name = "precomp"

    def __init__(self, captions):
        super().__init__()
        self._folder = os.fspath(captions)
        if not os.path.isdir(self._folder):
            raise FileNotFoundError(
                "Expected a directory of *_ims.npy and *_caps.txt; zips cannot be mapped into "
                f"memory: unpack them. Received: {self._folder!r}."
            )
        self._captions, self._steps = {}, {}
        self.layout = {}
        sizes = {}
        self._files = {}
        for split in _SPLITS:
            paths = self._paths(split)
            if paths is None:
                continue
            self._files[split] = paths
            rows = _open(paths[0])
            self._captions[split] = self._read_captions(paths[1])
            self._steps[split] = _captions_step(split, rows, len(self._captions[split]))
            self._checksums[os.path.basename(paths[0])] = file_sha256(paths[0])
            sizes[split] = rows.shape[-1]
            self.layout[split] = "images" if self._steps[split] == 1 else "captions"
        if not sizes:
            raise FileNotFoundError(
                "Expected train_ims.npy and train_caps.txt, dev_ims.npy and dev_caps.txt or "
                f"test_ims.npy and test_caps.txt. Received: {self._folder!r}, which holds none of "
                "them. Get f30k_precomp or coco_precomp from "
                "https://github.com/kuanghuei/SCAN, unpack it and pass it as --captions."
            )
        if len(set(sizes.values())) > 1:
            raise ValueError(f"Expected features of one size in all splits. Received: {sizes}")
        self.feature_size = next(iter(sizes.values()))

    def splits(self):
        """Returns the names of the splits whose files were found."""
        return tuple(self._captions)

    def _paths(self, split):
        """Returns the paths of the array and the captions of a split, of which one may lack."""
        found = []
        for name in DEV_NAMES if split == "dev" else (split,):
            paths = [
                os.path.join(self._folder, f"{name}{end}") for end in ("_ims.npy", "_caps.txt")
            ]
            if any(map(os.path.exists, paths)):
                found.append(paths)
        if len(found) > 1:
            names = " and ".join(os.path.basename(paths[0]) for paths in found)
            raise ValueError(f"Expected one array of the split {split}. Received: {names}.")
        return found[0] if found else None

    def _read_captions(self, path):
        try:
            with open(path, "rb") as file:
                data = self._digest(os.path.basename(path), file.read())
        except FileNotFoundError:
            raise FileNotFoundError(
                f"Expected {os.path.basename(path)} beside the features. Received: "
                f"{self._folder!r} without it."
            ) from None
        # With empty ones: each is a caption that was lost.
        return split_lines(data)

    def _parse(self, split):
        lines, path = self._captions[split], self._files[split][0]
        for image in range(len(lines) // CAPTIONS_PER_IMAGE):
            source_id = f"{split}-{image:06d}"
            first = image * CAPTIONS_PER_IMAGE
            captions = self._usable_captions(
                split, source_id, list(enumerate(lines[first : first + CAPTIONS_PER_IMAGE]))
            )
            if captions:
                yield SourceExample(
                    source_id=source_id,
                    filename=source_id,
                    captions=tuple(text for _, text in captions),
                    read_features=functools.partial(
                        _read_features, path, image * self._steps[split]
                    ),
                )


@functools.lru_cache(maxsize=len(_SPLITS))
def _open(path):
    name = os.path.basename(path)
    try:
        rows = open_array(path)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"Expected {name} beside the captions. Received: {os.path.dirname(path)!r} without it."
        ) from None
    except VsaTfError as error:
        if "Python objects" in str(error):
            raise ValueError(
                f"Expected floating-point features [N, D] or [N, R, D] in {name}. Received: an "
                "array of Python objects. Save it again as float32, all rows of one size."
            ) from None
        raise VsaTfError(f"{error}. Fetch it again.") from None
    if rows.ndim not in (2, 3) or rows.dtype.kind != "f" or 0 in rows.shape:
        raise ValueError(
            f"Expected floating-point features [N, D] or [N, R, D] in {name}. Received: "
            f"{rows.dtype} {list(rows.shape)}"
        )
    return rows


def _captions_step(split, rows, num_captions):
    """Returns how many rows further the next image is: 1, or 5 where rows are captions."""
    if num_captions == CAPTIONS_PER_IMAGE * len(rows):
        return 1
    expected = (
        f"Expected five captions a row in {split}_ims.npy, or one and rows that are repeated five "
        "times. Received: "
    )
    if num_captions != len(rows) or num_captions % CAPTIONS_PER_IMAGE:
        raise ValueError(
            f"{expected}{len(rows)} rows and {num_captions} lines of {split}_caps.txt, which fit "
            "neither"
        )
    for first in range(0, len(rows), CAPTIONS_PER_IMAGE):
        block = rows[first : first + CAPTIONS_PER_IMAGE]
        if not np.array_equal(block, np.broadcast_to(block[:1], block.shape), equal_nan=True):
            raise ValueError(f"{expected}rows {first} to {first + 4}, which differ")
    return CAPTIONS_PER_IMAGE


def _read_features(path, row, _=None):
    features = np.asarray(_open(path)[row], np.float32)
    if features.ndim == 1:
        return GivenRegions(features[None])
    return GivenRegions(np.concatenate([features.mean(axis=0, keepdims=True), features]))
