import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsa_tf.text.normalization import normalize
from vsa_tf.text.tokenizer import WordpieceTokenizer, WordTokenizer, make_tokenizer
from vsa_tf.text.vocabulary import Vocabulary

WORDS = WordTokenizer()
SYMBOLS = "$%#+&@"
CAPTION_LIKE = st.lists(
    st.sampled_from(
        ["a", "dog", "I", "cannot", "gonna", "do", "n't", "'s", "'ll", "u.s", "3", "10", "ß", "犬"]
        + list(" \t\n.,:;/'\"-!?&@$%#+()[]<>_~\\^|*=’“—…\u00a0\u2028\x00\ud800\U0001f600")
    ),
    max_size=30,
).map("".join)
ANY_TEXT = CAPTION_LIKE | st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A black dog .", "a black dog"),
        ("Two dogs, one (old) cat; a bird!", "two dogs one old cat a bird"),
        ('He says: "jump"', "he says jump"),
        # Clitics, joined and already split.
        ("the dog's ball", "the dog 's ball"),
        ("the dog 's ball", "the dog 's ball"),
        ("I'm they're we've she'll he'd", "i 'm they 're we 've she 'll he 'd"),
        ("don't can’t won't.", "do n't ca n't wo n't"),
        ("does n't", "does n't"),
        ("cannot cannot gonna gimme gotta", "can not can not gon na gim me got ta"),
        ("a bird's-eye view, a bird 's-eye view", "a bird 's eye view a bird 's eye view"),
        # The apostrophe alone says nothing that the plural does not.
        ("the dogs' bowls", "the dogs bowls"),
        ("'quoted' words, rock 'n' roll, o'clock", "quoted words rock n roll o'clock"),
        # Hyphens.
        ("a t-shirt, merry-go-round", "a t-shirt merry-go-round"),
        ("black - white -- red—blue four-", "black white red blue four"),
        # Numbers.
        ("3,000 10.5 5:30 1/2 1915", "3,000 10.5 5:30 1/2 1915"),
        ("5, 6: 7. 8/", "5 6 7 8"),
        # Dots.
        ("U.S. and U.S and D.C.", "u.s and u.s and d.c"),
        ("Mr. Smith... and a web site.com", "mr smith and a web site.com"),
        # Symbols that are read aloud.
        ("at&t A & B &c", "at&t a & b & c"),
        ("$5 100% #3 18+", "$ 5 100 % # 3 18 +"),
        ("me@site.com @home", "me@site.com @ home"),
        # Separators.
        ("and/or black/white a.m./p.m.", "and or black white a.m p.m"),
        ("a_b <br> {x} [y] c*d", "a b br x y c d"),
        ("собака, 犬。", "собака 犬"),
        # Nothing left.
        ("", ""),
        (" ... ' - \" \x00 ", ""),
    ],
)
def test_captions_are_split_into_words(text, expected):
    assert WORDS.tokenize(text) == expected.split()


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT)
def test_a_caption_has_the_tokens_of_its_words(text):
    tokens = [token for word in text.split() for token in WORDS.tokenize(word)]
    assert tokens == WORDS.tokenize(text)


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT)
def test_tokens_are_words_or_symbols(text):
    for token in WORDS.tokenize(text):
        assert token in SYMBOLS or any(c.isalnum() or not c.isascii() for c in token)
        assert token == normalize(token)
        assert not set(token) & set(' "()[]{}<>!?;*\\^_|~=`')


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


def test_the_tokenizer_is_chosen_by_name():
    vocabulary = Vocabulary.from_sentences([["dog", "##s"]])
    assert make_tokenizer("word").tokenize("Dogs") == ["dogs"]
    assert make_tokenizer("wordpiece", vocabulary).tokenize("Dogs") == ["dog", "##s"]
    with pytest.raises(ValueError, match="Received: tokenizer='letters'"):
        make_tokenizer("letters")
    with pytest.raises(ValueError, match="Expected a vocabulary"):
        make_tokenizer("wordpiece")
