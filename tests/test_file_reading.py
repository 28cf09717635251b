"""Files that others have written."""

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import (
    NOT_AS_EXPECTED,
    decode_text,
    parse_json,
    read_json,
    read_lines,
    reason_of,
    split_lines,
    text_lines,
    told_as,
)

# What Python's `str.splitlines` takes for line ends besides the three.
NO_LINE_ENDS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"
CONTENT = f"\ufeffone\rtwo\r\n\nfour{NO_LINE_ENDS}\n".encode()
LINES = ["one", "two", "", f"four{NO_LINE_ENDS}"]


def test_lines_end_at_cr_lf_and_cr_lf_alone(tmp_path):
    (tmp_path / "text").write_bytes(CONTENT)
    assert text_lines(CONTENT, "text") == LINES
    assert list(read_lines(tmp_path / "text")) == LINES
    assert [line.decode() for line in split_lines(CONTENT)] == LINES


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_line(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    assert text_lines(content, "text") == split_lines(content) == []
    assert list(read_lines(tmp_path / "text")) == []


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    content = "à\r\n".encode() + b"b\xe0\n"
    (tmp_path / "text").write_bytes(content)
    for read in (lambda: text_lines(content, "text"), lambda: list(read_lines(tmp_path / "text"))):
        with pytest.raises(VsaTfError, match="Expected UTF-8 in .*text.*byte 0xe0 in line 2"):
            read()
    assert list(read_lines(tmp_path / "text", strict=False)) == ["à", "b\udce0"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_called_so(encoding):
    with pytest.raises(VsaTfError, match="byte 0xf[ef] in line 1, as of UTF-16. Save the file as"):
        text_lines("\ufeffa dog\n".encode(encoding), "text")


def test_a_zip_is_called_so():
    with pytest.raises(VsaTfError, match="byte 0x8e in line 1, as of a zip. Save"):
        text_lines(b"PK\x03\x04\x14\x00\x8e\n", "text")


def test_a_table_keeps_its_line_ends_and_bytes():
    text = decode_text(b'\xef\xbb\xbfa,"b\r\nc"\r\n\xff')
    assert text == 'a,"b\r\nc"\r\n\udcff'
    assert text.encode("utf-8", "surrogateescape") == b'a,"b\r\nc"\r\n\xff'


def test_json_may_have_a_byte_order_mark(tmp_path):
    (tmp_path / "file.json").write_bytes(b'\xef\xbb\xbf{"a": [1]}')
    assert read_json(tmp_path / "file.json") == {"a": [1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not parse"),
        (b'{"a": ', "does not parse"),
        (b'"\xff"', "does not parse"),
        (b"1" * 5000, "does not parse"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_is_one_line(content, message):
    with pytest.raises(VsaTfError, match=f"Expected JSON in file.json.*{message}"):
        parse_json(content, "file.json")


@pytest.mark.parametrize(
    ("take", "reason"),
    [
        (lambda: {}["a"], "no entry 'a'"),
        (lambda: int(float("inf")), "cannot convert float infinity"),
        (lambda: float(10**400), "too large"),
        (lambda: [][0], "out of range"),
        (lambda: "\ud800".encode(), "surrogates not allowed"),
        (lambda: next(iter([].foo)), "no attribute 'foo'"),
    ],
)
def test_what_a_value_lacks_is_said(take, reason):
    with pytest.raises(NOT_AS_EXPECTED) as caught:
        take()
    assert reason in reason_of(caught.value)


def test_an_error_of_ours_is_told_anew_only_where_there_is_something_to_do():
    own, foreign = VsaTfError("line 3 is wrong"), OSError("gone")
    for error, then, told in (
        (own, "", "line 3 is wrong"),
        (own, ". Write it again", "a.json is damaged: line 3 is wrong. Write it again"),
        (foreign, "", "a.json is damaged: gone"),
    ):
        with pytest.raises(VsaTfError) as caught, told_as("a.json is damaged", then, (OSError,)):
            raise error
        assert str(caught.value) == told
    with pytest.raises(OSError, match="gone"), told_as("a.json is damaged"):
        raise foreign


def test_what_a_library_says_in_lines_is_one():
    assert reason_of(ValueError("no\n  network\n")) == "no network"
