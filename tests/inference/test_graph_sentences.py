import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.inference.graph_sentences import GraphRelations, GraphSentences
from vsa_tf.inference.local_model import RelationReader, SentenceReader
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

PIECES = [["a", "dog", "##s", "run", "d", "##o"]]
SENTENCES = ["A dog runs", "", "dogs run a run dogs", "z", "Z's dog, Z y gonna", "doz!"]


@pytest.fixture(params=["word", "wordpiece"])
def text(request):
    if request.param == "wordpiece":
        pytest.importorskip("tensorflow_text")
    return CaptionText(Vocabulary.from_sentences(PIECES), request.param)


def test_sentences_are_read_as_python_reads_them(text):
    received = GraphSentences(text, max_words=4)(tf.constant(SENTENCES))
    expected = SentenceReader(text, max_words=4)(SENTENCES)
    assert received.keys() == expected.keys()
    np.testing.assert_array_equal(received["token_ids"], expected["token_ids"])
    np.testing.assert_array_equal(received["num_words"], expected["num_words"])
    tokens = np.vectorize(bytes.decode, otypes=[object])(received["tokens"].numpy())
    np.testing.assert_array_equal(tokens, expected["tokens"])
    unknown = np.vectorize(bytes.decode, otypes=[object])(received["unknown_words"].numpy())
    np.testing.assert_array_equal(unknown, expected["unknown_words"])
    np.testing.assert_array_equal(received["num_known_words"], expected["num_known_words"])
    # The empty sentence is one unknown word.
    assert tokens[1].tolist() == ["<unk>", "", "", ""]


def test_words_that_are_no_token_are_unknown(text):
    read = SentenceReader(text, max_words=4)(SENTENCES)
    unknown = [[word for word in row if word] for row in read["unknown_words"].tolist()]
    if text.tokenizer_name == "word":
        # Of all words, also behind those that are read.
        assert unknown[2:] == [["dogs", "dogs"], ["z"], ["z", "'s", "z", "y", "gon", "na"], ["doz"]]
        assert read["num_known_words"].tolist() == [2, 0, 3, 0, 1, 0]
    else:
        # One that has a known piece is not unknown: d, ##o, <unk>; of "gon" it is ##o.
        assert unknown[2:] == [[], ["z"], ["z", "z", "y", "na"], []]
        assert read["num_known_words"].tolist() == [3, 0, 5, 0, 3, 1]
    assert unknown[1] == []  # and no word is known: it says nothing


def test_relations_have_unknown_heads_and_dependents():
    vocabulary = Vocabulary.from_sentences([["dog", "runs"]])
    text = CaptionText(vocabulary, "word", relation_types=RelationTypes.from_relations(["nsubj"]))
    parses = ["nsubj\truns\tdog", "nsubj\tläuft\tHund\nnsubj\truns\tdog's\nx\t.\tHund", ""]
    received = GraphRelations(text, 5)(tf.constant(parses))
    expected = RelationReader(text, 5)(parses)
    assert received.keys() == expected.keys()
    # What is a full stop has no relation; "dog's" is known by its first part.
    assert expected["unknown_words"].tolist() == [["", ""], ["läuft", "Hund"], ["", ""]]
    assert expected["num_known_words"].tolist() == [2, 2, 0]
    unknown = np.vectorize(bytes.decode, otypes=[object])(received["unknown_words"].numpy())
    np.testing.assert_array_equal(unknown, expected["unknown_words"])
    np.testing.assert_array_equal(received["num_known_words"], expected["num_known_words"])
