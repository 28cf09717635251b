import pytest

from tfrecords_tools.conllu import ConlluFile, ParsedCaption, SkippedParse, conllu_sentence


def _lines(*words):
    """Ten columns from `id form upos head relation` a word."""
    lines = []
    for word in words:
        index, form, upos, head, relation = word.split(" ")
        columns = (index, form, "_", upos, "_", "_", head, relation, "_", "_")
        lines.append("\t".join(columns) + "\n")
    return "".join(lines)


DOG = _lines("1 A DET 2 det", "2 dog NOUN 3 nsubj", "3 runs VERB 0 root", "4 . PUNCT 3 punct")
DOG_RELATIONS = (("det", "dog", "A"), ("nsubj", "runs", "dog"))


def _file(tmp_path, text):
    path = tmp_path / "parses.conllu"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return ConlluFile(path)


def _parsed(tmp_path, words):
    (parsed,) = _file(tmp_path, f"# sent_id = a.jpg#0\n{words}\n")
    return parsed


def _relations(tmp_path, words):
    return _parsed(tmp_path, words).relations


def test_relations_are_read_with_the_words_as_written(tmp_path):
    file = _file(tmp_path, f"# sent_id = a.jpg#0\n# text = A dog runs.\n{DOG}\n")
    assert list(file) == [ParsedCaption("a.jpg", 0, DOG_RELATIONS, ("A", "dog", "runs", "."))]
    assert file.skipped == []


def test_sentences_come_in_order_and_may_be_read_again(tmp_path):
    file = _file(tmp_path, "".join(f"# sent_id = {name}\n{DOG}\n" for name in ("b#12", "a#x#3")))
    expected = [("b", 12), ("a#x", 3)]
    for _ in range(2):
        assert [(parsed.image, parsed.caption_index) for parsed in file] == expected


def test_the_last_sentence_needs_no_blank_line_and_no_line_end(tmp_path):
    file = _file(tmp_path, f"\n\n# sent_id = a#0\n{DOG}\n\n\n#sent_id=b#1\n{DOG[:-1]}")
    assert [parsed.relations for parsed in file] == [DOG_RELATIONS] * 2
    assert file.skipped == []


def test_line_ends_of_windows_and_a_byte_order_mark_change_nothing(tmp_path):
    text = f"# sent_id = a#0\n{DOG}\n".replace("\n", "\r\n").encode("utf-8-sig")
    (parsed,) = _file(tmp_path, text)
    assert parsed == ParsedCaption("a", 0, DOG_RELATIONS, ("A", "dog", "runs", "."))


# The two examples of the format's own page: "vámonos al mar" and "Sue likes coffee and Bill tea".
def test_the_words_of_a_multiword_token_have_relations_and_its_surface_form_is_written(tmp_path):
    words = _lines(
        "1-2 vámonos _ _ _",
        "1 vamos VERB 0 root",
        "2 nos PRON 1 obj",
        "3-4 al _ _ _",
        "3 a ADP 5 case",
        "4 el DET 5 det",
        "5 mar NOUN 1 obl",
    )
    parsed = _parsed(tmp_path, words)
    assert parsed.relations == (
        ("obj", "vamos", "nos"),
        ("case", "mar", "a"),
        ("det", "mar", "el"),
        ("obl", "vamos", "mar"),
    )
    assert parsed.tokens == ("vámonos", "al", "mar")


def test_empty_nodes_are_passed_over(tmp_path):
    words = _lines(
        "1 Sue PROPN 2 nsubj",
        "2 likes VERB 0 root",
        "3 coffee NOUN 2 obj",
        "4 and CCONJ 5 cc",
        "5 Bill PROPN 2 conj",
        "5.1 likes VERB _ _",
        "6 tea NOUN 5 orphan",
    )
    parsed = _parsed(tmp_path, words)
    assert parsed.relations == (
        ("nsubj", "likes", "Sue"),
        ("obj", "likes", "coffee"),
        ("cc", "Bill", "and"),
        ("conj", "likes", "Bill"),
        ("orphan", "Bill", "tea"),
    )
    assert parsed.tokens == ("Sue", "likes", "coffee", "and", "Bill", "tea")


def test_a_caption_of_one_word_has_no_relations(tmp_path):
    assert _relations(tmp_path, _lines("1 Dogs NOUN 0 root")) == ()


def test_a_caption_of_two_sentences_has_two_roots(tmp_path):
    words = _lines("1 Run VERB 0 root", "2 dog NOUN 1 vocative", "3 Go VERB 0 root")
    assert _relations(tmp_path, words) == (("vocative", "Run", "dog"),)


@pytest.mark.parametrize("upos", ["PUNCT", "_"])
def test_punctuation_is_no_relation(tmp_path, upos):
    relation = "goeswith" if upos == "PUNCT" else "punct"
    words = _lines("1 dog NOUN 0 root", f"2 , {upos} 1 {relation}", "3 big ADJ 1 amod")
    assert _relations(tmp_path, words) == (("amod", "dog", "big"),)


