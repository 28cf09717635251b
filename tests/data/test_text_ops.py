import collections
import importlib.util
import pathlib
import random
import zipfile

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inference.saved_operations import foreign_operations
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.text_ops import GraphWordTokenizer, TextToIds, learn_wordpieces
from vsa_tf.text.tokenizer import WordpieceTokenizer, WordTokenizer, make_tokenizer
from vsa_tf.text.vocabulary import UNK_TOKEN, Vocabulary

FLICKR8K_TEXT = (
    pathlib.Path(__file__).parents[3] / "shared" / "data" / "flickr8k" / "Flickr8k_text.zip"
)
SPEC = [tf.TensorSpec([None], tf.string)]
FRAGMENTS = (
    ["a", "dog", "Dogs", "I", "cannot", "gonna", "o", "n't", "'s", "'ll", "u.s", "1", "10", "Zoë"]
    + ["ß", "İ", "ﬃ", "犬", "개", "собака", "½", "№", "e\u0301", "\u0345", "ﷺ", "👩‍🚀"]
    + list(" \t\n\r.,:;/'\"`-!?&@$%#+()[]{}<>_~\\^|*=’“—…´™·\x00\x1c\x7f\x85\u00a0\u00ad")
    + list("\u200b\u200d\u2028\u3000\ud800\udfff\ue000\ufeff\ufffd\uffff\U0010ffff")
)
BYTE_FRAGMENTS = [fragment.encode("utf-8", "surrogatepass") for fragment in FRAGMENTS] + [
    bytes([byte]) for byte in range(256)
]
# 'x' begins no piece, 'q' continues none, 'z' is in none.
PIECES = ["d", "do", "dog", "##o", "##g", "##gs", "##s", "a", "##a", "n", "##'", "##t", "q", "##x"]
ANY_BYTES = (
    st.binary(max_size=20)
    | st.lists(st.sampled_from(BYTE_FRAGMENTS), max_size=12).map(b"".join)
    | st.text(st.characters(exclude_categories=()), max_size=12).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
WORDS = "snow snowboard snowboarder board skateboard skateboarder skate dog dogs cat cats".split()
COUNTS = collections.Counter({word: 10 + index for index, word in enumerate(WORDS)})
NUM_CHARACTERS = len(set("".join(WORDS)))
needs_tensorflow_text = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_text") is None, reason="needs tensorflow-text"
)


@pytest.fixture(scope="module")
def graph_tokens():
    functions = {
        fold_letters: tf.function(
            GraphWordTokenizer(fold_letters), input_signature=SPEC, autograph=False
        )
        for fold_letters in (False, True)
    }

    def run(strings, fold_letters=True):
        rows = functions[fold_letters](tf.constant(strings)).to_list()
        return [[token.decode() for token in row] for row in rows]

    return run


@pytest.fixture(scope="module")
def piece_vocabulary():
    return Vocabulary.from_sentences([], keep=PIECES)


def python_tokens(string):
    return WordTokenizer().tokenize(string.decode("utf-8", "replace"))


def random_strings(fragments, count):
    source = random.Random(0)
    return [b"".join(source.choices(fragments, k=source.randrange(16))) for _ in range(count)]


@settings(deadline=None, max_examples=40)
@given(strings=st.lists(ANY_BYTES, min_size=1, max_size=20))
def test_graph_and_python_give_the_same_words_on_any_bytes(graph_tokens, strings):
    assert graph_tokens(strings) == [python_tokens(string) for string in strings]


def test_graph_and_python_give_the_same_words_on_many_strings(graph_tokens):
    strings = random_strings(BYTE_FRAGMENTS[: len(FRAGMENTS)], 5000)
    strings += random_strings(BYTE_FRAGMENTS, 5000)
    assert graph_tokens(strings) == [python_tokens(string) for string in strings]


def test_lone_surrogates_are_white_space_in_both(graph_tokens):
    text = "dog\ud800cat \udfff"
    assert WordTokenizer().tokenize(text) == ["dog", "cat"]
    assert graph_tokens([text.encode("utf-8", "surrogatepass")]) == [["dog", "cat"]]


