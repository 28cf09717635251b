"""Photographs that a file divides into splits, whatever their data set."""

import pytest
from mini_flickr8k import files, write_zips
from source_samples import SAMPLES, read_all
from test_registry import sample_arguments

from tfrecords_tools.sources.caption_source import SplitSource, file_names, read_splits
from tfrecords_tools.sources.registry import check_paths, make_source
from tfrecords_tools.sources.source import Skip, Source, SourceExample


class Photographs(Source):
    """Photographs at paths, all of train."""

    name = "photographs"
    official_counts = {"train": 9}

    def __init__(self, *paths):
        self._paths = paths
        self.skipped = [Skip("restval", "9", "not in --images")]

    def splits(self):
        return ("train",)

    def examples(self, split):
        for number, path in enumerate(self._paths, 500):
            name = file_names(self._paths)[path]
            yield SourceExample(str(number), name, ("A dog",), path=path)

    def checksums(self):
        return {"captions": "1"}


@pytest.fixture
def divide(tmp_path):
    """Returns the `SplitSource` of paths, by a file of these lines."""

    def divide(lines, *paths):
        path = tmp_path / "splits.csv"
        path.write_text(lines)
        return SplitSource(Photographs(*paths), path)

    return divide


def _paths(source):
    return {split: [each.path for each in source.examples(split)] for split in source.splits()}


def test_a_file_divides_the_photographs_and_what_is_left_over_is_listed(divide):
    lines = "c.jpg,test\nx.jpg,train\nb.jpg,validation\na.jpg,train\ne.jpg,extra\n"
    source = divide(lines, *(f"{name}.jpg" for name in "abcde"))
    assert list(_paths(source).items()) == [
        ("train", ["a.jpg"]),
        ("dev", ["b.jpg"]),
        ("test", ["c.jpg"]),
        ("extra", ["e.jpg"]),
    ]
    assert source.skipped == [
        # Its split is no more.
        Skip("", "9", "not in --images"),
        Skip("", "", "photographs left out, which the file of splits does not name: 1"),
        Skip("", "x.jpg", "no photograph of this name, which the file of splits has"),
    ]
    left_out, unknown = source.notes
    assert left_out.startswith("photographs left out") and left_out.endswith(": 1, first d.jpg")
    assert unknown.startswith("names in ") and unknown.endswith("of no photograph: 1, first x.jpg")
    (few,) = source.split_notes
    assert few.startswith("photographs to train on are few: 1,")
    # As published it is divided otherwise.
    assert source.official_counts == {}
    assert set(source.checksums()) == {"captions", "splits_file"}
    with pytest.raises(ValueError, match=r"Expected a split of .*'extra'.* Received: 'val'"):
        next(source.examples("val"))


@pytest.mark.parametrize(
    "name", ["a/1.jpg", "./a/1.jpg", "a\\1.jpg", "/home/me/a/1.jpg", "a/1", "500"]
)
def test_a_photograph_is_named_by_its_path_or_its_number(divide, name):
    assert _paths(divide(f"{name},test", "a/1.jpg", "b/1.jpg")) == {"test": ["a/1.jpg"]}


def test_a_bare_name_is_of_the_one_photograph_that_has_it(divide):
    assert _paths(divide("1.jpg,dev", "a/1.jpg", "b/2.jpg")) == {"dev": ["a/1.jpg"]}
    # A whole path is no other's ending.
    assert _paths(divide("1.jpg,dev", "a/1.jpg", "1.jpg")) == {"dev": ["1.jpg"]}
    # Paths decide.
    with pytest.raises(ValueError, match=r"such as 'a/1.jpg', in .*Received: 1 .*'b/1.jpg'$"):
        divide("b/1.jpg,dev", "a/1.jpg")
    # The photograph that is meant is named, where its name has other letters.
    with pytest.raises(ValueError, match=r"such as 'a/2.jpg', in .*Received: 2 .*'A/2.JPG'$"):
        divide("9.jpg,dev\nA/2.JPG,dev", "a/1.jpg", "a/2.jpg")
    with pytest.raises(ValueError, match=r"'1.jpg', which may be 'a/1.jpg' or 'b/1.jpg'$"):
        divide("1.jpg,dev", "a/1.jpg", "b/1.jpg")
    with pytest.raises(ValueError, match=r"'1', which may be '1.jpg' or '1.png'$"):
        divide("1,dev", "1.jpg", "1.png")


