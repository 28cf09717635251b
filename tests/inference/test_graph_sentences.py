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