@pytest.mark.parametrize("fold_letters", [False, True])
def test_graph_and_python_treat_every_character_alike(graph_tokens, fold_letters):
    # The other planes are empty: test_normalization sees them all become spaces.
    planes = [*range(0x40000), *range(0xE0000, 0xF0000), 0x40000, 0xDFFFF, 0xF0000, 0x10FFFF]
    texts = [
        "".join(f"a{chr(code_point)}b " for code_point in planes[start : start + 1024])
        for start in range(0, len(planes), 1024)
    ]
    strings = [text.encode("utf-8", "surrogatepass") for text in texts]
    expected = list(map(WordTokenizer(fold_letters).tokenize, texts))
    assert graph_tokens(strings, fold_letters) == expected


def test_graph_and_python_give_the_same_words_on_flickr8k(graph_tokens):
    if not FLICKR8K_TEXT.exists():
        pytest.skip(f"needs the captions of Flickr8K in {FLICKR8K_TEXT}")
    with zipfile.ZipFile(FLICKR8K_TEXT) as archive:
        lines = archive.read("Flickr8k.token.txt").splitlines()
    captions = [line.split(b"\t")[1] for line in lines if b"\t" in line]
    assert len(captions) == 35000
    expected = [python_tokens(caption) for caption in captions]
    assert graph_tokens(captions) == expected
    # Splitting what is split changes nothing.
    assert graph_tokens([" ".join(tokens).encode() for tokens in expected]) == expected


def test_empty_batches_and_strings_have_no_tokens(graph_tokens):
    assert graph_tokens(tf.zeros([0], tf.string)) == []
    assert graph_tokens([b"", b" ", b"...", b"\xff\x00"]) == [[], [], [], []]


def test_ids_are_padded_and_counted():
    vocabulary = Vocabulary.from_sentences([["a", "dog", "'s"]])  # ids 5, 6, 4
    text_to_ids = TextToIds(vocabulary, max_words=3)
    ids, lengths, num_dropped = text_to_ids(tf.constant(["A dog's red ball", "", "dog"]))
    assert ids.numpy().tolist() == [[5, 6, 4], [3, 0, 0], [6, 0, 0]]
    assert lengths.numpy().tolist() == [3, 1, 1]
    assert num_dropped.numpy().tolist() == [2, 0, 0]
    assert {ids.dtype, lengths.dtype, num_dropped.dtype} == {tf.int32}
    ids, lengths, num_dropped = TextToIds(vocabulary)(tf.constant(["A dog's red ball", ""]))
    assert ids.numpy().tolist() == [[5, 6, 4, 3, 3], [3, 0, 0, 0, 0]]
    assert num_dropped.numpy().tolist() == [0, 0]


def test_strings_without_words_are_one_unknown_token_as_in_the_token_store():
    ids, lengths, num_dropped = TextToIds(Vocabulary.from_sentences([]))(tf.constant(["", "."]))
    store = TokenStore([[], []], max_words=5)
    assert ids.numpy().tolist() == store.padded([0, 1], width=1).tolist() == [[3], [3]]
    assert lengths.numpy().tolist() == store.lengths.tolist()
    assert num_dropped.numpy().tolist() == [0, 0]


def test_the_tokens_that_are_read_are_those_that_have_ids():
    text_to_ids = TextToIds(Vocabulary.from_sentences([["a"]]), max_words=2)
    tokens, num_dropped = text_to_ids.read(tf.constant(["A big dog", "!"]))
    assert tokens.to_list() == [[b"a", b"big"], [b"<unk>"]]
    assert text_to_ids.lookup(tokens).to_list() == [[4, 3], [3]]
    assert num_dropped.numpy().tolist() == [1, 0]


def test_ids_run_in_a_data_pipeline():
    text_to_ids = TextToIds(Vocabulary.from_sentences([["a", "dog"]]))
    data = tf.data.Dataset.from_tensor_slices(["A dog.", "Dog"]).batch(2).map(text_to_ids)
    assert next(iter(data))[0].numpy().tolist() == [[4, 5], [5, 0]]


def test_an_unknown_tokenizer_and_no_words_at_most_are_refused():
    vocabulary = Vocabulary.from_sentences([])
    with pytest.raises(ValueError, match="Received: tokenizer='letters'"):
        TextToIds(vocabulary, tokenizer="letters")
    with pytest.raises(ValueError, match="Received: max_words=0"):
        TextToIds(vocabulary, max_words=0)


def save(text_to_ids, path):
    @tf.function(input_signature=SPEC, autograph=False)
    def serve(texts):
        ids, lengths, num_dropped = text_to_ids(texts)
        return {"ids": ids, "lengths": lengths, "num_dropped": num_dropped}

    module = tf.Module()
    module.text_to_ids = text_to_ids
    tf.saved_model.save(module, str(path), signatures=serve)


