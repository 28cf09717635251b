"""Every reader of other people's files: text as text is, damage as one line."""

import pathlib
import random
import re

import pytest

from tests.fuzz.readers import READERS
from tfrecords_tools.sources import precomp
from vsa_tf.errors import VsaTfError
from vsa_tf.sentence_features.word_vector_table import read_word_vectors
from vsa_tf.text.vocabulary import Vocabulary

CASES = pathlib.Path(__file__).parents[2] / "shared" / "cases"
NUM_FLIPS = 40
# What their lines are must be known; the others skip and list what is no text.
STRICT = ("conllu", "rows", "sentences", "flagfile", "vocabulary", "relations")
TEXTS = (
    "word_vectors",
    "precomp",
    "neuraltalk_results",
    "flickr30k",
    "pascal1k",
    "iapr_tc12",
    "csv",
    "regions",
    *STRICT,
)
# Ends of lines to Python alone: form feed, U+0085, U+2028.
NO_LINE_ENDS = "\f\x85\u2028".encode()


def _written(name, folder):
    """Returns the reader, its text files, and what it reads in them."""
    reader = READERS[name]
    reader.write(folder)
    texts = [path for path in reader.paths(folder) if _is_text(path.read_bytes())]
    return reader, texts, repr(reader.read(folder))


def _is_text(data):
    try:
        return b"\0" not in data and bool(data.decode())
    except UnicodeDecodeError:
        return False


# What has the checksum of its file is this project's own, to the last byte.
TO_THE_BYTE = ("index", "staged_index", "embeddings", "tabled_embeddings", "parses", "model_card")
QUICK = [name for name, reader in READERS.items() if not reader.is_slow]


@pytest.mark.parametrize("name", [name for name in QUICK if name not in TO_THE_BYTE])
def test_a_byte_order_mark_changes_nothing(tmp_path, name):
    reader, texts, expected = _written(name, tmp_path)
    for path in texts:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert repr(reader.read(tmp_path)) == expected


@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
@pytest.mark.parametrize("name", TEXTS)
def test_each_of_three_ends_a_line(tmp_path, name, end):
    reader, texts, expected = _written(name, tmp_path)
    for path in texts:
        path.write_bytes(path.read_bytes().replace(b"\n", end))
    if end == b"\r" and name in ("vocabulary", "relations"):
        with pytest.raises(ValueError, match="is cut off"):  # this project's own end with LF
            reader.read(tmp_path)
    else:
        assert repr(reader.read(tmp_path)) == expected


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_else_ends_a_line(tmp_path, name):
    reader, texts, expected = _written(name, tmp_path)
    for path in texts:
        if path.suffix not in (".json", ".xml"):  # which have form feeds nowhere
            before, space, after = path.read_bytes().rpartition(b" ")
            path.write_bytes(before + space + NO_LINE_ENDS * bool(space) + after)
    # The same but for white space, which some divide words by.
    found = re.sub(r"\\x0c\\x85\\u2028", "", repr(reader.read(tmp_path)))
    assert found == expected


@pytest.mark.parametrize("name", STRICT)
def test_a_line_that_is_no_text_is_named(tmp_path, name):
    reader, (path,), _ = _written(name, tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff" + b"".join(lines[1:]))
    with pytest.raises(ValueError, match=f"UTF-8 in .*{path.name}.*byte 0xff in line 2"):
        reader.read(tmp_path)


def test_a_bit_of_an_index_that_is_another_is_refused_or_harmless(tmp_path):
    """Of each file; the few mutations of the fuzzer's row miss one that is not checked."""
    reader = READERS["index"]
    reader.write(tmp_path)
    expected = repr(reader.read(tmp_path))
    rng = random.Random(0)
    for path in reader.paths(tmp_path):
        whole = path.read_bytes()
        for _ in range(NUM_FLIPS):
            changed = bytearray(whole)
            changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            try:
                assert repr(reader.read(tmp_path)) == expected, path
            except VsaTfError as error:
                assert str(tmp_path) in str(error)
        path.write_bytes(whole)


def test_the_cases_that_went_wrong_are_right():
    if not CASES.is_dir():
        pytest.skip("../shared/cases is not there")
    source = precomp.Precomp(CASES / "byte_order_mark" / "precomp")
    (example,) = source.examples("train")
    assert example.captions == ("a dog", "b dog", "c dog", "d dog", "e dog")
    vocabulary = Vocabulary.from_sentences([["the", "dog"]])
    vectors = read_word_vectors(CASES / "word_vectors" / "nbsp_word.txt", vocabulary, 2)
    assert sorted(vectors.values()) == [[1.0, 2.0], [3.0, 4.0]]
