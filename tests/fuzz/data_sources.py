"""Readers of data sets that others have made: a sound sample, and how it is read."""

import contextlib
import json
import shutil
import zipfile

import numpy as np

from tests.fuzz.reader import SAMPLES, Reader, sample, text_files
from tfrecords_tools.sources import precomp
from tfrecords_tools.sources.bottom_up import BottomUpFeatures, BottomUpSource
from tfrecords_tools.sources.caption_source import read_splits
from tfrecords_tools.sources.coco import Coco
from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr30k
from tfrecords_tools.sources.iapr_tc12 import IaprTc12
from tfrecords_tools.sources.karpathy_json import KarpathyJson
from tfrecords_tools.sources.neuraltalk import Neuraltalk
from tfrecords_tools.sources.pascal1k import Pascal1k
from tfrecords_tools.sources.region_descriptions import RegionDescriptions
from tfrecords_tools.sources.tf_records import TfRecords
from vsa_tf.files import json_text


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
    texts = Flickr30k(None, SAMPLES / "flickr30k" / "texts")
    return read_all(BottomUpSource(texts, BottomUpFeatures(f"bottom_up:{folder}"), False))


def _regions(name):
    return lambda folder: read_all(RegionDescriptions(folder / "images", folder / name))


def _write_captioned(folder):
    shutil.copy(SAMPLES / "neuraltalk" / "vgg_feats.mat", folder)
    count = json.loads((SAMPLES / "neuraltalk" / "dataset.json").read_bytes())["images"]
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


_ROWS = [
    {"path": "a.jpg", "caption": "A dog.", "split": "train"},
    {"path": "b.jpg", "caption": "B"},
]
_TABLES = {
    "json": json.dumps(_ROWS),
    "jsonl": "".join(json.dumps(row) + "\n" for row in _ROWS),
    "tsv": "path\tcaption\na.jpg\tA dog.\nb.jpg\tTwo\n",
}

READERS = (
    Reader("precomp", sample("precomp"), _read_precomp),
    Reader("precomp_regions", sample("precomp_regions"), _read_precomp),
    Reader(
        "coco",
        sample("coco"),
        lambda folder: read_all(Coco(folder, folder / "annotations", folder / "annotations")),
        ("annotations/*.json",),
    ),
    Reader(
        "karpathy_flickr30k",
        sample("karpathy_json"),
        lambda folder: read_all(KarpathyJson(SAMPLES, folder / "dataset_flickr30k.json")),
        ("dataset_flickr30k.json",),
    ),
    Reader(
        "karpathy_coco",
        sample("karpathy_json"),
        lambda folder: read_all(
            KarpathyJson(SAMPLES, folder / "dataset_coco.json", SAMPLES / "coco" / "annotations")
        ),
        ("dataset_coco.json",),
    ),
    Reader("neuraltalk", sample("neuraltalk"), lambda folder: read_all(Neuraltalk(folder))),
    Reader("neuraltalk_results", _write_captioned, lambda folder: read_all(Neuraltalk(folder))),
    Reader(
        "flickr30k",
        sample("flickr30k"),
        lambda f: read_all(Flickr30k(f, f / "texts", f / "entities")),
        ("texts/*", "entities/*/*"),
    ),
    Reader(
        "pascal1k",
        sample("pascal1k"),
        lambda folder: read_all(Pascal1k(folder / "dataset", folder / "sentence")),
        ("sentence/*/*",),
    ),
    Reader(
        "pascal1k_page",
        sample("pascal1k"),
        lambda folder: read_all(Pascal1k(folder / "dataset", folder / "pascal-sentences.html")),
        ("*.html",),
    ),
    Reader(
        "iapr_tc12",
        sample("iapr_tc12"),
        lambda folder: read_all(IaprTc12(folder, folder)),
        ("*.txt", "annotations_complete_eng/*/*"),
    ),
    Reader(
        "csv",
        _write_table,
        lambda folder: read_all(CsvCaptions(folder, folder / "captions.csv")),
        ("captions.csv",),
    ),
    *(
        Reader(
            f"captions_{ending}",
            text_files(**{f"captions__{ending}": text, "a__jpg": b"jpeg", "b__jpg": b"jpeg"}),
            lambda folder, ending=ending: read_all(
                CsvCaptions(folder, folder / f"captions.{ending}")
            ),
            (f"captions.{ending}",),
        )
        for ending, text in _TABLES.items()
    ),
    Reader(
        "splits",
        text_files(splits__csv="name,split\na.jpg,train\nb.jpg,dev\n"),
        lambda folder: read_splits(folder / "splits.csv")[0],
    ),
    Reader("regions", sample("regions"), _regions("regions.csv"), ("regions.csv",)),
    Reader("visual_genome", sample("regions"), _regions("visual_genome"), ("visual_genome/*",)),
    Reader("refcoco", sample("regions"), _regions("refcoco"), ("refcoco/*",)),
    Reader("zip", _write_zip, _read_zip),
    Reader(
        "tf_records", sample("tf_records"), lambda folder: _read_with_images(TfRecords(str(folder)))
    ),
    Reader("bottom_up", sample("bottom_up"), _read_bottom_up),
    Reader("bottom_up_arrays", sample("bottom_up_arrays"), _read_bottom_up),
)
