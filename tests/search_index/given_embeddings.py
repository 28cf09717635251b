"""Models and indices of given vectors."""

import numpy as np

from tests.inference.given_model import GivenModel, GivenSource
from vsa_tf.inference.model import Model
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexManifest, IndexWriter

WIDTH = 6


def unit(rng, *shape):
    """Random vectors of length 1, float32."""
    vectors = rng.normal(size=(*shape, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def images_with_regions(rng, count, num_regions=4):
    """`Embedded` images with 1 to `num_regions` regions; what is padded would win."""
    counts = rng.integers(1, num_regions + 1, count).astype(np.int32)
    vectors = rng.normal(size=(count, num_regions, WIDTH)).astype(np.float32)
    vectors[np.arange(num_regions) >= counts[:, None]] = 1e3
    boxes = rng.random((count, num_regions, 4)).astype(np.float32)
    return Embedded("images", vectors, counts, boxes)


def sentences_with_words(rng, count, most_words=5):
    """`Embedded` sentences with 1 to `most_words` words."""
    counts = rng.integers(1, most_words + 1, count).astype(np.int32)
    return Embedded("sentences", rng.normal(size=(counts.sum(), WIDTH)).astype(np.float32), counts)


def write_index(path, score, *parts, dtype="float32", probes=None):
    """Writes an index of `Embedded` parts, a shard each; images are named `image 0`, ..."""
    path.mkdir(exist_ok=True)
    IndexManifest({"model_dir": "given"}, score, dtype, probes or {}).save(path)
    numbers = {"images": 0, "sentences": 0}
    for part in parts:
        first = numbers[part.kind]
        numbers[part.kind] += len(part)
        names = [f"{part.kind[:-1]} {number}" for number in range(first, first + len(part))]
        columns = {"sentence": names}
        if part.kind == "images":
            columns = {"path": names, "size": [1] * len(part), "mtime_ns": [1] * len(part)}
        with IndexWriter(path, dtype) as writer:
            writer.add(columns, part)
    return path


def hashed_source(seed=0, name="given"):
    """A `GivenSource` of an embedding model: vectors of length 1, drawn by what is embedded."""

    def vectors(values):
        drawn = []
        for value in values:
            data = value if isinstance(value, bytes) else value.encode()
            rng = np.random.default_rng([seed, *data[:200]])
            drawn.append(unit(rng))
        return np.stack(drawn)

    def score(image_bytes, sentences):
        squares = np.square(vectors(image_bytes) - vectors(sentences)).sum(axis=1)
        return {"score": -np.sqrt(squares + 1e-4)}

    model = GivenModel(
        {
            "embed_image": lambda image_bytes: {"embedding": vectors(image_bytes)},
            "embed_sentence": lambda sentences: {"embedding": vectors(sentences)},
            "score": score,
        }
    )
    return GivenSource(model, name)


def hashed_model(seed=0, name="given"):
    """The `Model` of a `hashed_source`."""
    return Model.of(hashed_source(seed, name))
