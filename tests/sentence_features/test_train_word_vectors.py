import os
import subprocess
import sys

import numpy as np
import pytest

from tests.sentence_features.generated_sentences import generated_sentences
from vsa_tf.sentence_features.train_word_vectors import train_word_vectors

_PROGRAM = """
import hashlib
from tests.sentence_features.generated_sentences import generated_sentences
from vsa_tf.sentence_features.train_word_vectors import train_word_vectors
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
