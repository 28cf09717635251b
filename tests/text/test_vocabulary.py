import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsa_tf.text.vocabulary import (
    END_ID,
    OTHER_RELATION,
    PAD_ID,
    PAD_RELATION,
    START_ID,
    UNK_ID,
    RelationTypes,
    Vocabulary,
)

SENTENCES = [["a", "dog", "a"], ["dog", "cat"], ["bird"], []]
SPECIAL_LINES = "<pad>\t0\n<start>\t1\n<end>\t1\n<unk>\t0\n"
RELATIONS = ["det"] * 3 + ["nsubj", "amod"] * 2 + ["vocative", "expl"]


def test_tokens_are_ordered_by_count_then_alphabet():
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    assert vocabulary.tokens[4:] == ("a", "dog", "bird", "cat")
    assert vocabulary.counts[4:] == (2, 2, 1, 1)
    assert len(vocabulary) == 8
    assert "cat" in vocabulary and "cow" not in vocabulary


def test_special_tokens_have_the_first_ids():
    assert (PAD_ID, START_ID, END_ID, UNK_ID) == (0, 1, 2, 3)
    vocabulary = Vocabulary.from_sentences([])
    assert vocabulary.tokens == ("<pad>", "<start>", "<end>", "<unk>")


def test_rare_words_are_counted_as_unknown():
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=2)
    assert vocabulary.tokens[4:] == ("a", "dog")
    # cat and bird, once each.
    assert vocabulary.counts[UNK_ID] == 2


def test_sentences_are_counted():
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    assert vocabulary.num_sentences == 4
    assert vocabulary.counts[:3] == (0, 4, 4)


def test_kept_tokens_stay_however_rare():
    vocabulary = Vocabulary.from_sentences(SENTENCES, min_count=2, keep=["cat", "zebra"])
    assert vocabulary.tokens[4:] == ("a", "dog", "cat", "zebra")
    assert vocabulary.counts[3:] == (1, 2, 2, 1, 0)


def test_encode_and_decode_are_inverse_but_for_unknown_words():
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    ids = vocabulary.encode(["dog", "cow", "bird"])
    assert ids == [5, UNK_ID, 6]
    assert vocabulary.decode(ids) == ["dog", "<unk>", "bird"]
    for index in (-1, 8):
        with pytest.raises(ValueError, match=rf"Expected ids in 0\.\.7\. Received: {index}"):
            vocabulary.decode([index])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.text("abß犬#'", min_size=1, max_size=2), max_size=9), max_size=9),
    st.integers(1, 3),
)
def test_every_token_is_counted_once(sentences, min_count):
    vocabulary = Vocabulary.from_sentences(sentences, min_count)
    assert sum(vocabulary.counts[UNK_ID:]) == sum(map(len, sentences))
    assert all(count >= min_count for count in vocabulary.counts[4:])
    assert vocabulary.decode(range(len(vocabulary))) == list(vocabulary.tokens)


def test_a_saved_vocabulary_loads_as_it_was(tmp_path):
    vocabulary = Vocabulary.from_sentences([["犬", "dog", "n't", "##é"], ["犬", "a\u200bb"]])
    path = tmp_path / "vocabulary.txt"
    vocabulary.save(path)
    loaded = Vocabulary.load(path)
    assert loaded == vocabulary and hash(loaded) == hash(vocabulary)
    assert path.read_text("utf-8").startswith("<pad>\t0\n<start>\t2\n<end>\t2\n<unk>\t0\n犬\t2\n")
    assert vocabulary.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert os.listdir(tmp_path) == ["vocabulary.txt"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vocabulary.txt"
    old = Vocabulary.from_sentences([["a"]])
    old.save(path)

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        Vocabulary.from_sentences([["b"]]).save(path)
    assert Vocabulary.load(path) == old
    assert os.listdir(tmp_path) == ["vocabulary.txt"]


def test_vocabularies_differ_by_tokens_or_counts():
    one = Vocabulary.from_sentences([["a"]])
    assert one != Vocabulary.from_sentences([["b"]])
    assert one != Vocabulary.from_sentences([["a", "a"]])
    assert one.fingerprint() != Vocabulary.from_sentences([["a", "a"]]).fingerprint()
    assert one != "a"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (SPECIAL_LINES.encode() + b"dog\t3", "is cut off"),
        (SPECIAL_LINES.encode() + b"dog 3\n", "line 5 of .*'dog 3'"),
        (SPECIAL_LINES.encode() + b"dog\t-3\n", "line 5"),
        (SPECIAL_LINES.encode() + b"\n", "line 5"),
        (SPECIAL_LINES.encode() + b"\xff\t3\n", "UTF-8 in .*byte 0xff in line 5"),
        (SPECIAL_LINES.encode() + b"dog\t3\ndog\t2\n", "each token once. Received: 'dog'"),
        (SPECIAL_LINES.encode() + b"\t3\n", "token 4 = ''"),
        (SPECIAL_LINES.encode() + b"a b\t3\n", "token 4 = 'a b'"),
        (b"dog\t3\n", "to start with"),
    ],
)
def test_malformed_vocabularies_are_refused(tmp_path, content, message):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        Vocabulary.load(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="vocabulary.txt"):
        Vocabulary.load(tmp_path / "vocabulary.txt")


