"""Every reader of files that others have written: a sound sample, and how it is read."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import zipfile
from collections.abc import Callable

import numpy as np

from tfrecords_tools.conllu import ConlluFile
from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.sources import precomp
from tfrecords_tools.sources.bottom_up import BottomUpFeatures, BottomUpSource
from tfrecords_tools.sources.coco import Coco
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr30k
from tfrecords_tools.sources.iapr_tc12 import IaprTc12
from tfrecords_tools.sources.karpathy_json import KarpathyJson
from tfrecords_tools.sources.neuraltalk import Neuraltalk
from tfrecords_tools.sources.pascal1k import Pascal1k
from tfrecords_tools.sources.region_descriptions import RegionDescriptions
from tfrecords_tools.sources.source import SourceExample
from tfrecords_tools.sources.tf_records import TfRecords
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.file_reading import read_objects
from vsa_tf.files import json_text, read_arrays, write_arrays
from vsa_tf.inference.image_files import read_boxes, read_sentences
from vsa_tf.metrics.caption_files import read_hypotheses, read_results
from vsa_tf.metrics.system_scores import score_captions
from vsa_tf.program import with_flagfiles
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard
from vsa_tf.search_index.search_index import SearchIndex
from vsa_tf.sentence_features.word_vector_table import read_word_vectors
from vsa_tf.settings import Settings
from vsa_tf.table import read_rows
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_SAMPLES = pathlib.Path(__file__).parent / "testdata"
_VOCABULARY = Vocabulary.from_sentences([["dog", "cat"]])


@dataclasses.dataclass(frozen=True)
class Reader:
    """A reader of files.

    Attributes:
        name: of the reader.
        write: called with a folder: writes a sound sample there.
        read: called with the folder: reads all of it.
        files: glob patterns of those that are damaged.
    """

    name: str
    write: Callable
    read: Callable
    files: tuple[str, ...] = ("*",)


def read_all(source):
    """Reads a source whole; returns what it brought, and what it left out."""
    found = []
    for split in source.splits():
        for example in source.examples(split):
            features = None if example.read_features is None else _listed(example.read_features)
            numbers = [*source.caption_numbers(example)]
            texts = (example.source_id, example.filename, example.captions, example.phrases)
            found.append((split, *texts, example.objects, numbers, features))
    source.check()
    entries = [skip.entry() for skip in source.skipped]
    # As `dataset_info.json` has it.
    json_text([entries, source.checksums()]).encode()
    return found, entries


def _listed(read_features):
    """Returns what the writer reads, or the reason that it lists."""
    try:
        return [own if own is None else np.asarray(own).tolist() for own in read_features()]
    except ValueError as error:
        assert len(str(error)) > 20, error
        return str(error)


def _read_precomp(folder):
    precomp._open.cache_clear()  # of the file of before, by the same name
    return read_all(precomp.Precomp(folder))


def _read_bottom_up(folder):
    """Reads features for the captions of the sample of Flickr30K, without its photographs."""
    texts = Flickr30k(None, _SAMPLES / "flickr30k" / "texts")
    return read_all(BottomUpSource(texts, BottomUpFeatures(f"bottom_up:{folder}"), False))


def _read_proposals(folder):
    example = SourceExample("a", "a.jpg", ("a dog",))
    return FileProposals(folder / "boxes.json").detect([None], [example])


def _read_parses(folder):
    parses = DependencyParses(folder / "parsed.conllu")
    return list(ConlluFile(folder / "parsed.conllu")), parses.skipped()


def _sample(name):
    return lambda folder: shutil.copytree(_SAMPLES / name, folder, dirs_exist_ok=True)


def _regions(name):
    return lambda folder: read_all(RegionDescriptions(folder / "images", folder / name))


def _files(**contents):
    def write(folder):
        for name, content in contents.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name.replace("__", ".")).write_bytes(data)

    return write


def _json(**contents):
    return _files(**{name: json.dumps(content) for name, content in contents.items()})


def _write_captioned(folder):
    shutil.copy(_SAMPLES / "neuraltalk" / "vgg_feats.mat", folder)
    count = json.loads((_SAMPLES / "neuraltalk" / "dataset.json").read_bytes())["images"]
    names = [f"{number}.jpg" for number in range(len(count))]
    (folder / "tasks.txt").write_text("\n".join(names) + "\n")
    blobs = [{"img_path": name, "candidate": {"text": "a dog"}} for name in names]
    (folder / "result_struct.json").write_text(json.dumps({"imgblobs": blobs}))


def _write_table(folder):
    (folder / "captions.csv").write_text("path,caption,split\na.jpg,A dog.,train\nb.jpg,Two,dev\n")
    for name in "ab":
        (folder / f"{name}.jpg").write_bytes(b"jpeg")


def _write_zip(folder):
    with zipfile.ZipFile(folder / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("captions.csv", "path,caption\na.jpg,A dog\nb.jpg,A cat runs\n")
        for name in "ab":
            archive.writestr(f"{name}.jpg", b"jpeg" * 99)


def _read_zip(folder):
    return _read_with_images(CsvCaptions(folder / "all.zip", folder / "all.zip"))


def _read_with_images(source):
    for split in source.splits():
        for example in source.examples(split):
            with contextlib.suppress(OSError):  # the writer lists it
                example.read_image()
    return read_all(source)


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
    del manifest["content_sha256"]
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
    del values["content_sha256"]
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


_BOXES = {"a.jpg": {"boxes": [[0, 0, 1, 1], [0.1, 0.2, 0.3, 0.5]], "scores": [1, 0.5]}}
_COCO_RESULTS = [{"image_id": 1, "caption": "a dog"}, {"image_id": 2, "caption": "two cats"}]
_COCO_TRUTH = {"annotations": [{"image_id": n, "caption": "a dog runs"} for n in (1, 2)]}

READERS = (
    Reader(
        "word_vectors",
        _files(vectors__txt="the 1 2\ndog 3 4\ncat 5 6\n"),
        lambda folder: read_word_vectors(folder / "vectors.txt", _VOCABULARY, 2),
    ),
    Reader("precomp", _sample("precomp"), _read_precomp),
    Reader("precomp_regions", _sample("precomp_regions"), _read_precomp),
    Reader(
        "coco",
        _sample("coco"),
        lambda folder: read_all(Coco(folder, folder / "annotations", folder / "annotations")),
        ("annotations/*.json",),
    ),
    Reader(
        "karpathy_flickr30k",
        _sample("karpathy_json"),
        lambda folder: read_all(KarpathyJson(_SAMPLES, folder / "dataset_flickr30k.json")),
        ("dataset_flickr30k.json",),
    ),
    Reader(
        "karpathy_coco",
        _sample("karpathy_json"),
        lambda folder: read_all(
            KarpathyJson(_SAMPLES, folder / "dataset_coco.json", _SAMPLES / "coco" / "annotations")
        ),
        ("dataset_coco.json",),
    ),
    Reader("neuraltalk", _sample("neuraltalk"), lambda folder: read_all(Neuraltalk(folder))),
    Reader("neuraltalk_results", _write_captioned, lambda folder: read_all(Neuraltalk(folder))),
    Reader(
        "flickr30k",
        _sample("flickr30k"),
        lambda f: read_all(Flickr30k(f, f / "texts", f / "entities")),
        ("texts/*", "entities/*/*"),
    ),
    Reader(
        "pascal1k",
        _sample("pascal1k"),
        lambda folder: read_all(Pascal1k(folder / "dataset", folder / "sentence")),
        ("sentence/*/*",),
    ),
    Reader(
        "pascal1k_page",
        _sample("pascal1k"),
        lambda folder: read_all(Pascal1k(folder / "dataset", folder / "pascal-sentences.html")),
        ("*.html",),
    ),
    Reader(
        "iapr_tc12",
        _sample("iapr_tc12"),
        lambda folder: read_all(IaprTc12(folder, folder)),
        ("*.txt", "annotations_complete_eng/*/*"),
    ),
    Reader(
        "csv",
        _write_table,
        lambda folder: read_all(CsvCaptions(folder, folder / "captions.csv")),
        ("captions.csv",),
    ),
    Reader("regions", _sample("regions"), _regions("regions.csv"), ("regions.csv",)),
    Reader("visual_genome", _sample("regions"), _regions("visual_genome"), ("visual_genome/*",)),
    Reader("refcoco", _sample("regions"), _regions("refcoco"), ("refcoco/*",)),
    Reader("zip", _write_zip, _read_zip),
    Reader(
        "tf_records",
        _sample("tf_records"),
        lambda folder: _read_with_images(TfRecords(str(folder))),
    ),
    Reader("bottom_up", _sample("bottom_up"), _read_bottom_up),
    Reader("bottom_up_arrays", _sample("bottom_up_arrays"), _read_bottom_up),
    Reader("conllu", _sample("conllu"), _read_parses),
    Reader("proposals", _json(boxes__json=_BOXES), _read_proposals),
    Reader(
        "boxes",
        _json(boxes__json=[[0, 0, 1, 1], [0.1, 0.2, 0.3, 0.5]]),
        lambda folder: read_boxes(folder / "boxes.json"),
    ),
    Reader(
        "rows",
        _files(table__rows="# A table\none | --model=embedding\ntwo | --joint_size=7 # smaller\n"),
        lambda folder: read_rows(folder / "table.rows"),
    ),
    Reader(
        "sentences",
        _files(sentences__txt="a dog\nein Hund läuft\n"),
        lambda folder: read_sentences(folder / "sentences.txt"),
    ),
    Reader(
        "flagfile",
        _files(some__flags="# größer\n--joint_size=7\n--model=embedding\n"),
        lambda folder: with_flagfiles([f"--flagfile={folder / 'some.flags'}"]),
    ),
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
    Reader("config", _write_settings, Settings.load),
    Reader(
        "old_config", _write_old_settings, lambda f: (Settings.load(f), Settings.load_inputs(f))
    ),
    Reader("dataset_info", _write_info, DatasetInfo.load),
    Reader("index", _write_index, search_index, ("*.json", "*/*")),
    Reader("old_index", _write_old_index, search_index, ("*.json", "*/*")),
    Reader(
        "scored_captions",
        _json(results__json=_COCO_RESULTS, references__json=_COCO_TRUTH),
        lambda folder: score_captions(
            folder / "results.json", folder / "references.json", meteor=False
        ),
    ),
    Reader(
        "tabled_captions",
        _files(results__csv="image_id,caption\n1,a dog\n2,two cats\n"),
        lambda folder: read_results(folder / "results.csv"),
    ),
    Reader(
        "n_best",
        _files(hypotheses__jsonl='{"image": "a.jpg", "captions": [{"text": "a dog"}, "dogs"]}\n'),
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
)