def test_a_saved_model_of_words_is_of_core_operations(tmp_path):
    vocabulary = Vocabulary.from_sentences([["a", "dog", "'s"]])
    save(TextToIds(vocabulary, max_words=8), tmp_path / "model")
    serve = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    ids = serve(texts=tf.constant(["A dog\u2019s Caf\u00e9", b"\xff a\x00dog"]))["ids"]
    assert ids.numpy().tolist() == [[5, 6, 4, 3], [5, 6, 0, 0]]
    assert not foreign_operations(tmp_path / "model")


@needs_tensorflow_text
def test_graph_and_python_give_the_same_wordpieces(piece_vocabulary):
    text_to_ids = TextToIds(piece_vocabulary, tokenizer="wordpiece")
    tokenizer = make_tokenizer("wordpiece", piece_vocabulary)
    strings = random_strings(BYTE_FRAGMENTS, 2000)
    strings += random_strings([piece.strip("#").encode() for piece in PIECES] + [b" ", b"z"], 2000)
    strings.append(b"dog" * 2000)
    expected = [tokenizer.tokenize(string.decode("utf-8", "replace")) for string in strings]
    tokens = text_to_ids.tokens(tf.constant(strings)).to_list()
    assert [[token.decode() for token in row] for row in tokens] == expected
    ids, lengths, _ = tf.function(text_to_ids, input_signature=SPEC, autograph=False)(
        tf.constant(strings)
    )
    for row, length, pieces in zip(ids.numpy(), lengths.numpy(), expected):
        assert row[:length].tolist() == piece_vocabulary.encode(pieces or [UNK_TOKEN])


@needs_tensorflow_text
def test_a_saved_model_of_wordpieces_gives_the_same_ids(tmp_path, piece_vocabulary):
    text_to_ids = TextToIds(piece_vocabulary, tokenizer="wordpiece", max_words=4)
    save(text_to_ids, tmp_path / "model")
    texts = tf.constant(["Dogs a dog z", "zdog"])
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"](texts=texts)
    ids, lengths, num_dropped = text_to_ids(texts)
    assert loaded["ids"].numpy().tolist() == ids.numpy().tolist()
    assert lengths.numpy().tolist() == [4, 4] and num_dropped.numpy().tolist() == [1, 0]
    assert loaded["num_dropped"].numpy().tolist() == [1, 0]


@needs_tensorflow_text
def test_learnt_words_have_no_unknown_characters():
    counts = COUNTS + collections.Counter(["犬", "z" * 60, "q" + "a" * 51])
    tokenizer = WordpieceTokenizer(learn_wordpieces(counts, 60))
    for word in counts:
        pieces = tokenizer.split_word(word)
        assert "<unk>" not in pieces
        assert pieces[0] + "".join(piece.removeprefix("##") for piece in pieces[1:]) == word
    # Also at the places of a word where they were never seen.
    assert "<unk>" not in tokenizer.split_word("gq犬z犬")


@needs_tensorflow_text
def test_pieces_shared_by_words_come_before_whole_words():
    # board and boarder end two words each beside the 11 words themselves.
    assert {"##board", "##boarder"} <= set(learn_wordpieces(COUNTS, 2 * NUM_CHARACTERS + 6))
    assert set(WORDS) <= set(learn_wordpieces(COUNTS, 2 * NUM_CHARACTERS + 12))


@needs_tensorflow_text
@pytest.mark.parametrize("size", [2 * NUM_CHARACTERS, 2 * NUM_CHARACTERS + 3, 40, 1000])
def test_no_more_pieces_are_learnt_than_asked_for(size):
    pieces = learn_wordpieces(COUNTS, size)
    assert len(pieces) == len(set(pieces)) <= size


@needs_tensorflow_text
def test_the_order_of_the_counts_changes_no_piece():
    reversed_counts = dict(reversed(list(COUNTS.items())))
    assert learn_wordpieces(COUNTS, 40) == learn_wordpieces(reversed_counts, 40)


def test_no_words_and_too_few_pieces_for_their_characters_are_refused():
    with pytest.raises(ValueError, match="Expected words"):
        learn_wordpieces({}, 100)
    with pytest.raises(ValueError, match=f"{2 * NUM_CHARACTERS} or more.*vocabulary_size=5"):
        learn_wordpieces(COUNTS, 5)
