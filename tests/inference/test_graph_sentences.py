import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.inference.graph_sentences import GraphSentences
from vsa_tf.inference.sentence_reader import SentenceReader
from vsa_tf.text.vocabulary import Vocabulary

PIECES = [["a", "dog", "##s", "run", "d", "##o"]]
SENTENCES = ["A dog runs", "", "dogs run a run dogs", "z"]


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
    # The empty sentence is one unknown word.
    assert tokens[1].tolist() == ["<unk>", "", "", ""]


def test_ids_are_written_as_python_writes_them(text):
    sentences = GraphSentences(text, max_words=4)
    # START 1 and UNK 3 are never generated; 2 is END, 0 is PAD.
    ids = np.int32([[4, 5, 6, 7], [8, 2, 0, 0], [2, 0, 0, 0]])
    tokens = sentences.written(tf.constant(ids))
    expected = [text.decode(row) for row in ids]
    assert [[t for t in row if t] for row in tokens.numpy().tolist()] == [
        [token.encode() for token in row] for row in expected
    ]
    joined = [value.decode() for value in sentences.join(tokens).numpy()]
    assert joined == [text.join(row) for row in expected]
    assert joined[2] == ""
