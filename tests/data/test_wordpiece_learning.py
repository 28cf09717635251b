import collections

import pytest

from vsa_tf.data.wordpiece_learning import learn_wordpieces
from vsa_tf.text.tokenizer import WordpieceTokenizer

WORDS = "snow snowboard snowboarder board skateboard skateboarder skate dog dogs cat cats".split()
COUNTS = collections.Counter({word: 10 + index for index, word in enumerate(WORDS)})
NUM_CHARACTERS = len(set("".join(WORDS)))


def setup_module():
    pytest.importorskip("tensorflow_text")


def test_learnt_words_have_no_unknown_characters():
    counts = COUNTS + collections.Counter(["犬", "z" * 60, "q" + "a" * 51])
    tokenizer = WordpieceTokenizer(learn_wordpieces(counts, 60))
    for word in counts:
        pieces = tokenizer.split_word(word)
        assert "<unk>" not in pieces
        assert pieces[0] + "".join(piece.removeprefix("##") for piece in pieces[1:]) == word
    # Also at the places of a word where they were never seen.
    assert "<unk>" not in tokenizer.split_word("gq犬z犬")


def test_pieces_shared_by_words_come_before_whole_words():
    # board and boarder end two words each beside the 11 words themselves.
    assert {"##board", "##boarder"} <= set(learn_wordpieces(COUNTS, 2 * NUM_CHARACTERS + 6))
    assert set(WORDS) <= set(learn_wordpieces(COUNTS, 2 * NUM_CHARACTERS + 12))


@pytest.mark.parametrize("size", [2 * NUM_CHARACTERS, 2 * NUM_CHARACTERS + 3, 40, 1000])
def test_no_more_pieces_than_asked_for(size):
    pieces = learn_wordpieces(COUNTS, size)
    assert len(pieces) == len(set(pieces)) <= size


def test_the_order_of_the_counts_changes_nothing():
    reversed_counts = dict(reversed(list(COUNTS.items())))
    assert learn_wordpieces(COUNTS, 40) == learn_wordpieces(reversed_counts, 40)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="Expected words"):
        learn_wordpieces({}, 100)
    with pytest.raises(ValueError, match=f"{2 * NUM_CHARACTERS} or more.*vocabulary_size=5"):
        learn_wordpieces(COUNTS, 5)
