"""Readers of single files that users give to programs: a sound sample, and how it is read."""

from unittest import mock

import numpy as np
from PIL import Image

from tests.fuzz.reader import Reader, json_files, sample, text_files
from tfrecords_tools.conllu import ConlluFile
from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.image_decoding import decode_image, image_size, stored_image
from tfrecords_tools.sources.source import SourceExample
from vsa_tf import benchmark
from vsa_tf.inference.image_files import read_boxes, read_sentences
from vsa_tf.inference.photographs import read_photograph
from vsa_tf.inference.remote_model import RemoteModel
from vsa_tf.metrics.caption_files import read_hypotheses, read_neighbors, read_results, read_vectors
from vsa_tf.metrics.object_file import read_objects
from vsa_tf.metrics.system_scores import score_captions
from vsa_tf.model_handles import check_handles
from vsa_tf.program import with_flagfiles
from vsa_tf.sentence_features.word_vector_table import read_word_vectors
from vsa_tf.server.model_config import read_model_config_file
from vsa_tf.table import read_rows
from vsa_tf.text.vocabulary import Vocabulary

_BENCHMARK = {
    "command": "python -m benchmarks.search --width=8",
    "date": "2026-01-02",
    "machine": {"processor": "one", "cores": 2, "memory_gib": 8, "device": "GPU"},
    "cores_of_others": 0.5,
    "versions": {"numpy": "2.1"},
    "compared": "this / that",
    "sizes": {"num_images": 1000},
    "rows": [{"way": "ours", "ms": 2.5}],
    "not_measured": [{"what": "a TPU", "why": "there is none"}],
}
_VOCABULARY = Vocabulary.from_sentences([["dog", "cat"]])
_BOXES = {"a.jpg": {"boxes": [[0, 0, 1, 1], [0.1, 0.2, 0.3, 0.5]], "scores": [1, 0.5]}}
_COCO_RESULTS = [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "two cats"}]
_COCO_TRUTH = {"annotations": [{"image_id": n, "caption": "a dog runs"} for n in (1, 2)]}


def _read_proposals(folder):
    example = SourceExample("a", "a.jpg", ("a dog",))
    return FileProposals(folder / "boxes.json").detect([None], [example])


def _read_parses(folder):
    parses = DependencyParses(folder / "parsed.conllu")
    return list(ConlluFile(folder / "parsed.conllu")), parses.skipped()


_MODEL_CONFIG = """model_config_list {
  config { name: "a" base_path: "/models/a" model_platform: "tensorflow"
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 1 } }
  config { name: "b" base_path: "/models/b" }
}
"""
_METADATA = {
    "metadata": {
        "signature_def": {
            "signature_def": {
                "embed_sentence": {
                    "inputs": {"sentences": {"dtype": "DT_STRING"}},
                    "outputs": {"embedding": {"dtype": "DT_FLOAT"}},
                }
            }
        }
    }
}
_PHOTOGRAPHS = {
    "jpeg": {"quality": 60},
    "progressive": {"format": "JPEG", "progressive": True},
    "png": {},
    "palette": {"format": "PNG", "mode": "P"},
    "gif": {"mode": "P"},
    "bmp": {},
    "webp": {"lossless": True},
    "avif": {},
}


def _write_photograph(kind, format=None, mode="RGB", **options):
    def write(folder):
        pixels = np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)
        exif = Image.Exif()
        exif[0x0112] = 6
        picture = Image.fromarray(pixels).convert(mode)
        oriented = {} if kind in ("bmp", "gif") else {"exif": exif}
        picture.save(folder / "photograph", format or kind, **oriented, **options)

    return write


def _read_photograph(folder):
    data = (folder / "photograph").read_bytes()
    size = image_size(data)
    return size, decode_image(data), stored_image(data), read_photograph(folder / "photograph")


class _Connection:
    """In the place of Python's own: a server that answers with files."""

    def __init__(self, folder):
        self._folder, self.status = folder, 200

    def request(self, method, path, body, headers):
        self._name = "metadata.json" if path.endswith("/metadata") else "answer.json"

    def getresponse(self):
        return self

    def read(self):
        return (self._folder / self._name).read_bytes()

    def close(self):
        pass


