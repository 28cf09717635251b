import numpy as np
import pytest

from vsa_tf.sentence_features.word_vector_table import WordVectorTable


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
