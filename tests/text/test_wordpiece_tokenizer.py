import pytest

from vsa_tf.text import word_tokenizer
from vsa_tf.text.make_tokenizer import make_tokenizer
from vsa_tf.text.vocabulary import Vocabulary
from vsa_tf.text.wordpiece_tokenizer import WordpieceTokenizer


def test_the_longest_piece_comes_first():
    tokenizer = WordpieceTokenizer(["s", "sn", "snow", "##o", "##w", "##ow", "##board", "##b"])
    assert tokenizer.split_word("snowboard") == ["snow", "##board"]
    assert tokenizer.split_word("snow") == ["snow"]
    # 'so' is no piece, 's' is; no backtracking afterwards.
    assert tokenizer.split_word("sow") == ["s", "##ow"]


def test_only_characters_without_a_piece_are_unknown():
    tokenizer = WordpieceTokenizer(["a", "##a", "##b"])
    assert tokenizer.split_word("aba") == ["a", "##b", "##a"]
    # 'b' is known inside of words only.
    assert tokenizer.split_word("bxa") == ["<unk>", "<unk>", "##a"]
    assert tokenizer.split_word("axxb") == ["a", "<unk>", "<unk>", "##b"]


def test_without_pieces_every_character_is_unknown():
    assert WordpieceTokenizer([]).tokenize("ab c") == ["<unk>"] * 3


def test_boundaries_point_at_the_pieces_of_each_word():
    tokenizer = WordpieceTokenizer(["dog", "##s", "'", "##'", "a"])
    tokens, boundaries = tokenizer.tokenize_words(["A", "dog's", ".", "dogs"])
    assert tokens == ["a", "dog", "'", "##s", "dog", "##s"]
    assert boundaries == [0, 1, 4, 4, 6]
    assert tokens == tokenizer.tokenize("A dog's . dogs")


def test_the_tokenizer_is_chosen_by_name():
    vocabulary = Vocabulary.from_sentences([["dog", "##s"]])
    assert make_tokenizer("word") is word_tokenizer
    assert make_tokenizer("wordpiece", vocabulary).tokenize("Dogs") == ["dog", "##s"]
    with pytest.raises(ValueError, match="Received: tokenizer='letters'"):
        make_tokenizer("letters")
    with pytest.raises(ValueError, match="Expected a vocabulary"):
        make_tokenizer("wordpiece")