def test_bad_arguments_of_a_vocabulary_are_refused():
    with pytest.raises(ValueError, match="Received: min_count=0"):
        Vocabulary.from_sentences([], min_count=0)
    with pytest.raises(ValueError, match="Received: '<end>'"):
        Vocabulary.from_sentences([["a", "<end>"]])
    with pytest.raises(ValueError, match="4 tokens, 3 counts"):
        Vocabulary(["<pad>", "<start>", "<end>", "<unk>"], [0, 0, 0])
    with pytest.raises(ValueError, match="Received: 'a': 1.5"):
        Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "a"], [0, 0, 0, 0, 1.5])


def test_types_are_ordered_by_count_then_alphabet():
    types = RelationTypes.from_relations(RELATIONS)
    assert types.names == ("<pad>", "<other>", "det", "amod", "nsubj", "expl", "vocative")
    assert types.counts == (0, 0, 3, 2, 2, 1, 1)
    assert (PAD_RELATION, OTHER_RELATION) == (0, 1)


def test_rare_and_unknown_types_share_one_id():
    types = RelationTypes.from_relations(RELATIONS, min_count=2)
    assert types.names == ("<pad>", "<other>", "det", "amod", "nsubj")
    # vocative and expl, once each.
    assert types.counts[OTHER_RELATION] == 2
    assert types.encode(["nsubj", "expl", "never:seen", "det"]) == [4, 1, 1, 2]


def test_without_relations_there_is_the_shared_type():
    assert len(RelationTypes.from_relations([])) == 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab:é犬 ", min_size=1, max_size=3), max_size=20), st.integers(1, 3))
def test_a_saved_file_of_types_loads_as_it_was(tmp_path_factory, relations, min_count):
    types = RelationTypes.from_relations(relations, min_count)
    assert sum(types.counts) == len(relations)
    path = tmp_path_factory.mktemp("types") / "relations.txt"
    types.save(path)
    assert RelationTypes.load(path) == types
    assert hash(RelationTypes.load(path)) == hash(types)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<pad>\t0\n<other>\t0", "is cut off"),
        (b"<pad>\t0\n<other>\t0\ndet\n", "Received: line 3 of .*'det'"),
        (b"<pad>\t0\n<other>\t0\ndet\t-1\n", "Received: line 3 of"),
        (b"det\t3\n", "Expected relation types to start with.*were read from"),
        (b"<pad>\t0\n<other>\t0\ndet\t1\ndet\t1\n", "each relation type once.*types 2 and 3"),
        (b"<pad>\t0\n<other>\t0\n\t1\n", "one or more characters"),
        (b"<pad>\t0\n<other>\t0\n\xff\t1\n", "UTF-8 in .*byte 0xff in line 3"),
    ],
)
def test_malformed_files_of_types_are_refused(tmp_path, content, message):
    path = tmp_path / "relations.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        RelationTypes.load(path)


@pytest.mark.parametrize(
    ("names", "counts", "message"),
    [
        (("<pad>", "<other>", "a"), (0, 0), "3 relation types, 2 counts"),
        (("<pad>", "<other>", "a"), (0, 0, 1.5), "'a': 1.5"),
        (("<pad>", "<other>", "a\nb"), (0, 0, 1), "no tabs or line ends"),
    ],
)
def test_bad_names_and_counts_of_types_are_refused(names, counts, message):
    with pytest.raises(ValueError, match=message):
        RelationTypes(names, counts)


def test_a_minimum_count_of_types_below_one_is_refused():
    with pytest.raises(ValueError, match="Received: min_count=0"):
        RelationTypes.from_relations(RELATIONS, min_count=0)


def test_a_relation_named_as_padding_is_refused():
    with pytest.raises(ValueError, match="each relation type once. Received: '<pad>'"):
        RelationTypes.from_relations(["<pad>"])