def test_what_hangs_from_punctuation_is_no_relation(tmp_path):
    words = _lines("1 dog NOUN 0 root", "2 - PUNCT 1 punct", "3 big ADJ 2 amod")
    assert _relations(tmp_path, words) == ()


def test_words_may_hold_spaces_and_other_line_separators(tmp_path):
    word = "10 000\u2028\x0b"
    lines = _lines("1 FORM NUM 2 nummod", "2 dogs NOUN 0 root").replace("FORM", word)
    assert _relations(tmp_path, lines) == (("nummod", "dogs", word),)


@pytest.mark.parametrize(
    ("comment", "words", "reason"),
    [
        ("# text = no id", DOG, "no comment of the form # sent_id = IMAGE#k"),
        ("# sent_id = a.jpg", DOG, "no comment of the form"),
        ("# sent_id = a.jpg#-1", DOG, "no comment of the form"),
        ("# sent_id = a#0", "# nothing else\n", "it has no words"),
        ("# sent_id = a#0", _lines("1 dog NOUN _ _"), "word 1 has no head or no relation"),
        ("# sent_id = a#0", _lines("1 dog NOUN 0 _"), "word 1 has no head or no relation"),
        ("# sent_id = a#0", _lines("1 dog NOUN -1 dep"), "word 1 has no head or no relation"),
        ("# sent_id = a#0", _lines("1 dog NOUN \u00b2 dep"), "word 1 has no head or no relation"),
        ("# sent_id = a#0", _lines("1 dog NOUN 2 dep"), "word 1 has head 2, but there are 1 words"),
        ("# sent_id = a#0", _lines("1 dog NOUN 1 dep"), "word 1 is above itself: a cycle"),
        (
            "# sent_id = a#0",
            _lines("1 a DET 2 det", "2 b X 3 dep", "3 c X 2 dep", "4 d X 0 root"),
            "word 2 is above itself: a cycle",
        ),
    ],
)
def test_a_sentence_without_a_use_is_skipped_and_said(tmp_path, comment, words, reason):
    file = _file(tmp_path, f"# sent_id = z#0\n{DOG}\n{comment}\n{words}\n# sent_id = z#1\n{DOG}\n")
    assert [parsed.caption_index for parsed in file] == [0, 1]
    (skipped,) = file.skipped
    # The comment, four words and a blank line come before it.
    assert skipped.line == 7
    assert reason in skipped.reason


def test_a_second_parse_of_a_caption_is_skipped(tmp_path):
    other = _lines("1 Dogs NOUN 0 root")
    file = _file(tmp_path, f"# sent_id = a#0\n{DOG}\n# sent_id = a#0\n{other}\n")
    assert [parsed.relations for parsed in file] == [DOG_RELATIONS]
    assert file.skipped == [SkippedParse(7, "a#0", "its sent_id came before")]


def test_a_skipped_parse_does_not_hide_a_good_one(tmp_path):
    file = _file(tmp_path, f"# sent_id = a#0\n{_lines('1 x X 1 dep')}\n# sent_id = a#0\n{DOG}\n")
    assert [parsed.relations for parsed in file] == [DOG_RELATIONS]
    assert len(file.skipped) == 1


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16"])
def test_other_encodings_are_refused_with_the_line(tmp_path, encoding):
    text = "# sent_id = a#0\n" + _lines("1 café NOUN 0 root")
    line = {"iso-8859-1": 2, "utf-16": 1}[encoding]
    with pytest.raises(ValueError, match=f"UTF-8 in .*conllu.*in line {line}"):
        list(_file(tmp_path, text.encode(encoding)))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("A dog runs .", "Expected 10 columns, separated by tabs. Received: 1 in line 2 of"),
        ("1\tdog\tdog\tNOUN", "Received: 4 in line 2 of .*1.tdog.tdog.tNOUN"),
        (DOG.split("\n")[0] + "\tmore", "Received: 11 in line 2 of"),
        (DOG.split("\n")[1], "Expected word 1 of a sentence. Received: line 2 of"),
        (DOG.split("\n")[0].replace("1", "one", 1), "Expected word 1 of a sentence"),
    ],
)
def test_what_is_no_conllu_is_refused_with_the_line(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        list(_file(tmp_path, f"# sent_id = a#0\n{line}\n"))


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match="Expected sentences in CoNLL-U.*with none"):
        list(_file(tmp_path, text))


def _doc():
    tokens = pytest.importorskip("spacy.tokens", reason="spaCy is an extra")
    vocab = pytest.importorskip("spacy.vocab", reason="spaCy is an extra")
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


def test_a_parse_is_written_in_the_columns_of_conllu():
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
