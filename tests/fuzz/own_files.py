"""Readers of what this project has written, which disks and copies spoil."""

import json
import pathlib
import types

import numpy as np

from tests.fuzz.reader import Reader
from tfrecords_tools.conllu import write_parses
from tfrecords_tools.record_directory import RecordDirectory
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.evaluation.canonical_correlation import CanonicalCorrelation
from vsa_tf.files import (
    check_files,
    file_checksums,
    file_sha256,
    read_arrays,
    read_sealed,
    sealed,
    write_arrays,
    write_json,
)
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.model_dir.checkpoint import restore_checkpoint, save_checkpoint
from vsa_tf.reporting.report_folder import ReportFolder, former_files
from vsa_tf.search_index import embedding_folder
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.first_stage import FirstStage
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard
from vsa_tf.search_index.search_index import SearchIndex
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_VOCABULARY = Vocabulary.from_sentences([["dog", "cat"]])


def _write_index(folder):
    manifest = IndexManifest({"server": "h:1"}, "max_sum", "float32", {"images": [1.0, 0.0]})
    manifest.save(folder)
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(3, 2, 4)).astype(np.float32)
    boxes = np.tile(np.float32([0, 0, 1, 1]), (3, 2, 1))
    images = Embedded("images", vectors, np.int32([2, 1, 2]), boxes)
    columns = {"path": ["a", "b", "ü"], "size": [1, 2, 3], "mtime_ns": [4, 5, 6]}
    IndexShard.write(folder, columns, images)
    words = Embedded("sentences", vectors[0], np.int32([1, 1]))
    IndexShard.write(folder, {"sentence": ["a dog", "läuft"]}, words)


def _write_old_index(folder):
    _write_index(folder)
    manifest = json.loads((folder / "index.json").read_bytes())
    del manifest["sealed_by"], manifest["content_sha256"]
    (folder / "index.json").write_text(json.dumps(manifest))
    for path in folder.glob("*/checksums.json"):
        path.unlink()


def search_index(folder):
    """Opens an index and asks it; returns all that it answers by."""
    index = SearchIndex(folder)
    words = Embedded("sentences", np.float32([[1, 2, 3, 4]]), np.int32([1]))
    vectors = np.float32([[[1, 2, 3, 4], [4, 3, 2, 1]]])
    picture = Embedded("images", vectors, np.int32([2]), np.ones((1, 2, 4), np.float32))
    shards = [shard.columns for shards in index.shards.values() for shard in shards]
    answers = index.nearest(words, "images", 3), index.nearest(picture, "sentences", 3)
    return index.manifest, shards, answers


def _write_settings(folder):
    settings = Settings.of("embedding", data_dir="data", model_dir="model")
    (folder / "config.json").write_text(settings.to_json({"encoder": {}, "num_regions": 1}))


def _write_old_settings(folder):
    _write_settings(folder)
    values = json.loads((folder / "config.json").read_bytes())
    del values["sealed_by"], values["content_sha256"]
    (folder / "config.json").write_text(json.dumps(values))


def _write_info(folder):
    split = {"num_images": 2, "num_sentences": 4, "num_phrases": 0}
    shards = [{"file": "train.tfrecord", "num_records": 2, "sha256": "0"}]
    info = {
        "schema_version": 1,
        "dataset": "csv",
        "splits": {"train": {**split, "shards": shards}},
        "num_regions": 1,
        "region_feature_size": 0,
        "image_feature_size": 0,
        "images_stored": True,
        "encoder": None,
        "detector": None,
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))


def _write_staged_index(folder):
    _write_index(folder)
    FirstStage.prepare(SearchIndex(folder), least=1)


def _staged(folder):
    """Asks the first stage, too: it is left out where its own vectors of a shard are damaged."""
    index = SearchIndex(folder)
    words = Embedded("sentences", np.float32([[1, 2, 3, 4]]), np.int32([1]))
    stage = index.stage("sentences", "images", candidates=3)
    return index.manifest, index.nearest(words, "images", 3, stage)


def _write_embeddings(folder, table):
    images = Embedded(
        "images",
        np.arange(24, dtype=np.float32).reshape(3, 2, 4),
        np.int32([2, 1, 2]),
        np.tile(np.float32([0, 0, 1, 1]), (3, 2, 1)),
    )
    columns = {"image_path": ["a", "b", "ü"], "size": [1, 2, 3], "mtime_ns": [4, 5, 6]}
    writer = embedding_folder._Writer(folder / "out", "images", "float32", table, 3)
    writer.write([(columns, images)], {"score": "max_sum"}, lambda line: None)


def _read_embeddings(folder):
    values, parts = embedding_folder.read_embeddings(folder / "out")
    parts = [(c, {name: a.tolist() for name, a in e.arrays().items()}) for c, e in parts]
    return values["kind"], values["index"], parts


class _Variable:
    """What a checkpoint sees of a Keras variable."""

    def __init__(self, path, value):
        self.path, self.value, self.shape = path, value, value.shape

    def assign(self, value):
        # As Keras does, whatever type was stored.
        self.value = np.asarray(value).astype(self.value.dtype)


def _variables(factor):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    return [_Variable("dense/kernel", factor * values), _Variable("count", np.int32(3 * factor))]


def _read_checkpoint(folder):
    variables = _variables(0)
    progress = restore_checkpoint(folder / "checkpoint.npz", variables)
    return progress, [np.asarray(variable.value).tolist() for variable in variables]


def _write_card(folder):
    (folder / "saved_model.pb").write_bytes(b"graph")
    card = {"model": "m", "signatures": {"score": {}}, "files": file_checksums(folder)}
    write_json(folder / "model_card.json", sealed(card))


