"""What docs and docstrings name is there: modules, files, and the equations of the papers."""

import ast
import re
import subprocess

import pytest

from tests.source_imports import ROOT, source_files

_EQUATIONS = ROOT / "docs" / "equations.md"
_ARCHITECTURE = ROOT / "docs" / "architecture.md"
_TREES = {
    module: ast.parse(path.read_text("utf-8"), str(path)) for module, path in source_files().items()
}
# "D eq. 4, 5 and 14", "M 5", "D 10 to 12": a paper's letter and its equations.
_NUMBERS = r"(\d+(?:(?:, | and | to )\d+)*)"


def _numbers(text):
    """Returns the numbers that a citation gives, `10 to 12` and `4, 5 and 14` alike."""
    found = []
    for word in re.findall(r"\d+|to", text):
        if word == "to":
            continue
        first = found[-1] + 1 if found and f"{found[-1]} to {word}" in text else int(word)
        found.extend(range(first, int(word) + 1))
    return found


def _cited(pattern, text):
    text = " ".join(text.split())
    found = re.findall(pattern, text)
    return {(paper, number) for paper, numbers in found for number in _numbers(numbers)}


def _defined(tree):
    """Returns what a module defines: functions, classes, variables, arguments, and its words."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)
    return names


def _exists(name):
    """Returns whether a dotted name is a module of ours, or begins with what one defines."""
    if name in _TREES:
        return True
    module, _, attribute = name.rpartition(".")
    while module.count(".") and module not in _TREES:
        module, _, attribute = module.rpartition(".")
    if module == "vsa_tf.models":  # its classes are loaded when they are first used
        return any(attribute in _defined(tree) for each, tree in _TREES.items() if module in each)
    return bool(module) and module in _TREES and attribute in _defined(_TREES[module])


def test_citations_are_read():
    cited = _cited(rf"([DM]) eq\. {_NUMBERS}", "D eq. 4, 5 and 14, M\neq. 10 to 12")
    assert cited == {("D", 4), ("D", 5), ("D", 14), ("M", 10), ("M", 11), ("M", 12)}


def test_each_equation_of_the_page_has_a_docstring_with_its_number():
    page = re.findall(r"\\text\{\(([^)]*\d)\)\}", _EQUATIONS.read_text("utf-8"))
    stated = set().union(*(_cited(rf"([DMTF]) {_NUMBERS}(?!\.?\d)", text) for text in page))
    docstrings = [
        ast.get_docstring(node) or ""
        for tree in _TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    cited = set().union(*(_cited(rf"([DMTF]) eq\. {_NUMBERS}", text) for text in docstrings))
    assert len(stated) > 25
    assert sorted(stated - cited) == [], "Expected in a docstring, as D eq. 8"
    named = _cited(rf"\b([DMTF]) {_NUMBERS}(?!\.?\d)", _EQUATIONS.read_text("utf-8"))
    assert sorted(cited - named) == [], "Expected in docs/equations.md, as D 8"


@pytest.mark.parametrize("page", [_EQUATIONS, _ARCHITECTURE], ids=lambda page: page.name)
def test_names_in_the_page_are_in_the_code(page):
    names = re.findall(r"`([A-Za-z_][\w./]*)`", page.read_text("utf-8"))
    known = {part for module in _TREES for part in module.split(".")}.union(
        *map(_defined, _TREES.values())
    )
    known |= {path.name for path in ROOT.glob("*")}
    folders = (ROOT, ROOT / "vsa_tf", ROOT / "vsa_tf" / "models")
    assert len(names) > 40
    missing = [
        name
        for name in names
        if not known.issuperset(name.split("."))
        and name not in known
        and not any((folder / name).exists() for folder in folders)
    ]
    assert missing == []


def test_modules_and_files_that_any_text_names_are_there():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no checkout: git does not list its files")
    paths = [
        ROOT / path for path in listed.stdout.split() if path.endswith((".py", ".md", ".flags"))
    ]
    missing = []
    for path in paths:
        text = path.read_text("utf-8")
        dotted = re.findall(
            r"(?<![\w./-])(?:vsa_tf|tfrecords_tools)(?:\.[a-z_]\w*)+(?![\w{])", text
        )
        missing += [(path.name, name) for name in dotted if not _exists(name)]
        slashed = re.findall(
            r"(?<![\w./-])(?:vsa_tf|tfrecords_tools|tests|docs|flags|benchmarks)/[\w/.]*\.\w+(?![\w{])",
            text,
        )
        # NAME stands for any, `nowhere` for none.
        named = (name for name in slashed if not re.search(r"/(NAME|nowhere)\.", name))
        missing += [(path.name, name) for name in named if not (ROOT / name).exists()]
    assert len(paths) > 300
    assert missing == []
