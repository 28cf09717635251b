import pytest

from vsa_tf.sentence_features.word_vector_table import read_word_vectors
from vsa_tf.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.from_sentences([["dog", "cat"]], 1)


def _write(tmp_path, *lines):
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def _id(word):
    return VOCABULARY.encode([word])[0]


def test_vectors_are_found_by_token_id(tmp_path):
    path = _write(tmp_path, "cat 1 2.5", "house 3 4", "dog -1e-2 0")
    assert read_word_vectors(path, VOCABULARY, 2) == {
        _id("cat"): [1.0, 2.5],
        _id("dog"): [-0.01, 0.0],
    }


def test_the_first_line_of_word2vec_is_passed_over(tmp_path):
    path = _write(tmp_path, "2 3", "dog 1 2 3", "cat 4 5 6")
    vectors = read_word_vectors(path, VOCABULARY, 3)
    assert vectors == {_id("dog"): [1.0, 2.0, 3.0], _id("cat"): [4.0, 5.0, 6.0]}


def test_words_of_glove_with_spaces_are_passed_over(tmp_path):
    path = _write(tmp_path, ". . . 3 4", "dog 1 2", "at name@domain.com 5 6")
    assert read_word_vectors(path, VOCABULARY, 2) == {_id("dog"): [1.0, 2.0]}


def test_the_first_of_two_lines_of_a_word_counts(tmp_path):
    path = _write(tmp_path, "dog 1 2", "dog 3 4")
    assert read_word_vectors(path, VOCABULARY, 2) == {_id("dog"): [1.0, 2.0]}


def test_bytes_that_are_no_text_are_passed_over(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_bytes(b"\xff\xfe 1 2\ndog 3 4\n")
    assert read_word_vectors(path, VOCABULARY, 2) == {_id("dog"): [3.0, 4.0]}


@pytest.mark.parametrize(
    "token", ["", " ", "\u00a0", "\u3000", "\x85", "\u2028", "\f", "\u00a0 \u00a0"]
)
def test_tokens_of_white_space_are_passed_over(tmp_path, token):
    path = _write(tmp_path, "the 1 2", f"{token} 9 9", "dog 3 4")
    assert read_word_vectors(path, VOCABULARY, 2) == {_id("dog"): [3.0, 4.0]}


def test_the_first_word_after_a_byte_order_mark_counts(tmp_path):
    path = _write(tmp_path, "\ufeffdog 1 2", "cat 3 4")
    assert set(read_word_vectors(path, VOCABULARY, 2)) == {_id("dog"), _id("cat")}


def test_a_short_line_is_named(tmp_path):
    path = _write(tmp_path, "dog 1 2", "cat 1")
    with pytest.raises(ValueError, match="2 numbers in each line of .*2 fields in line 2"):
        read_word_vectors(path, VOCABULARY, 2)


def test_a_line_without_numbers_is_named(tmp_path):
    path = _write(tmp_path, "dog 1 2", "cat one 2")
    with pytest.raises(ValueError, match="2 numbers after 'cat' in line 2.*Received: 'one 2'"):
        read_word_vectors(path, VOCABULARY, 2)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e39"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    path = _write(tmp_path, "dog 1 2", f"cat 1 {number}")
    with pytest.raises(ValueError, match=f"2 numbers after 'cat' in line 2.*1 {number}"):
        read_word_vectors(path, VOCABULARY, 2)


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("header", [(), ("2 3",)])
def test_a_file_of_another_size_is_refused(tmp_path, size, header):
    path = _write(tmp_path, *header, "dog 1 2 3", "cat 4 5 6")
    with pytest.raises(ValueError, match="whose vectors have 3; set --word_embedding_size=3"):
        read_word_vectors(path, VOCABULARY, size)


def test_a_line_of_too_many_numbers_is_named(tmp_path):
    path = _write(tmp_path, "dog 1 2", "cat 1 2 3")
    with pytest.raises(ValueError, match="2 numbers in each line.*4 fields in line 2, 'cat 1 2 3'"):
        read_word_vectors(path, VOCABULARY, 2)


def test_empty_lines_and_several_spaces_mean_nothing(tmp_path):
    path = _write(tmp_path, "", "dog  1 2", "   ", "cat 3 4", "")
    assert read_word_vectors(path, VOCABULARY, 2) == {_id("dog"): [1, 2], _id("cat"): [3, 4]}


def test_a_file_without_lines_has_no_words(tmp_path):
    with pytest.raises(ValueError, match="none of the vocabulary's"):
        read_word_vectors(_write(tmp_path), VOCABULARY, 2)


def test_a_file_without_any_of_the_words_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none of the vocabulary's"):
        read_word_vectors(_write(tmp_path, "house 1 2"), VOCABULARY, 2)
