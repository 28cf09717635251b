import logging
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences
from vsa_tf.sentence_features.word_vector_table import (
    WordVectorTable,
    read_word_vectors,
    train_word_vectors,
)
from vsa_tf.text.vocabulary import Vocabulary


def _write(tmp_path, *lines):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_file_is_read_for_a_set_of_words(tmp_path):
    path = _write(tmp_path, "3 2", "dog 1 2", "house 3 4", "cat 5 6")
    table = WordVectorTable.read(path, ["dog", "cat", "bird", "dog", "<unk>"], 2)
    assert table.words == ("cat", "dog")
    np.testing.assert_array_equal(table.vectors, [[5, 6], [1, 2]])
    assert table.size == 2 and table.vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["dog 1 2", "cat 1"], "2 numbers in each line.*2 fields in line 2"),
        (["dog 1 2", "cat one 2"], "2 numbers after 'cat' in line 2"),
        (["dog 1 nan"], "2 numbers after 'dog' in line 1"),
        (["dog 1 2 3"], "whose vectors have 3; set --word_embedding_size=3"),
        (["house 1 2"], "none of the vocabulary"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        WordVectorTable.read(_write(tmp_path, *lines), ["dog", "cat"], 2)


def test_counts_and_shares():
    table = WordVectorTable(["a", "dog"], np.eye(2))
    sentences = [["a", "dog", "a", "bird"], [], ["bird"]]
    np.testing.assert_array_equal(table.counts(sentences).toarray(), [[2, 1], [0, 0], [0, 0]])
    np.testing.assert_allclose(table.shares(sentences).toarray(), [[2 / 3, 1 / 3], [0, 0], [0, 0]])
    assert table.shares(sentences).dtype == np.float32
    assert table.count_empty(sentences) == 2


def test_a_sentence_that_was_not_split_is_refused():
    with pytest.raises(ValueError, match="list of tokens.*sentence 1 = 'a dog'"):
        WordVectorTable(["a"], [[1.0]]).counts([["a"], "a dog"])


@pytest.mark.parametrize(
    ("words", "vectors", "message"),
    [
        (["a", "dog"], [[1.0, 2.0], [np.nan, 0.0]], "NaN or infinity in the vector of 'dog'"),
        (["a", "dog"], [[1.0, np.inf], [0.0, 0.0]], "NaN or infinity in the vector of 'a'"),
        (["a", "dog"], [[1.0, 2.0]], r"2 words, vectors of shape \(1, 2\)"),
        (["a", "a"], [[1.0], [2.0]], "2 words, 1 of them different"),
        ([], np.zeros((0, 3)), "at least one"),
    ],
)
def test_bad_tables_are_refused(words, vectors, message):
    with pytest.raises(ValueError, match=message):
        WordVectorTable(words, vectors)


_PROGRAM = """
import hashlib
from tests.sentence_features.generated_sentences import generated_sentences
from vsa_tf.sentence_features.word_vector_table import train_word_vectors
table = train_word_vectors(generated_sentences(), size=8, num_epochs=2)
print(hashlib.sha256(repr(table.words).encode() + table.vectors.tobytes()).hexdigest())
"""


def _needs_gensim():
    pytest.importorskip("gensim", reason="gensim is not installed: the extra [gensim]")


def test_every_word_that_is_frequent_enough_has_a_finite_vector():
    _needs_gensim()
    sentences = [["a", "dog"]] * 5 + [["a", "cat"]] * 2
    table = train_word_vectors(sentences, size=4, min_count=5)
    assert table.words == ("a", "dog")
    assert table.vectors.shape == (2, 4)
    assert np.isfinite(table.vectors).all()


def test_words_of_the_same_neighbours_become_alike():
    _needs_gensim()
    rng = np.random.default_rng(0)
    groups = (("dog", "cat", "barks", "fur"), ("car", "bus", "drives", "road"))
    sentences = [list(rng.permutation(groups[number % 2])) for number in range(2000)]
    table = train_word_vectors(sentences, size=10, num_epochs=20)
    vectors = {
        word: vector / np.linalg.norm(vector)
        for word, vector in zip(table.words, table.vectors, strict=True)
    }
    assert vectors["dog"] @ vectors["cat"] > vectors["dog"] @ vectors["car"]


def test_the_same_vectors_come_out_whatever_the_hash_seed():
    _needs_gensim()
    digests = set()
    for hash_seed in ("0", "1"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        digests.add(
            subprocess.run(
                [sys.executable, "-c", _PROGRAM],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert len(digests) == 1


def test_another_seed_gives_other_vectors():
    _needs_gensim()
    first, other = (
        train_word_vectors(generated_sentences(), 8, num_epochs=1, seed=seed) for seed in (0, 1)
    )
    assert not np.array_equal(first.vectors, other.vectors)


def test_sentences_without_frequent_words_are_refused():
    _needs_gensim()
    with pytest.raises(ValueError, match="5 times or more.*1 sentences"):
        train_word_vectors([["a", "dog"]], size=4)


def test_without_gensim_the_error_says_what_to_install(monkeypatch):
    for name in ("gensim", "gensim.models"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not there
    with pytest.raises(ModuleNotFoundError, match=r'pip install "vsa_tf\[gensim\]"'):
        train_word_vectors([["a"]])


def test_words_of_the_package_are_near_those_of_like_meaning():
    pytest.importorskip("wordllama", reason="wordllama is not installed: the extra [wordllama]")
    words = ["beach", "dog", "puppy", "##sand"]
    vocabulary = Vocabulary.from_sentences([words])
    root = logging.getLogger()
    before = root.handlers[:], root.level
    found = read_word_vectors("wordllama", vocabulary, 256)
    assert (root.handlers, root.level) == before
    assert sorted(found) == sorted(vocabulary.encode(words))  # and no special token
    beach, dog, puppy, sand = (found[index] for index in vocabulary.encode(words))
    np.testing.assert_allclose(np.linalg.norm([beach, dog, puppy, sand], axis=1), 3, rtol=1e-5)
    assert dog @ puppy > max(dog @ beach, dog @ sand)
    assert beach @ sand > max(beach @ dog, beach @ puppy)
    assert WordVectorTable.read("wordllama", ["dog", "cat"], 256).words == ("cat", "dog")


def test_vectors_of_the_package_have_one_size():
    with pytest.raises(ValueError, match="vectors of 256 numbers. Received: 300"):
        WordVectorTable.read("wordllama", ["dog"], 300)


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)  # as if it were not there
    with pytest.raises(ModuleNotFoundError, match=r'pip install "vsa_tf\[wordllama\]"'):
        WordVectorTable.read("wordllama", ["dog"], 256)
