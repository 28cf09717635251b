import math

import pytest
from mini_flickr8k import annotation, files, write_directories

from tfrecords_tools.archive import Archive
from tfrecords_tools.sources.flickr30k_entities import (
    Flickr30kEntities,
    parse_annotations,
    parse_sentences,
)


def test_sentence_of_image_1000092795_has_the_published_phrases():
    # docs/equations.md 6.5: (first word, chain, type) of sentence 1.
    line = (
        "[/EN#1/people Two young guys] with [/EN#2/bodyparts shaggy hair] look at "
        "[/EN#3/bodyparts their hands] while hanging out in [/EN#8/scene the yard] ."
    )
    (sentence,), problems = parse_sentences(line.encode())
    assert not problems
    assert " ".join(sentence.words) == (
        "Two young guys with shaggy hair look at their hands while hanging out in the yard ."
    )
    assert [(first, chain, kind) for first, _, chain, kind in sentence.phrases] == [
        (0, "1", "people"),
        (4, "2", "bodyparts"),
        (8, "3", "bodyparts"),
        (14, "8", "scene"),
    ]
    assert [count for _, count, _, _ in sentence.phrases] == [3, 2, 2, 2]


def test_boxes_of_image_1000092795_have_the_published_union():
    # docs/equations.md 6.5: chain 1 is boxed alone and together with chain 6.
    width, height = 333, 500
    data = annotation(
        width, height, (("1",), (159, 125, 219, 335)), (("1", "6"), (197, 110, 261, 373))
    )
    objects, problems = parse_annotations(data.encode())
    assert not problems
    assert [item.chain for item in objects] == ["1", "1", "6"]
    boxes = [item.box for item in objects if item.chain == "1"]
    union = (
        min(box[1] for box in boxes) * width + 1,
        min(box[0] for box in boxes) * height + 1,
        max(box[3] for box in boxes) * width,
        max(box[2] for box in boxes) * height,
    )
    assert all(map(math.isclose, union, (159, 110, 261, 373)))


def test_boxes_are_normalised_by_the_annotated_size_as_inclusive_pixels():
    objects, _ = parse_annotations(annotation(100, 50, (("7",), (51, 1, 100, 25))).encode())
    assert [(item.chain, item.box) for item in objects] == [("7", (0.0, 0.5, 0.5, 1.0))]


def test_box_outside_is_clipped_and_box_without_area_is_dropped_with_its_reason():
    data = annotation(
        100, 100, (("1",), (-9, 91, 50, 120)), (("2",), (150, 1, 160, 9)), (("3",), (30, 9, 29, 9))
    )
    objects, problems = parse_annotations(data.encode())
    assert [(item.chain, item.box) for item in objects] == [("1", (0.9, 0.0, 1.0, 0.5))]
    assert len(problems) == 2
    assert "chain 2 has no area inside the image: 150,1,160,9 in 100 x 100" in problems[0]
    assert "chain 3" in problems[1]


def test_scenes_and_the_chain_of_nothing_visible_have_no_box():
    data = annotation(100, 100, (("5",), None), (("0",), (1, 1, 9, 9)))
    assert parse_annotations(data.encode()) == ((), [])


def test_types_are_kept_together_and_chain_zero_is_kept():
    (sentence,), _ = parse_sentences(b"[/EN#0/notvisual It] , [/EN#5/vehicles/scene a boat] x")
    assert sentence.phrases == ((0, 1, "0", "notvisual"), (2, 2, "5", "vehicles/scene"))
    assert sentence.words == ("It", ",", "a", "boat", "x")


def test_phrase_without_words_is_dropped_with_its_reason_and_costs_no_other():
    data = b"[/EN#7/people ] A man holds [/EN#8/other a ball] [/EN#9/scene] ."
    (sentence,), problems = parse_sentences(data)
    assert sentence.words == ("A", "man", "holds", "a", "ball", ".")
    assert sentence.phrases == ((3, 2, "8", "other"),)
    assert problems == [
        "sentence 1 has a phrase without words: [/EN#7/people ]",
        "sentence 1 has a phrase without words: [/EN#9/scene]",
    ]


def test_mention_that_cannot_be_read_drops_only_its_sentence():
    data = b"[/EN#1 a dog] runs\r\n\r\n[/EN#1/animals a dog] runs\r\n"
    sentences, problems = parse_sentences(data)
    assert [sentence.words for sentence in sentences] == [("a", "dog", "runs")]
    assert problems and "sentence 1" in problems[0]


@pytest.mark.parametrize(
    "data",
    [
        b"<annotation>",
        annotation(0, 10).encode(),
        annotation("wide", 10).encode(),
        annotation(10, 10, (("1",), (1, 1, "nan", 5))).encode(),
        b"<annotation><size><width>9</width></size></annotation>",
    ],
)
def test_damaged_annotation_is_a_value_error(data):
    with pytest.raises(ValueError):
        parse_annotations(data)


def test_missing_and_damaged_files_are_problems_of_their_image(tmp_path):
    contents = files()
    contents["entities"]["Annotations/101.xml"] = b"<annotation"
    contents["entities"]["Sentences/102.txt"] = b"\xff\xfe"
    entities = Flickr30kEntities(Archive(write_directories(tmp_path, contents)["entities"]))
    assert len(entities.read("101").sentences) == 2 and not entities.read("101").objects
    assert "not XML" in entities.read("101").problems[0]
    assert not entities.read("102").sentences and len(entities.read("102").objects) == 1
    assert len(entities.read("999").problems) == 2


def test_annotations_of_no_photograph_are_counted(tmp_path):
    entities = Flickr30kEntities(Archive(write_directories(tmp_path, files())["entities"]))
    names = ["a/101_a.jpg", "102.jpg", "103_c.jpg", "104_d.jpg", "999.jpg"]
    assert entities.leftovers(names) == []
    # Of 103 and 104 the annotations and the sentences.
    assert entities.leftovers(names[:2]) == [
        "annotations of no photograph: 4, first Annotations/103.xml"
    ]


def test_archive_of_something_else_is_refused(tmp_path):
    paths = write_directories(tmp_path, files())
    with pytest.raises(FileNotFoundError, match="annotations.zip"):
        Flickr30kEntities(Archive(paths["images"]))