def _ask_server(folder):
    with mock.patch("http.client.HTTPConnection", lambda *_, **__: _Connection(folder)):
        model = RemoteModel("host:1", "name")
        name = "embed_sentence"
        return model.signatures, model.call(
            name, sentences=["a dog"]
        ) if name in model.signatures else None


READERS = (
    Reader(
        "benchmarks",
        json_files(results__json={"entries": [_BENCHMARK], "not_measured": ["Power."]}),
        lambda folder: benchmark.page_text(benchmark.read_results(folder / "results.json")),
    ),
    Reader(
        "word_vectors",
        text_files(vectors__txt="the 1 2\ndog 3 4\ncat 5 6\n"),
        lambda folder: read_word_vectors(folder / "vectors.txt", _VOCABULARY, 2),
    ),
    Reader("proposals", json_files(boxes__json=_BOXES), _read_proposals),
    Reader(
        "boxes",
        json_files(boxes__json=[[0, 0, 1, 1], [0.1, 0.2, 0.3, 0.5]]),
        lambda folder: read_boxes(folder / "boxes.json"),
    ),
    Reader(
        "rows",
        text_files(
            table__rows="# A table\none | --model=embedding\ntwo | --joint_size=7 # smaller\n"
        ),
        lambda folder: read_rows(folder / "table.rows"),
    ),
    Reader(
        "sentences",
        text_files(sentences__txt="a dog\nein Hund läuft\n"),
        lambda folder: read_sentences(folder / "sentences.txt"),
    ),
    Reader(
        "flagfile",
        text_files(some__flags="# größer\n--joint_size=7\n--model=embedding\n"),
        lambda folder: with_flagfiles([f"--flagfile={folder / 'some.flags'}"]),
    ),
    Reader(
        "scored_captions",
        json_files(results__json=_COCO_RESULTS, references__json=_COCO_TRUTH),
        lambda folder: score_captions(
            folder / "results.json", folder / "references.json", meteor=False
        ),
    ),
    Reader(
        "tabled_captions",
        text_files(results__csv="image_id,caption\n1,a dog\n2,two cats\n"),
        lambda folder: read_results(folder / "results.csv"),
    ),
    Reader(
        "n_best",
        text_files(
            hypotheses__jsonl='{"image": "a.jpg", "captions": [{"text": "a dog"}, "dogs"]}\n'
        ),
        lambda folder: read_hypotheses(folder / "hypotheses.jsonl"),
    ),
    Reader(
        "objects",
        lambda folder: np.save(
            folder / "objects.npy",
            np.array([{"id": 1, "gen_beam": [["a", "dog"]], "f": np.ones(3, "f4")}], object),
        ),
        lambda folder: (
            read_objects(folder / "objects.npy"),
            read_hypotheses(folder / "objects.npy"),
        ),
    ),
    Reader("conllu", sample("conllu"), _read_parses),
    Reader(
        "listed_captions",
        text_files(results__txt="1\ta dog\n2\ttwo cats\n"),
        lambda folder: read_results(folder / "results.txt"),
    ),
    Reader(
        "vectors",
        lambda folder: np.savez(folder / "a.npz", ids=np.array(["a", "b"]), features=np.eye(2)),
        lambda folder: read_vectors(str(folder / "a.npz")),
    ),
    Reader(
        "vectors_of_objects",
        lambda folder: np.save(folder / "a.npy", {"a": np.ones(2), "b": np.zeros(2)}),
        lambda folder: read_vectors(str(folder / "a.npy")),
    ),
    Reader(
        "neighbors",
        json_files(neighbors__json={"a": ["b", "c"], "2": [3]}),
        lambda folder: read_neighbors(folder / "neighbors.json"),
    ),
    *(
        Reader(f"photograph_{kind}", _write_photograph(kind, **options), _read_photograph)
        for kind, options in _PHOTOGRAPHS.items()
    ),
    Reader(
        "model_config",
        text_files(models__config=_MODEL_CONFIG),
        lambda folder: read_model_config_file(folder / "models.config"),
    ),
    Reader(
        "preset",
        json_files(config__json={"registered_name": "a>B"}, model__weights__json={}),
        lambda folder: check_handles(image_encoder=f"keras_hub:{folder}"),
        ("config.json",),
    ),
    Reader(
        "server_answers",
        json_files(metadata__json=_METADATA, answer__json={"outputs": [[0.5, 1.5], [2.5, -1]]}),
        _ask_server,
    ),
)
