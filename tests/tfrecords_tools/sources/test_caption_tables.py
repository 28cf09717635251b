"""Tables keep every row, or name it: commas and quotes that are wrong, JSON of any form."""

import json
import pathlib
import random

import pytest

from tfrecords_tools.sources.caption_tables import read_tables

CASES = pathlib.Path(__file__).parents[4] / "shared" / "cases"


def read(tmp_path, text, name="captions.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ((table,), _) = read_tables([path], ["folder/without_ending"].__contains__)
    return table


def rows(table):
    captions = [own.caption for own in table.rows]
    captions = [own.decode() if isinstance(own, bytes) else own for own in captions]
    return [
        (own.path, caption, own.split) for own, caption in zip(table.rows, captions, strict=True)
    ]


def faults(table):
    return [where for where, _ in table.faults]


class TestCommas:
    @pytest.mark.parametrize("header", ["path,caption\n", "caption,path\n", "id,path,caption\n"])
    def test_a_comma_without_quotes_is_no_end_of_a_caption(self, tmp_path, header):
        columns = header.strip().split(",")
        rows_of = {"path": "1.jpg", "caption": "a red bus, a dog", "id": "7"}
        bad = ",".join(rows_of[name] for name in columns) + "\n"
        good = bad.replace("a red bus, a dog", '"a red bus, a dog"')
        table = read(tmp_path, header + good + bad)
        assert rows(table) == [("1.jpg", "a red bus, a dog", "")]
        assert faults(table) == ["line 3"] and "needs quotes" in table.faults[0][1]

    def test_the_split_may_be_left_out_where_it_is_last(self, tmp_path):
        table = read(tmp_path, "path,caption,split\n1.jpg,a dog\n2.jpg,a cat,test\n")
        assert rows(table) == [("1.jpg", "a dog", ""), ("2.jpg", "a cat", "test")]
        table = read(tmp_path, "split,path,caption\ntest,1.jpg,a dog\n2.jpg,a cat\n")
        assert rows(table) == [("1.jpg", "a dog", "test")] and faults(table) == ["line 3"]

    def test_empty_fields_that_spreadsheets_add_are_none(self, tmp_path):
        table = read(tmp_path, "path,caption,,\n1.jpg,a dog,,\n,,,\n2.jpg,,,\n")
        assert rows(table) == [("1.jpg", "a dog", ""), ("2.jpg", "", "")]
        assert faults(table) == []

    @pytest.mark.parametrize("mark", [";", "\t"])
    def test_the_header_tells_other_marks_than_commas(self, tmp_path, mark):
        table = read(tmp_path, f"image{mark}text\n1.jpg{mark}a dog, wet\n")
        assert rows(table) == [("1.jpg", "a dog, wet", "")]


class TestQuotes:
    def test_a_quote_that_is_not_closed_loses_its_own_row_alone(self, tmp_path):
        text = (
            'path,caption\n1.jpg,"a red bus\n2.jpg,two dogs\n3.jpg,"a man, a dog"\n'
            '4.jpg,"two\nlines"\n'
        )
        table = read(tmp_path, text)
        assert [own[:2] for own in rows(table)] == [
            ("2.jpg", "two dogs"),
            ("3.jpg", "a man, a dog"),
            ("4.jpg", "two\nlines"),
        ]
        assert faults(table) == ["line 2"] and "a red bus" in table.faults[0][1]

    @pytest.mark.parametrize(
        "end", ["", "3.jpg,a cat\n", '3.jpg,a cat"\n', '3.jpg,"a ""cat"""\n', '3.jpg,a "cat\n']
    )
    def test_wherever_the_next_quote_stands(self, tmp_path, end):
        table = read(tmp_path, f'1.jpg,"a red bus\n2.jpg,two dogs\n{end}')
        paths = [own.path for own in table.rows]
        assert paths == ["2.jpg", *(["3.jpg"] if end else [])] and faults(table) == ["line 1"]

    def test_rows_are_told_by_endings_and_by_the_photographs_there_are(self, tmp_path):
        table = read(tmp_path, 'first,"a red bus\nfolder/without_ending,two dogs"\n3.jpg,a cat\n')
        assert [own.path for own in table.rows] == ["folder/without_ending", "3.jpg"]
        table = read(tmp_path, 'first,"a red bus\nand, last, two dogs"\n3.jpg,a cat\n')
        assert [own.path for own in table.rows] == ["first", "3.jpg"]

    @pytest.mark.parametrize("row", ['1.jpg,"a "red" bus"', '1.jpg,"a bus" in red', '1.jpg,"a"b"c'])
    def test_quotes_within_quotes_are_named_and_not_dropped(self, tmp_path, row):
        table = read(tmp_path, f"{row}\n2.jpg,two dogs\n")
        assert [own.path for own in table.rows] == ["2.jpg"] and faults(table) == ["line 1"]

    def test_quotes_within_a_text_without_quotes_are_its_own(self, tmp_path):
        table = read(tmp_path, '1.jpg,a 5" pipe\n2.jpg,say "hi" to me\n3.jpg, "a dog, wet"\n')
        assert [own[1] for own in rows(table)] == ['a 5" pipe', 'say "hi" to me', "a dog, wet"]

    def test_a_path_after_a_text_of_several_lines_is_no_row_of_its_own(self, tmp_path):
        table = read(tmp_path, 'caption,path\n"two\nlines",1.jpg\n"open,2.jpg\na dog,3.jpg\n')
        assert [own[:2] for own in rows(table)] == [("1.jpg", "two\nlines"), ("3.jpg", "a dog")]
        assert faults(table) == ["line 4"]

    def test_no_row_is_lost_in_silence_wherever_quotes_and_commas_are_put(self, tmp_path):
        generator = random.Random(0)
        for _ in range(100):
            lines = [f"{number}.jpg,a dog runs" for number in range(8)]
            for _ in range(3):
                place = generator.randrange(8)
                at = generator.randrange(6, len(lines[place]) + 1)
                mark = generator.choice(['"', ",", '""'])
                lines[place] = lines[place][:at] + mark + lines[place][at:]
            table = read(tmp_path, "path,caption\n" + "\n".join(lines))
            assert len(table.rows) + len(table.faults) == 8, lines
            # What was kept is as it was written, but for quotes and an empty field at the end.
            for path, caption, _ in rows(table):
                line = lines[int(path[0])].partition(",")[2]
                assert caption.replace('"', "").strip(", ") == line.replace('"', "").strip(", "), (
                    lines
                )


class TestJson:
    @pytest.mark.parametrize(
        "content",
        [
            [{"file_name": "1.jpg", "text": "a dog"}, {"path": "1.jpg", "caption": "a cat"}],
            [{"image": "1.jpg", "captions": ["a dog", "a cat"]}],
            {"1.jpg": ["a dog", "a cat"]},
        ],
    )
    def test_forms_of_one_content_give_the_same(self, tmp_path, content):
        table = read(tmp_path, json.dumps(content), "captions.json")
        assert rows(table) == [("1.jpg", "a dog", ""), ("1.jpg", "a cat", "")]

    @pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.json"])
    def test_lines_are_entries_and_bad_ones_are_named(self, tmp_path, name):
        text = (
            '{"file_name": "1.jpg", "text": "a dog", "split": "val"}\r\n\n{"file_name": \n'
            '{"file_name": "2.jpg"}\n[1]\n{"file_name": 3, "text": "a cat"}\n'
            '{"file_name": "4.jpg", "text": "a\\u2028cat"}\n'
        )
        table = read(tmp_path, "\ufeff" + text, name)
        assert rows(table) == [("1.jpg", "a dog", "val"), ("4.jpg", "a\u2028cat", "")]
        assert sorted(faults(table)) == ["line 3", "line 4", "line 5", "line 6"]

    def test_what_is_no_text_is_passed_on_to_be_listed(self, tmp_path):
        content = [{"path": "1.jpg", "caption": value} for value in (17, ["a"], True, None)]
        table = read(tmp_path, json.dumps(content), "captions.json")
        assert [own.caption for own in table.rows] == [17, ["a"], True, None]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"images": [], "annotations": []}, "--dataset=coco"),
            ({"images": [], "dataset": "mine"}, "--dataset=karpathy_json"),
            (3, "path and caption in captions.json. Received: 3"),
        ],
    )
    def test_other_forms_are_refused_by_their_names(self, tmp_path, content, message):
        with pytest.raises(ValueError, match=message):
            read(tmp_path, json.dumps(content), "captions.json")

    def test_a_damaged_file_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="captions.json"):
            read(tmp_path, '[{"path": "1.jpg", "capt', "captions.json")
        with pytest.raises(ValueError, match="captions.json"):
            read(tmp_path, "[" * 100_000, "captions.json")