def test_two_splits_of_a_photograph_are_refused(divide):
    with pytest.raises(ValueError, match=r"Received: train and test for 'a.jpg'$"):
        divide("a.jpg,train\na.jpg,test", "a.jpg")
    # By two of its names.
    with pytest.raises(ValueError, match=r"train by 'a.jpg' and dev by '500' for 'x/a.jpg'$"):
        divide("a.jpg,train\n500,val", "x/a.jpg")
    # Twice in the same is no harm.
    assert _paths(divide("a.jpg,train\na.jpg,train\n500,train", "a.jpg")) == {"train": ["a.jpg"]}


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,train\nb.jpg,val",
        "name,split\na.jpg,train\n\nb.jpg,dev\n",
        "\ufeffsentid\tSPLIT\tfilename\r\n7\ttrain\ta.jpg\r\n8\tvalidation\tb.jpg\r\n",
        '"a.jpg";train\n./b.jpg; dev ;\n',
    ],
)
def test_rows_have_columns_as_tables_do(tmp_path, text):
    path = tmp_path / "splits.csv"
    path.write_bytes(text.encode())
    assert read_splits(path)[0] == {"a.jpg": "train", "b.jpg": "dev"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expected rows name,split in .*splits.csv. Received: none"),
        (b"name,split\n", "Received: none"),
        (b"a.jpg,train\nb.jpg\n", "in line 2 of .*splits.csv. Received: 'b.jpg'$"),
        (b"a.jpg,\n", "in line 1"),
        (b",train\n", "in line 1"),
        (b"a.jpg,a dog runs\n", "in line 1"),
        (b'"a.jpg,train\nb.jpg,dev\n', "in line 1"),
        (b"a.jpg," + b"x" * 200_000 + b",\n", "in line 1"),
        (b"a.jpg,train\n\xff.jpg,dev\n", "Expected UTF-8 in .*splits.csv.*line 2"),
    ],
)
def test_what_is_no_row_is_one_clear_error(tmp_path, text, message):
    path = tmp_path / "splits.csv"
    path.write_bytes(text)
    for call in (read_splits, lambda path: check_paths(dataset="csv", splits_file=str(path))):
        with pytest.raises(ValueError, match=message) as error:
            call(path)
        assert "\n" not in str(error.value)


def test_every_source_is_divided_by_a_file(tmp_path):
    table = tmp_path / "captions.csv"
    table.write_text("Flicker8k_Dataset/101_a.jpg,A dog\n")
    every = sample_arguments(write_zips(tmp_path, files()), str(table))
    path = tmp_path / "splits.csv"
    for name, own in every.items():
        own = {"dataset": name} | own | {"restval_in_train": False}
        source = make_source(**own)
        # By what the records call them, all in another split than before.
        given = {
            example.filename: f"{split}_{len(examples)}"
            for split, examples in read_all(source).items()
            for example in examples.values()
        }
        path.write_text("\n".join(map(",".join, given.items())))
        divided = make_source(**own, splits_file=str(path))
        assert divided.name == source.name
        assert divided.feature_size == source.feature_size
        assert given == {
            example.filename: split
            for split, examples in read_all(divided).items()
            for example in examples.values()
        }, name


def test_features_of_others_are_divided_too(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_text("1001.jpg,dev\n1002,test\n")
    source = make_source(
        "flickr30k",
        captions=str(SAMPLES / "flickr30k" / "texts"),
        features=f"bottom_up:{SAMPLES / 'bottom_up'}",
        splits_file=str(path),
    )
    assert source.features_of == "bottom_up"
    assert {split: list(own) for split, own in read_all(source).items()} == {
        "dev": ["1001"],
        "test": ["1002"],
    }


@pytest.mark.parametrize("dataset", ["csv", "regions"])
def test_what_a_table_says_of_its_own_splits_is_not_said_beside_a_file(tmp_path, dataset):
    images = tmp_path / "images"
    images.mkdir()
    names = [f"{number}.jpg" for number in range(10)]
    for name in names:
        (images / name).write_bytes(b"")
    box = "0,0,1,1," if dataset == "regions" else ""
    table, path = tmp_path / "captions.csv", tmp_path / "splits.csv"
    table.write_text("".join(f"{name},{box}A dog\n" for name in names))
    own = {"dataset": dataset, "images": str(images), "captions": str(table)}
    held_out, few = make_source(**own).split_notes
    assert "held out for dev" in held_out and few.startswith("photographs to train on are few: 8,")
    path.write_text("".join(f"{name},train\n" for name in names))
    few, without = make_source(**own, splits_file=str(path)).split_notes
    assert few.startswith("photographs to train on are few: 10,")
    assert without.startswith("no photograph is in dev") and without.endswith(f"in {path}")


@pytest.mark.parametrize("flag", [{"holdout": (0.1, 0.1)}, {"restval_in_train": True}])
def test_other_ways_to_divide_are_refused_beside_a_file(flag):
    dataset = "csv" if "holdout" in flag else "karpathy_json"
    with pytest.raises(ValueError, match=f"no --{next(iter(flag))} with --splits_file"):
        make_source(dataset, images="a", captions="b", splits_file="c", **flag)
