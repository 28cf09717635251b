import json

import numpy as np
import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.metrics.caption_files import read_hypotheses, read_references, read_results


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.json",
            [{"image_id": 12, "caption": "a dog"}, {"image_id": "b.jpg", "caption": "käse"}],
        ),
        ("a.json", {"annotations": [{"id": 3, "image_id": 12, "caption": "a dog"}]}),
        ("a.json", {"12": "a dog", "b.jpg": ["käse", "brot"]}),
        ("a.JSON", [{"image": "12", "captions": [{"text": "a dog", "log_prob": -1.5}]}]),
        (
            "a.jsonl",
            '{"image": "12", "captions": ["a dog"]}\n\n{"file_name": "b.jpg", "text": "käse"}',
        ),
        ("a.csv", "split,image_id,caption\r\ndev,12,a dog\r\ndev,b.jpg,käse\r\n"),
        ("a.csv", '\ufeffcaption,path\n"a dog",12\n'),
        ("a.tsv", "path\tcaption\n12\ta dog\n"),
        ("a.csv", 'id; Text\n12;a dog\n\nb.jpg ; "käse"\n'),
        ("a.csv", "\nFile_Name\tcaption\n12\ta dog\n"),
        ("a.tsv", "id;text\n12;a dog\n"),
        ("a.txt", "12\ta dog\nb.jpg\tkäse\n"),
        ("Flickr8k.token.txt", "12#0\ta dog\r\nb.jpg#0\tkäse"),
    ],
)
def test_captions_are_of_their_photographs_in_every_kind_of_file(write, name, content):
    captions = read_results(write(name, content))
    assert captions in ({12: "a dog", "b.jpg": "käse"}, {12: "a dog"})


def test_lines_are_numbered_and_may_be_empty(write):
    assert read_results(write("a.txt", "a dog\n\na cat\n")) == {0: "a dog", 1: "", 2: "a cat"}


def test_names_of_photographs_with_marks_and_zeros_stay_as_they_are(write):
    captions = read_results(write("a.txt", "a#b.jpg\ta\n012\tb\n#3\tc\nd#1\te\n"))
    assert captions == {"a#b.jpg": "a", "012": "b", "#3": "c", "d": "e"}


def test_references_of_an_image_come_from_anywhere_in_any_file(write):
    first = write("a.txt", "x\ta dog\ny\ta cat\nx\tdogs\n")
    second = write("b.json", {"y": ["cats", "two cats"]})
    assert read_references([first, second]) == {
        "x": ["a dog", "dogs"],
        "y": ["a cat", "cats", "two cats"],
    }
    assert read_references(write("c.txt", "a\nb\n")) == {0: ["a"], 1: ["b"]}


def test_the_key_names_the_entry_of_the_photograph(write):
    results = write("a.json", [{"image_id": 0, "file_name": "x.jpg", "caption": "a dog"}])
    truth = {
        "images": [{"id": 7, "file_name": "x.jpg"}],
        "annotations": [{"image_id": 7, "id": 1, "caption": "dogs"}],
    }
    assert read_results(results) == {0: "a dog"}
    assert read_results(results, key="file_name") == {"x.jpg": "a dog"}
    assert read_references(write("b.json", truth), key="file_name") == {"x.jpg": ["dogs"]}
    with pytest.raises(VsaTfError, match="no entry 'name'"):
        read_results(results, key="name")
    table = write("c.csv", "id;Name;caption\n1;x.jpg;a dog\n")
    assert read_results(table, key="Name") == {"x.jpg": "a dog"}
    with pytest.raises(VsaTfError, match="must name the columns, path,caption"):
        read_results(table, key="path")


def test_what_rerank_writes_is_of_results_and_of_hypotheses(write):
    path = write("a.json", [{"image_id": 1, "caption": "a", "captions": ["a", "b"]}])
    assert (read_results(path), read_hypotheses(path)) == ({1: "a"}, {1: ["a", "b"]})


def test_hypotheses_are_in_their_order(write):
    entries = [{"image_id": 1, "captions": ["b", {"text": "a"}, ["two", "words"]]}]
    assert read_hypotheses(write("a.json", entries)) == {1: ["b", "a", "two words"]}
    assert read_hypotheses(write("a.csv", "image,caption\n1,b\n2,c\n1,a\n")) == {
        1: ["b", "a"],
        2: ["c"],
    }


def test_mrnn_cr_s_lists_have_hypotheses_and_sentences(tmp_path):
    entries = [
        {
            "id": 5,
            "file_name": "COCO_val2014_000000000005.jpg",
            "sentences": [["a", "dog"], ["dogs"]],
            "gen_beam_search_10": [["a", "cat"], ["cats", "sit"]],
        }
    ]
    np.save(tmp_path / "a.npy", np.array(entries, dtype=object))
    assert read_results(tmp_path / "a.npy") == {5: "a cat"}
    assert read_results(tmp_path / "a.npy", key="file_name") == {
        "COCO_val2014_000000000005.jpg": "a cat"
    }
    assert read_hypotheses(tmp_path / "a.npy") == {5: ["a cat", "cats sit"]}
    assert read_references(tmp_path / "a.npy") == {5: ["a dog", "dogs"]}
    entries[0]["gen_sample"] = [["x"]]
    np.save(tmp_path / "a.npy", np.array(entries, dtype=object))
    with pytest.raises(VsaTfError, match="several lists of .*: gen_beam_search_10, gen_sample"):
        read_hypotheses(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "image_id,caption\n1,a dog, two\n", "line 2 with other columns .*needs quotes"),
        ("a.csv", "image_id,caption\n1\n", "line 2 with other columns than image_id,caption"),
        ("a.csv", 'id,text\n1,"a dog\n2,cats', "unexpected end of data"),
        (
            "a.csv",
            "1,a dog\n2,cats\n",
            "Received: '1,a dog', but the first row must name the columns, image_id,caption$",
        ),
        ("a.tsv", "image_id\tremark\n1\tb\n", "the first row must name the columns"),
        ("a.csv", "id;text\n1;a;b\n", "line 2 with other columns than id;text: .*';' needs quotes"),
        ("a.csv", "", "Expected captions in results=.*a.csv. Received: none"),
        (
            "a.csv",
            b"image_id,caption\n1,\xff\n",
            "UTF-8 in .*a.csv. Received: the byte 0xff in line 2",
        ),
        ("a.txt", b"a\xff\n", "UTF-8 in .*a.txt"),
        ("a.txt", "x\ta dog\ny\n", "line 2 without a tab"),
        ("a.txt", "", "Expected captions in results=.*a.txt. Received: none"),
        ("a.jsonl", '{"image": 1, "caption": "a"}\n{', "JSON in line 2 of .*a.jsonl"),
        ("a.json", {"a": 3}, "the caption 3 of photograph a"),
        ("a.json", [{"image": "a", "error": "no picture"}], "without caption: it has image, error"),
        ("a.csv", "image_id,caption\n1,a\n1,b\n", "holds two captions of photograph 1$"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(write, name, content, message):
    with pytest.raises(VsaTfError, match=message) as refused:
        read_results(write(name, content))
    assert "\n" not in str(refused.value)
