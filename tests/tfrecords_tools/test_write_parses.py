import io
import re

import pytest
from given_pipeline import chain_pipeline, spacy

from tfrecords_tools.conllu import ConlluFile, write_parses
from tfrecords_tools.progress import Progress

CAPTIONS = [
    ("a.jpg#0", "Dogs run fast"),
    ("a.jpg#1", "Two  dogs\n"),
    ("b.jpg#0", "Ein Café , offen"),
    ("c.jpg#0", "One"),
    ("c.jpg#1", ""),
]


def _write(path, captions=CAPTIONS, generator="chain 1", **options):
    return write_parses(captions, path, chain_pipeline(), generator, **options)


def _whole(tmp_path):
    path = tmp_path / "whole.conllu"
    assert _write(path) == 5
    return path.read_bytes()


def test_captions_become_parses_that_can_be_read(tmp_path):
    path = tmp_path / "parses.conllu"
    assert _write(path) == 5
    file = ConlluFile(path)
    assert [(parse.image, parse.caption_index, parse.relations) for parse in file] == [
        ("a.jpg", 0, (("dep", "Dogs", "run"), ("dep", "run", "fast"))),
        ("a.jpg", 1, (("dep", "Two", "dogs"),)),
        # The comma, and what hangs from it, are no relations.
        ("b.jpg", 0, (("dep", "Ein", "Café"),)),
        ("c.jpg", 0, ()),
    ]
    assert [(skipped.sentence_id, skipped.reason) for skipped in file.skipped] == [
        ("c.jpg#1", "it has no words")
    ]
    assert path.read_text(encoding="utf-8").startswith("# generator = chain 1\n")


def test_two_processes_write_the_same(tmp_path):
    path = tmp_path / "parses.conllu"
    _write(path, num_workers=2)
    assert path.read_bytes() == _whole(tmp_path)


def test_an_interrupted_run_goes_on_whatever_it_had_written(tmp_path):
    whole = _whole(tmp_path)
    path, partial = tmp_path / "parses.conllu", tmp_path / ".parses.conllu.partial"
    # Within the lines of each sentence, and about its end.
    ends = [end.end() for end in re.finditer(b"\n\n", whole)]
    for size in {0, len(whole), *(end - less for end in ends for less in (0, 1, 2, 9))}:
        partial.write_bytes(whole[:size])
        # Each sentence ends with a blank line, and so does nothing else.
        assert _write(path) == 5 - whole[:size].count(b"\n\n")
        assert path.read_bytes() == whole
        assert not partial.exists()
        path.unlink()


def test_a_complete_file_is_left_alone(tmp_path):
    path = tmp_path / "parses.conllu"
    _write(path)
    before = path.stat().st_mtime_ns
    assert _write(path) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["parses.conllu", ".parses.conllu.partial"])
def test_files_of_another_run_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(_whole(tmp_path))
    path = tmp_path / "parses.conllu"
    with pytest.raises(ValueError, match="begin with '# generator = chain 2'.*chain 1"):
        _write(path, generator="chain 2")
    with pytest.raises(ValueError, match="a file of other captions"):
        _write(path, captions=CAPTIONS[::-1])
    with pytest.raises(ValueError, match="a file of other captions"):
        _write(path, captions=CAPTIONS[:2])


def test_a_file_with_too_few_captions_is_refused(tmp_path):
    path = tmp_path / "parses.conllu"
    _write(path, captions=CAPTIONS[:3])
    with pytest.raises(ValueError, match="lacks captions: delete it"):
        _write(path)


def test_a_pipeline_without_a_parser_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a pipeline with a parser"):
        write_parses(CAPTIONS, tmp_path / "parses.conllu", spacy.blank("en"), "blank 1")


@pytest.mark.parametrize("num_done", [0, 1, 2, 5])
def test_progress_counts_images(tmp_path, num_done):
    whole = _whole(tmp_path)
    parts = whole.split(b"\n\n")[:num_done]
    (tmp_path / ".parses.conllu.partial").write_bytes(b"".join(part + b"\n\n" for part in parts))
    progress = Progress(3, stream=io.StringIO())
    _write(tmp_path / "parses.conllu", progress=progress)
    assert progress.done == 3
