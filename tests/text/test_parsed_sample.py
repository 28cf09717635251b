"""The reader of CoNLL-U on what a parser has written."""

import collections
import pathlib

from tfrecords_tools.conllu import ConlluFile

SAMPLE = pathlib.Path(__file__).parents[1] / "testdata" / "conllu" / "parsed.conllu"


def _captions():
    file = ConlluFile(SAMPLE)
    captions = {(parsed.image, parsed.caption_index): parsed.relations for parsed in file}
    assert file.skipped == []
    return captions


def test_every_caption_is_read():
    images = collections.Counter(image for image, _ in _captions())
    assert images == dict.fromkeys(("harbour.jpg", "kitchen.jpg", "meadow.jpg", "workshop.jpg"), 5)


def test_relations_are_those_of_the_file():
    captions = _captions()
    # "Two small boats leave the harbour .", without the full stop.
    assert captions["harbour.jpg", 0] == (
        ("nummod", "boats", "Two"),
        ("amod", "boats", "small"),
        ("nsubj", "leave", "boats"),
        ("det", "harbour", "the"),
        ("dobj", "leave", "harbour"),
    )
    # "The farmer 's dog watches the cow ."
    assert captions["meadow.jpg", 1] == (
        ("det", "farmer", "The"),
        ("nmod:poss", "dog", "farmer"),
        ("case", "farmer", "'s"),
        ("nsubj", "watches", "dog"),
        ("det", "cow", "the"),
        ("dobj", "watches", "cow"),
    )
    # "She cannot find the smallest screwdriver .", which the parser has split.
    assert captions["workshop.jpg", 4][:3] == (
        ("nsubj", "find", "She"),
        ("aux", "find", "can"),
        ("neg", "find", "not"),
    )


def test_punctuation_is_known_by_its_relation_without_tags():
    words = {word for relations in _captions().values() for _, *pair in relations for word in pair}
    assert not words & {".", ",", "-"}
    # "Her T-shirt is covered with oil .": T and shirt remain.
    assert ("compound", "shirt", "T") in _captions()["workshop.jpg", 1]


def test_a_caption_of_one_word_has_no_relation():
    assert _captions()["harbour.jpg", 4] == ()
