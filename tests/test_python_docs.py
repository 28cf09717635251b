"""docs/python.md runs, block by block, and gives what its comments say."""

import ast
import contextlib
import io
import re
import tokenize

from PIL import Image

from tests.source_imports import ROOT

PAGE = ROOT / "docs" / "python.md"


def _blocks():
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def _comments(source):
    """Returns the comments of a text, dict of its line to the words behind the sign."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}


def _run(statement, namespace):
    """Runs one statement; returns what it printed or, of an expression, what its value is."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), PAGE.name, "eval"), namespace)
            return printed.getvalue() or repr(value)
        exec(compile(ast.Module([statement], []), PAGE.name, "exec"), namespace)
    return printed.getvalue()


def test_the_page_runs_and_gives_what_its_comments_say(tmp_path, monkeypatch):
    (tmp_path / "flags").symlink_to(ROOT / "flags")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # no Java: METEOR, which the page asks for once, takes seconds
    namespace, given, stated = {}, [], []
    for source in _blocks():
        comments = _comments(source)
        for statement in ast.parse(source).body:
            lines = range(statement.lineno, statement.end_lineno + 1)
            found = _run(statement, namespace)
            comment = " ".join(comments[line] for line in lines if line in comments)
            if comment:
                given.append(found.strip())
                stated.append(comment)
    assert given == stated
    assert len(stated) >= 10
    assert Image.open("aligned.png").width == 320
    assert (tmp_path / "pages" / "index.html").is_file()
    assert namespace["found"].sentence == namespace["sentence"]
    assert {hit.entry for hit in namespace["hits"]} <= {
        str(tmp_path / f"{number}.png") for number in range(8)
    }
    assert namespace["hits"][0].score >= namespace["hits"][-1].score
