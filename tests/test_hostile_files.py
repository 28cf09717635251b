"""Files that mean harm: they swell, name files elsewhere, or ask for more than data."""

import gzip
import io
import json
import os
import pickle
import struct
import types
import zipfile
import zlib

import numpy as np
import pytest
import scipy.io

from tests.source_imports import ROOT, source_files
from tfrecords_tools.archive import Archive, open_photographs
from tfrecords_tools.exporting.exported_directory import ImageFolder
from tfrecords_tools.image_decoding import decode_image
from tfrecords_tools.image_structure import MAX_BYTES, ImageError
from tfrecords_tools.sources.flickr30k_entities import parse_annotations
from tfrecords_tools.sources.neuraltalk import read_columns
from tfrecords_tools.sources.region_features import read_arrays
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import open_array, read_arrays_of
from vsa_tf.files import check_files, file_checksums, file_sha256, sealed, write_json
from vsa_tf.inference.photographs import read_photograph
from vsa_tf.reporting.report_folder import former_files
from vsa_tf.search_index.embedding_folder import read_embeddings

SWOLLEN = 65 << 20
SOURCES = [*source_files().values(), *(ROOT / "benchmarks").glob("*.py")]


def _zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_zip_that_swells_is_refused_by_what_it_declares(tmp_path, monkeypatch):
    _zip(tmp_path / "a.zip", bomb=bytes(SWOLLEN), sound=bytes(1 << 20))
    archive = Archive(tmp_path / "a.zip")
    assert len(archive.read("sound")) == 1 << 20
    monkeypatch.setattr(zipfile.ZipFile, "open", None)  # nothing is unpacked
    with pytest.raises(OSError, match=f"'bomb' in .* bytes that declare {SWOLLEN}"):
        archive.read("bomb")


def test_a_member_that_is_longer_than_its_file_is_not_allocated(tmp_path, monkeypatch):
    np.savez(tmp_path / "b.npz", a=np.arange(9))
    data = bytearray((tmp_path / "b.npz").read_bytes())
    sizes = data.rindex(b"PK\x01\x02") + 20
    data[sizes : sizes + 8] = struct.pack("<II", 1 << 31, 1 << 31)
    (tmp_path / "a.zip").write_bytes(data)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(VsaTfError, match="a.npy is longer than the file"):
        read_arrays_of(tmp_path / "a.zip")
    with pytest.raises(OSError, match=f"declare {1 << 31}"):
        Archive(tmp_path / "a.zip").read("a.npy")


def test_a_photograph_is_no_pipe_and_not_too_large(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    os.mkfifo(folder / "pipe.png")
    with open(folder / "large.png", "wb") as file:
        file.truncate(MAX_BYTES + 1)  # of which none is on the disk
    photographs = open_photographs(folder)
    with pytest.raises(OSError, match="is no regular file"):
        photographs.read("pipe.png")
    with pytest.raises(OSError, match="is no regular file"):
        read_photograph(folder / "pipe.png")
    for found in (photographs, pickle.loads(pickle.dumps(photographs))):
        with pytest.raises(OSError, match=f"{MAX_BYTES + 1} bytes is too large"):
            found.read("large.png")
    _zip(tmp_path / "a.zip", photograph=bytes(11))
    with pytest.raises(OSError, match="11 bytes is too large"):
        Archive(tmp_path / "a.zip", most_bytes=10).read("photograph")


def test_a_zip_writes_nothing_outside_and_opens_nothing_outside(tmp_path):
    (tmp_path / "secret").write_text("s")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_text("a")
    _zip(tmp_path / "a.zip", **{"../out.txt": "x", "b.jpg": "b"})
    for archive in (Archive(tmp_path / "in"), Archive(tmp_path / "a.zip")):
        for name in ("../secret", str(tmp_path / "secret"), "a/../../secret"):
            assert archive.locate(name) is None and archive.find(name) is None
    assert Archive(tmp_path / "a.zip").read("../out.txt") == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "in", "secret"]


