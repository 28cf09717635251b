import hashlib

import pytest
from parsed_captions import PARSES, captions

from tfrecords_tools.dependency_parses import DependencyParses
from tfrecords_tools.sources.source import Skip

DOG = "1\tDogs\t_\t_\t_\t_\t2\tnsubj\t_\t_\n2\trun\t_\t_\t_\t_\t0\troot\t_\t_\n"
RELATION = ("nsubj", "run", "Dogs")


def _parses(tmp_path, *names, more=""):
    path = tmp_path / "parses.conllu"
    path.write_text("".join(f"# sent_id = {name}\n{DOG}\n" for name in names) + more)
    return DependencyParses(path)


def _sentence(name, *words):
    """A parse whose words hang from the first."""
    lines = [f"{i}\t{w}\t_\t_\t_\t_\t{int(i > 1)}\tdep\t_\t_\n" for i, w in enumerate(words, 1)]
    return f"# sent_id = {name}\n{''.join(lines)}\n"


def test_captions_get_their_relations_by_image_and_number(tmp_path):
    parses = _parses(tmp_path, "a#1", "b#0")
    assert parses.of("train", "a", "a.jpg", ("A cat .", "Dogs run .")) == ((), (RELATION,))
    assert parses.of("dev", "b", "b.jpg", ("dogs Run",)) == ((RELATION,),)
    assert parses.skipped() == [Skip("train", "a#0", "no parse of this caption")]


def test_images_may_be_named_by_their_files(tmp_path):
    parses = _parses(tmp_path, "101.jpg#0", "102#0")
    assert parses.of("train", "101", "101.jpg", ("Dogs run",)) == ((RELATION,),)
    assert parses.of("train", "102", "102.jpg", ("Dogs run",)) == ((RELATION,),)
    assert parses.skipped() == []


def test_of_two_parses_of_a_caption_by_both_names_the_second_is_listed(tmp_path):
    other = _sentence("103.jpg#0", "Cats")
    parses = _parses(tmp_path, "102.jpg#0", "102#0", "103#0", more=other)
    for name in ("102", "103"):
        assert parses.of("train", name, f"{name}.jpg", ("Dogs run",)) == ((RELATION,),)
    reason = "a second parse of a caption, and left out"
    assert parses.skipped() == [Skip("", "102.jpg#0", reason), Skip("", "103.jpg#0", reason)]


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
    parses = _parses(tmp_path, "a#0", "a#1", "a#2", "a#3", "a#4")
    texts = ("Two cats sleep", "Dogs running", "Dogs run fast", "Run , dogs", "dogs RUN !")
    assert parses.of("train", "a", "a.jpg", texts) == ((), (), (), (), (RELATION,))
    reason = "its parse is of other words, and left out"
    assert parses.skipped() == [Skip("train", f"a#{index}", reason) for index in range(4)]


@pytest.mark.parametrize(
    ("caption", "tokens"),
    [
        ("Dogs don't cannot run.", "Dogs do n't can not run ."),
        ('A T-shirt / (red) "top"', "A T - shirt \\/ -LRB- red -RRB- `` top ''"),
        ("a man's 1/2 caf\u00e9 -- \u201cbig\u201d", "A man 's 1\\/2 cafe\u0301 - `` big ''"),
        ("It 's the boys' ball", "it's the boys ' ball"),
    ],
)
def test_tokens_are_the_captions_words_however_they_are_divided(tmp_path, caption, tokens):
    words = tokens.split()
    parses = _parses(tmp_path, "b#0", more=_sentence("a#0", *words))
    (relations,) = parses.of("train", "a", "a.jpg", (caption,))
    assert [dependent for _, _, dependent in relations] == words[1:]


def test_the_surface_form_of_a_multiword_token_is_what_is_written(tmp_path):
    surface = "1-2\tv\u00e1monos" + "\t_" * 8 + "\n"
    lines = _sentence("a#0", "vamos", "nos").replace("1\tvamos", f"{surface}1\tvamos")
    parses = _parses(tmp_path, more=lines)
    assert parses.of("train", "a", "a", ("\u00a1V\u00e1monos!",)) == ((("dep", "vamos", "nos"),),)


def test_captions_are_named_by_their_numbers(tmp_path):
    parses = _parses(tmp_path, "a#1", "a#3", more=_sentence("a#0", "Cats", "sleep"))
    texts = ("Dogs run", "Cats run", "Dogs run")
    dependencies = parses.of("train", "a", "a.jpg", texts, (1, 2, 3))
    assert dependencies == ((RELATION,), (), (RELATION,))
    assert parses.skipped() == [
        Skip("", "a#0", "a parse of no caption that was written"),
        Skip("train", "a#2", "no parse of this caption"),
    ]


def test_captions_whose_numbers_are_lost_are_known_by_their_words(tmp_path):
    # Of captions 0 to 2 the first was left out, and records know the others as 0 and 1.
    parses = _parses(tmp_path, "a#1", more=_sentence("a#2", "Cats", "sleep"))
    sleeping = ("dep", "Cats", "sleep")
    assert parses.of("train", "a", "a.jpg", ("Dogs run", "Cats sleep")) == (
        (RELATION,),
        (sleeping,),
    )
    assert parses.skipped() == []


def test_of_many_skips_for_one_reason_the_first_are_listed_and_the_others_counted(tmp_path):
    parses = _parses(tmp_path, "a#0", *(f"b#{index}" for index in range(25)))
    parses.of("train", "a", "a.jpg", ("Dogs run", *["A cat"] * 22))
    unknown, unparsed = parses.skipped()[:21], parses.skipped()[21:]
    assert [skip.source_id for skip in unknown] == [*(f"b#{index}" for index in range(20)), ""]
    assert unknown[-1].reason == "5 more parses are of no caption that was written"
    assert sum(skip.count for skip in unknown) == 25
    assert [skip.source_id for skip in unparsed] == [*(f"a#{index}" for index in range(1, 21)), ""]
    assert unparsed[-1] == Skip("train", "", "2 more captions have no parse", 2)


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


def test_a_file_of_other_words_under_the_names_of_the_captions_is_refused(tmp_path):
    parses = _parses(tmp_path, "a#0", "a#1")
    parses.of("train", "a", "a.jpg", ("Cats run", "Cats sleep"))
    with pytest.raises(ValueError, match="2 parses are of other words .* such as a#0"):
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