def test_a_directory_gives_all_its_tables_and_each_content_once(tmp_path):
    for name in ("b.csv", "a.jsonl", "x/b.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / "b.csv").write_text("1.jpg,a dog\n")
    (tmp_path / "a.jsonl").write_text('{"path": "2.jpg", "caption": "a cat"}\n')
    (tmp_path / "x" / "b.csv").write_text("3.jpg,a cow\n")
    (tmp_path / "c.csv").write_text("1.jpg,a dog\n")
    (tmp_path / "README.md").write_text("No table.")
    tables, repeated = read_tables([tmp_path, tmp_path / "b.csv"], [].__contains__)
    assert [own.path for table in tables for own in table.rows] == ["2.jpg", "1.jpg", "3.jpg"]
    assert [table.name for table in tables][0] == "a.jsonl" and len(repeated) == 2
    assert len({table.name for table in tables}) == 3


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here (../shared)")
@pytest.mark.parametrize(
    ("file", "paths"),
    [
        ("csv_unclosed_quote/captions.csv", ["2.jpg", "3.jpg", "4.jpg", "5.jpg"]),
        ("csv_unquoted_comma/captions.csv", ["2.jpg"]),
        ("csv_unquoted_comma/captions_with_split.csv", ["2.jpg"]),
    ],
)
def test_the_known_cases_lose_one_row_which_is_named(file, paths):
    ((table,), _) = read_tables([CASES / file], [].__contains__)
    assert [own.path for own in table.rows] == paths and faults(table) == ["line 2"]
