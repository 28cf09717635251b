import hashlib

import pytest
from parsed_captions import PARSES, captions

from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.sources.source_example import Skip

DOG = "1\tDogs\t_\t_\t_\t_\t2\tnsubj\t_\t_\n2\trun\t_\t_\t_\t_\t0\troot\t_\t_\n"
RELATION = ("nsubj", "run", "Dogs")


def _parses(tmp_path, *names, more=""):
    path = tmp_path / "parses.conllu"
    path.write_text("".join(f"# sent_id = {name}\n{DOG}\n" for name in names) + more)
    return DependencyParses(path)


def test_captions_get_their_relations_by_image_and_number(tmp_path):
    parses = _parses(tmp_path, "a#1", "b#0")
    assert parses.of("train", "a", "a.jpg", ("A cat .", "Dogs run .")) == ((), (RELATION,))
    assert parses.of("dev", "b", "b.jpg", ("dogs Run",)) == ((RELATION,),)
    assert parses.skipped() == [Skip("train", "a#0", "no parse of this caption")]


def test_images_may_be_named_by_their_files(tmp_path):
    parses = _parses(tmp_path, "101.jpg#0", "102.jpg#0", "102#0")
    assert parses.of("train", "101", "101.jpg", ("Dogs run",)) == ((RELATION,),)
    # Both names of 102 are of it: none is left over.
    assert parses.of("train", "102", "102.jpg", ("Dogs run",)) == ((RELATION,),)
    assert parses.skipped() == []


def test_parses_of_unknown_images_and_captions_are_listed(tmp_path):
    parses = _parses(tmp_path, "a#0", "a#7", "unknown#0")
    parses.of("train", "a", "a.jpg", ("Dogs run",))
    reason = "a parse of no caption that was written"
    assert parses.skipped() == [Skip("", "a#7", reason), Skip("", "unknown#0", reason)]


def test_sentences_that_cannot_be_used_are_listed_with_their_lines(tmp_path):
    cycle = DOG.replace("\t0\troot", "\t1\tdep")
    parses = _parses(tmp_path, "a#0", more=f"# sent_id = a#1\n{cycle}\n{DOG}\n")
    parses.of("train", "a", "a.jpg", ("Dogs run", "Dogs run"))
    # The first sentence is lines 1 to 4.
    assert parses.skipped() == [
        Skip("", "a#1", "parse in line 5: word 1 is above itself: a cycle"),
        Skip("", "", "parse in line 9: it has no comment of the form # sent_id = IMAGE#k"),
        Skip("train", "a#1", "no parse of this caption"),
    ]


def test_a_parse_of_other_words_is_left_out(tmp_path):
    parses = _parses(tmp_path, "a#0", "a#1", "a#2")
    texts = ("Two cats sleep .", "A dogs' race", "Dogs , running")
    # Neither word of the parse; one of two; both, one of them as the beginning of a word.
    assert parses.of("train", "a", "a.jpg", texts) == ((), (RELATION,), (RELATION,))
    assert parses.skipped() == [Skip("train", "a#0", "its parse is of other words, and left out")]


def test_of_many_skips_for_one_reason_the_first_are_listed_and_the_others_counted(tmp_path):
    parses = _parses(tmp_path, "a#0", *(f"b#{index}" for index in range(25)))
    parses.of("train", "a", "a.jpg", ("Dogs run", *["A cat"] * 22))
    unknown, unparsed = parses.skipped()[:21], parses.skipped()[21:]
    assert [skip.source_id for skip in unknown] == [*(f"b#{index}" for index in range(20)), ""]
    assert unknown[-1].reason == "5 more parses are of no caption that was written"
    assert [skip.source_id for skip in unparsed] == [*(f"a#{index}" for index in range(1, 21)), ""]
    assert unparsed[-1] == Skip("train", "", "2 more captions have no parse")


def test_a_split_that_is_asked_for_again_is_noted_once(tmp_path):
    parses = _parses(tmp_path, "a#0")
    for _ in range(2):
        parses.forget("train")
        parses.of("train", "a", "a.jpg", ("Dogs run", "A cat"))
    assert parses.skipped() == [Skip("train", "a#1", "no parse of this caption")]


def test_a_file_of_other_captions_is_refused(tmp_path):
    parses = _parses(tmp_path, "x.jpg#0", "y.jpg#0")
    parses.of("train", "a", "a.jpg", ("Dogs run",))
    with pytest.raises(ValueError, match=r"# sent_id = a#0. Received: .* 2 parses .* as x.jpg#0"):
        parses.check()


def test_a_file_without_parses_is_refused(tmp_path):
    path = tmp_path / "empty.conllu"
    path.write_text("")
    with pytest.raises(ValueError, match="Expected sentences in CoNLL-U"):
        DependencyParses(path)
    path.write_text(f"{DOG}\n")
    parses = DependencyParses(path)
    parses.of("train", "a", "a.jpg", ("Dogs run",))
    with pytest.raises(ValueError, match="whose 0 parses"):
        parses.check()


def test_every_caption_of_the_sample_finds_its_parse():
    parses = DependencyParses(PARSES)
    counts = {}
    for image, texts in captions().items():
        dependencies = parses.of("train", image, image, texts)
        counts[image] = [len(relations) for relations in dependencies]
    parses.check()
    assert parses.skipped() == []
    # Words less one, less those that are punctuation: "Boats" has none, the others' full stops
    # none, nor the comma of meadow.jpg#3 and the hyphen of workshop.jpg#1.
    assert counts["harbour.jpg"] == [5, 8, 7, 6, 0]
    assert counts["meadow.jpg"][3] == 7 and counts["workshop.jpg"][1] == 6
    assert parses.sha256 == hashlib.sha256(PARSES.read_bytes()).hexdigest()
