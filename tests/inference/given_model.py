"""A model whose answers are given, to test what is done with them."""

import pathlib

import numpy as np

from vsa_tf.errors import InputError

ALIGN = {
    # Two sentences of different lengths in one batch would be padded like this one.
    "score": np.float32([1.5]),
    "tokens": np.array([["a", "red", "dog", ""]], object),
    "num_words": np.int32([3]),
    "word_regions": np.int32([[1, 1, 0, -1]]),
    "word_scores": np.float32([[0.25, 0.5, 0.75, 0]]),
    "boxes": np.float32([[[0, 0, 1, 1], [0.25, 0.25, 0.5, 0.75], [0, 0, 0, 0]]]),
    "snippets": np.array([["a red", "dog", ""]], object),
    "snippet_boxes": np.float32([[[0.25, 0.25, 0.5, 0.75], [0, 0, 1, 1], [0, 0, 0, 0]]]),
    "snippet_scores": np.float32([[0.75, 0.75, 0]]),
    "num_snippets": np.int32([2]),
}


class GivenModel:
    """Answers every row of a signature alike, and refuses images that start with `bad`.

    Args:
        answers: dict of signature to the answer of one row, arrays `[1, ...]`; or a function of the
            inputs.
    """

    def __init__(self, answers):
        self._answers = answers
        self.signatures = {name: () for name in answers}
        self.batches = []

    def call(self, name, **inputs):
        images = inputs.get("image_bytes", [])
        self.batches.append(len(images))
        if any(data.startswith(b"bad") for data in images):
            raise InputError("not an image")
        answer = self._answers[name]
        if callable(answer):
            return answer(**inputs)
        num_rows = len(next(iter(inputs.values())))
        return {key: np.repeat(value, num_rows, axis=0) for key, value in answer.items()}


class GivenSource:
    """A `ModelSource` of a `GivenModel`."""

    def __init__(self, model, name="given"):
        self._model = model
        self._name = name

    def __str__(self):
        return self._name

    def open(self, *_, **options):
        return self._model

    def to_dict(self):
        return {"model_dir": self._name}


def write_files(folder, contents):
    """Writes files `0.jpg`, `1.jpg`, ... of bytes; returns their paths, list of str."""
    paths = []
    for index, content in enumerate(contents):
        path = pathlib.Path(folder) / f"{index}.jpg"
        path.write_bytes(content)
        paths.append(str(path))
    return paths