def test_arrays_that_swell_are_refused_by_what_they_declare(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((SWOLLEN // 4, 1), np.float32))
    for read in (lambda path: read_arrays_of(path), lambda path: read_arrays([str(path)])):
        with pytest.raises(VsaTfError, match="is compressed"):
            read(tmp_path / "a.npz")


def test_a_header_of_gigabytes_is_not_allocated(tmp_path):
    path = tmp_path / "a.npy"
    np.lib.format.write_array(path.open("wb"), np.ones(3), version=(2, 0))
    data = path.read_bytes()
    np.testing.assert_array_equal(open_array(path), np.ones(3))
    path.write_bytes(data[:8] + struct.pack("<I", 1 << 31) + data[12:])
    with pytest.raises(VsaTfError, match="its header is longer than the file"):
        open_array(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_characters_that_there_are_not_are_refused(tmp_path, order):
    texts = np.array(["läuft", "\U0010ffff"], f"{order}U5")
    np.savez(tmp_path / "a.npz", texts=texts)
    assert read_arrays_of(tmp_path / "a.npz")["texts"].tolist() == texts.tolist()
    texts.view(f"{order}u4")[3] = 0x110000
    np.savez(tmp_path / "a.npz", texts=texts)
    with pytest.raises(VsaTfError, match="characters that there are not"):
        read_arrays_of(tmp_path / "a.npz")


def test_a_member_without_a_name_is_no_file(tmp_path):
    _zip(tmp_path / "a.zip", sound="b")
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("x", "c")
    data = (tmp_path / "a.zip").read_bytes()
    place = data.rindex(b"PK\x01\x02") + 46
    (tmp_path / "a.zip").write_bytes(data[:place] + b"\0" + data[place + 1 :])
    assert Archive(tmp_path / "a.zip").names() == ["sound"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_matlab_file_that_swells_is_refused_whatever_it_declares(order):
    sound = io.BytesIO()
    feats = np.random.default_rng(0).random((3, 4)).astype(np.float32)
    scipy.io.savemat(sound, {"feats": feats}, do_compression=True)
    assert read_columns(sound.getvalue()).shape == (3, 4)
    header = bytes(124) + struct.pack(f"{order}HH", 0x0100, 0x4D49)
    for declared, message in ((SWOLLEN, "would fill the memory"), (0, "another length")):
        # Flags of a double, no size, and the name.
        start = struct.pack(f"{order}6I2I", 6, 8, 6, 0, 5, 0, 1, 5) + b"feats".ljust(8, b"\0")
        packed = zlib.compress(struct.pack(f"{order}II", 14, declared) + start + bytes(SWOLLEN))
        element = struct.pack(f"{order}II", 15, len(packed)) + packed
        with pytest.raises(ValueError, match=message):
            read_columns(header + element)


def test_a_forest_that_swells_is_refused(tmp_path):
    proposals = pytest.importorskip("tfrecords_tools.detection.opencv_proposals")
    pytest.importorskip("cv2")
    (tmp_path / "model.yml.gz").write_bytes(gzip.compress(bytes(SWOLLEN)))
    with pytest.raises(ValueError, match="would fill the memory"):
        proposals.EdgeBoxes(str(tmp_path / "model.yml.gz"))


def test_an_image_that_swells_is_refused_by_what_it_declares(monkeypatch):
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(999)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with pytest.raises(ImageError, match="60000"):
        decode_image(data)


ENTITIES = b'<!DOCTYPE a [<!ENTITY b "%s">]>' % (b"b" * 99)
OUTSIDE = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>'
SIZE = b"<annotation><size><width>9</width><height>9</height></size>%s</annotation>"


@pytest.mark.parametrize("declared", [ENTITIES, OUTSIDE, ENTITIES.decode().encode("utf-16")])
def test_xml_that_declares_entities_is_refused(declared):
    text = SIZE % b"<object><name>&b;</name></object>"
    if declared[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text.decode().encode("utf-16")[2:]
    with pytest.raises(ValueError, match="declares the entity 'b'"):
        parse_annotations(declared + text)
    assert parse_annotations(SIZE % b"") == ((), [])


def test_no_path_of_a_file_leads_outside_its_folder(tmp_path):
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "in"
    folder.mkdir()
    record = types.SimpleNamespace(filename="../../evil", encoded_image=b"jpeg")
    for path in (None, "../../evil", "/evil", "a/../../evil"):
        assert (folder / ImageFolder(folder).add(record, path)).resolve().is_relative_to(folder)
    manifest = {"written_by": "vsa_tf.report", "files": ["../secret", str(tmp_path / "secret")]}
    (tmp_path / "report").mkdir()
    write_json(tmp_path / "report" / "report.json", sealed(manifest))
    assert former_files(tmp_path / "report") == []
    split = {"num_images": 0, "num_sentences": 0, "num_phrases": 0}
    shards = [{"file": "../secret", "num_records": 0, "sha256": ""}]
    info = {"schema_version": 1, "dataset": "", "splits": {"a": {**split, "shards": shards}}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(VsaTfError, match="not a plain file name"):
        DatasetInfo.load(folder)
    files = {f"{name}/../../secret": "" for name in ("img_emb", "metadata")}
    write_json(
        folder / "embeddings.json",
        sealed({"format": 1, "kind": "images", "index": {}, "files": files}),
    )
    with pytest.raises(VsaTfError, match="names a file outside"):
        list(read_embeddings(folder)[1])
    for name in ("../secret", str(tmp_path / "secret")):
        write_json(
            folder / "card.json", sealed({"files": {name: file_sha256(tmp_path / "secret")}})
        )
        with pytest.raises(VsaTfError, match="names a file outside"):
            check_files(folder, "card.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "report", "secret"]


def test_nothing_is_unpickled_or_evaluated():
    allowed = {"file_reading.py": "its own unpickler", "beam_pool.py": "what the run has written"}
    for path in SOURCES:
        if path.name not in allowed:
            text = path.read_text(encoding="utf-8")
            for words in ("pickle.load", "allow_pickle=True", " eval(", " exec(", "yaml.load("):
                assert words not in text, (path, words)


def test_a_folder_whose_files_are_others_is_refused(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "graph").write_bytes(b"graph")
    (tmp_path / "assets" / "words.txt").write_text("dog\ncat\n")
    (tmp_path / "extra").mkdir()
    check_files(tmp_path, "card.json")  # as of others
    files = file_checksums(tmp_path, left_out="extra")
    write_json(tmp_path / "card.json", sealed({"a": 1, "files": files}))
    (tmp_path / "extra" / "more").write_text("more")
    check_files(tmp_path, "card.json")
    (tmp_path / "assets" / "words.txt").write_text("cat\ndog\n")
    with pytest.raises(VsaTfError, match="words.txt does not fit its checksum. Copy or export"):
        check_files(tmp_path, "card.json")
    (tmp_path / "assets" / "words.txt").unlink()
    with pytest.raises(VsaTfError, match="words.txt is missing. Copy or export"):
        check_files(tmp_path, "card.json")
    write_json(tmp_path / "card.json", sealed({"a": 1}))  # an older one
    check_files(tmp_path, "card.json")
