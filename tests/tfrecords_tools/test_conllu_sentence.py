import pytest

from tfrecords_tools.conllu_sentence import conllu_sentence
from vsa_tf.text.conllu import ConlluFile, ParsedCaption

tokens = pytest.importorskip("spacy.tokens", reason="spaCy is an extra")
vocab = pytest.importorskip("spacy.vocab", reason="spaCy is an extra")


def _doc():
    return tokens.Doc(
        vocab.Vocab(),
        words=["A", "dog", "runs", "."],
        spaces=[True, True, False, False],
        heads=[1, 2, 2, 2],
        deps=["det", "nsubj", "ROOT", "punct"],
        pos=["DET", "NOUN", "VERB", "PUNCT"],
        tags=["DT", "NN", "VBZ", "."],
        lemmas=["a", "dog", "run", "."],
        morphs=["", "Number=Sing", "", ""],
    )


def test_columns_are_those_of_conllu():
    lines = conllu_sentence("a.jpg#2", _doc()).split("\n")
    assert lines == [
        "# sent_id = a.jpg#2",
        "# text = A dog runs.",
        "1\tA\ta\tDET\tDT\t_\t2\tdet\t_\t_",
        "2\tdog\tdog\tNOUN\tNN\tNumber=Sing\t3\tnsubj\t_\t_",
        "3\truns\trun\tVERB\tVBZ\t_\t0\troot\t_\tSpaceAfter=No",
        "4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\tSpaceAfter=No",
        "",
        "",
    ]


def test_the_reader_reads_what_is_written(tmp_path):
    path = tmp_path / "parses.conllu"
    path.write_text(conllu_sentence("a.jpg#2", _doc()), encoding="utf-8")
    relations = (("det", "dog", "A"), ("nsubj", "runs", "dog"))
    tokens = tuple(token.text for token in _doc())
    assert list(ConlluFile(path)) == [ParsedCaption("a.jpg", 2, relations, tokens)]