def _read_card(folder):
    ModelSource(saved_model=str(folder)).check("score", "scores")
    check_files(folder, "model_card.json")


def _write_begun_records(folder):
    """What a run that was interrupted goes on from."""
    directory = RecordDirectory(folder)
    fingerprint = directory.open({"dataset": "csv", "num_regions": 1})
    shard = folder / "train-00000-of-00001.tfrecord"
    shard.write_bytes(b"records")
    note = {
        "file": shard.name,
        "sha256": file_sha256(shard),
        "fingerprint": fingerprint,
        "num_images": 3,
    }
    directory.write_note(note)


def _read_begun_records(folder):
    directory = RecordDirectory(folder)
    fingerprint = directory.open({"dataset": "csv", "num_regions": 1})
    return [directory.note(name, fingerprint) for name in sorted(directory.noted())]


def _write_report(folder):
    report = ReportFolder(folder / "report")
    report.write("index.html", b"page")
    report.finish()


def _correlation():
    rng = np.random.default_rng(0)
    return CanonicalCorrelation(
        rng.normal(size=3),
        rng.normal(size=2),
        rng.normal(size=(3, 2)),
        rng.normal(size=(2, 2)),
        np.array([0.9, 0.4]),
        4.0,
    )


_CAPTIONS = [("a.jpg#0", "dogs run"), ("b.jpg#0", "a cat")]


def _parsed(texts, as_tuples, n_process, batch_size):
    """Stands for spaCy's `pipe`: all words are of the first."""

    class Doc(list):
        def has_annotation(self, name):
            return True

    for text, context in texts:
        doc, words = Doc(), text.split()
        doc.text = text
        for i, word in enumerate(words):
            doc.append(
                types.SimpleNamespace(
                    i=i, text=word, lemma_=word, pos_="X", tag_="X", morph="", whitespace_=" "
                )
            )
        for token in doc:
            token.head, token.dep_ = doc[0], "root" if token is doc[0] else "dep"
        yield doc, context


def _write_parses(folder):
    write_parses(_CAPTIONS, folder / "a.conllu", types.SimpleNamespace(pipe=_parsed), "fake 1")
    content = (folder / "a.conllu").read_bytes()
    (folder / ".b.conllu.partial").write_bytes(content[: content.index(b"\n\n") + 2])


def _read_parses(folder):
    pipeline = types.SimpleNamespace(pipe=_parsed)
    write_parses(_CAPTIONS, folder / "a.conllu", pipeline, "fake 1")
    left = (folder / ".b.conllu.partial").read_bytes()
    try:
        write_parses(_CAPTIONS, folder / "b.conllu", pipeline, "fake 1")
        return (folder / "b.conllu").read_bytes()
    finally:
        pathlib.Path(folder / "b.conllu").unlink(missing_ok=True)
        (folder / ".b.conllu.partial").write_bytes(left)


def _write_metrics(folder):
    report = {"split": "test", "metrics": {"image_to_sentence": {"R@1": 12.5, "R@10": 100.0}}}
    write_json(folder / "metrics.json", sealed(report))


READERS = (
    Reader(
        "vocabulary",
        lambda folder: _VOCABULARY.save(folder / "vocabulary.txt"),
        lambda folder: Vocabulary.load(folder / "vocabulary.txt").names,
    ),
    Reader(
        "relations",
        lambda folder: RelationTypes.from_relations(["det", "amod"]).save(folder / "relations.txt"),
        lambda folder: RelationTypes.load(folder / "relations.txt").names,
    ),
    Reader(
        "arrays",
        lambda folder: write_arrays(folder / "a.npz", "fruit", {"a": np.ones(3), "b": np.int8(2)}),
        lambda folder: read_arrays(folder / "a.npz", "fruit"),
    ),
    Reader("config", _write_settings, Settings.load, is_checked=True),
    Reader(
        "old_config", _write_old_settings, lambda f: (Settings.load(f), Settings.load_inputs(f))
    ),
    Reader("dataset_info", _write_info, DatasetInfo.load),
    Reader("index", _write_index, search_index, ("*.json", "*/*"), is_checked=True),
    Reader("old_index", _write_old_index, search_index, ("*.json", "*/*")),
    Reader("staged_index", _write_staged_index, _staged, ("*", "*/*"), is_checked=True),
    Reader(
        "embeddings",
        lambda folder: _write_embeddings(folder, "parquet"),
        _read_embeddings,
        ("out/*", "out/*/*"),
        is_checked=True,
    ),
    Reader(
        "tabled_embeddings",
        lambda folder: _write_embeddings(folder, "csv"),
        _read_embeddings,
        ("out/*", "out/*/*"),
        is_checked=True,
    ),
    Reader(
        "checkpoint",
        lambda folder: save_checkpoint(folder / "checkpoint.npz", _variables(1), {"steps": 7}),
        _read_checkpoint,
        is_checked=True,
    ),
    Reader("model_card", _write_card, _read_card, is_checked=True),
    Reader(
        "correlation",
        lambda folder: _correlation().save(folder / "correlation.npz"),
        lambda folder: (
            CanonicalCorrelation.load(folder / "correlation.npz")
            .project_x(np.ones((1, 3)))
            .tolist()
        ),
        is_checked=True,
    ),
    Reader("begun_records", _write_begun_records, _read_begun_records, (".*.json",), True),
    Reader(
        "metrics",
        _write_metrics,
        lambda folder: read_sealed(folder / "metrics.json"),
        is_checked=True,
    ),
    Reader(
        "report",
        _write_report,
        lambda folder: former_files(folder / "report"),
        ("report/*.json",),
        is_checked=True,
    ),
    Reader("parses", _write_parses, _read_parses, (".*.partial", "*.conllu")),
)
