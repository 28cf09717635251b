"""neuraltalk's data: Karpathy's JSON and the features of its photographs.

Source: https://github.com/karpathy/neuraltalk
"""

import functools
import hashlib
import json

import numpy as np

from tfrecords_tools.archive import AnnotationFile, Archive
from tfrecords_tools.sources.karpathy_json import KarpathyCaptions
from tfrecords_tools.sources.matlab_file import read_matrix
from tfrecords_tools.sources.source import GivenRegions, SourceExample
from vsa_tf.file_reading import NOT_AS_EXPECTED, parse_json, reason_of, text_lines

FEATURES_FILE = "vgg_feats.mat"
# What predict_on_images.py of neuraltalk reads and writes.
_NAMES_FILE, _RESULTS_FILE = "tasks.txt", "result_struct.json"


class Neuraltalk(KarpathyCaptions):
    """Parses `dataset.json` and `vgg_feats.mat`, `feats` of one column an image.

    There are no photographs: the examples bring the feature of the whole frame. The features are
    held in memory, of which MATLAB's format v5 takes 2 GB at most. There must be as many columns as
    `imgid`s from 0 to the last: else they belong to another file.

    Args:
        captions: directory or zip that holds both files; or, in place of `dataset.json`, the
            `tasks.txt` and `result_struct.json` of photographs that neuraltalk has captioned.
        restval_in_train: whether COCO's `restval` joins `train`.

    Attributes:
        feature_size: D.

    Raises:
        OSError: when a file is missing or unreadable; the message says what to get.
        ValueError: when a file holds none of what it should, or the two do not go together.
    """

    name = "neuraltalk"

    def __init__(self, captions, restval_in_train=False):
        files = AnnotationFile.find(captions, r"dataset\.json")
        archive = Archive(captions)
        features = archive.find(FEATURES_FILE)
        results = None if files else neuraltalk_results(archive)
        if results is not None:
            files = [AnnotationFile(_RESULTS_FILE, lambda: results)]
        if len(files) != 1 or features is None:
            raise FileNotFoundError(
                f"Expected dataset.json and {FEATURES_FILE}. Received: {archive.path!r}, which "
                "does not hold both (once). Get flickr8k.zip, flickr30k.zip or coco.zip from "
                "https://cs.stanford.edu/people/karpathy/deepimagesent and pass it as --captions."
            )
        super().__init__(files[0], restval_in_train)
        data = archive.read(features)
        self._checksums[FEATURES_FILE] = hashlib.sha256(data).hexdigest()
        self._columns = read_columns(data)
        self.feature_size = len(self._columns)
        self._check_columns(files[0].name)

    def _check_columns(self, name):
        rows, columns = self._columns.shape
        first, wanted = min(self._numbers), max(self._numbers) + 1
        if first < 0:
            raise ValueError(f"Expected imgid from 0 in {name}. Received: {first}.")
        if columns != wanted:
            advice = f". Give the features of this {name}"
            if rows == wanted:
                advice = ", transposed? Save feats' in MATLAB, or feats.T in Python"
            raise ValueError(
                f"Expected feats [D, {wanted}] in {FEATURES_FILE}, a column for each imgid of "
                f"{name}, 0 to {wanted - 1}. Received: [{rows}, {columns}]{advice}."
            )

    def _example(self, split, image, captions):
        return SourceExample(
            source_id=image.source_id,
            filename=image.filename,
            captions=tuple(text for _, text in captions),
            # Sent to another process, it takes its own column along.
            read_features=functools.partial(_row, self._columns[:, image.number]),
        )


def read_columns(data):
    """Reads `feats` of a MATLAB file.

    Args:
        data: its bytes.

    Returns:
        float32 `[D, N]`.

    Raises:
        ValueError: when the file is of v7.3 or other HDF5, damaged, or holds no such array.
    """
    expected = f"Expected a MATLAB v5 to v7 file with feats [D, N] as {FEATURES_FILE}. Received: "
    try:
        return read_matrix(data, "feats")
    except NotImplementedError:
        raise ValueError(
            f"{expected}HDF5, as v7.3 is. Save it in MATLAB with save('-v7'), or write the "
            "features as .npy and give --dataset=precomp."
        ) from None
    except ValueError as error:
        raise ValueError(f"{expected}{error}.") from None


def _row(column, _=None):
    return GivenRegions(np.array(column)[None])


def neuraltalk_results(archive):
    """Gives what `predict_on_images.py` read and wrote the form of a `dataset.json`.

    Args:
        archive: an `Archive` with `tasks.txt`, names in the order of the features' columns, and
            `result_struct.json`, the caption that was generated for each.

    Returns:
        Bytes of JSON, all photographs in the split `test`; None where a file is missing.

    Raises:
        OSError: when a file cannot be read.
        ValueError: when one is of another form.
    """
    names, results = (archive.find(name) for name in (_NAMES_FILE, _RESULTS_FILE))
    if names is None or results is None:
        return None
    try:
        names = [line.strip() for line in text_lines(archive.read(names), _NAMES_FILE)]
        names = [name for name in names if name]
        captions = {
            result["img_path"]: result["candidate"]["text"]
            for result in parse_json(archive.read(results), _RESULTS_FILE)["imgblobs"]
        }
        missing = [name for name in names if name not in captions]
        if missing:
            raise ValueError(f"no caption of {missing[0]}")
    except NOT_AS_EXPECTED as error:
        raise ValueError(
            f"Expected names in {_NAMES_FILE} and for each of them img_path and candidate.text in "
            f"imgblobs of {_RESULTS_FILE}. Received: {reason_of(error)}."
        ) from None
    images = [
        {
            "filename": name,
            "imgid": number,
            "split": "test",
            "sentences": [{"raw": captions[name], "imgid": number, "sentid": number}],
        }
        for number, name in enumerate(names)
    ]
    return json.dumps({"dataset": "neuraltalk", "images": images}).encode()
