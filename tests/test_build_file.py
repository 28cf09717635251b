"""BUILD's targets follow from its tables: every file in one, with what its imports need."""

import ast
import collections
import sys

from tests.build_table import PATH, read_build
from tests.source_imports import ROOT, imported_names, module_name, source_files

_RUNNER = "tests/run_tests.py"
_BUILD = read_build()
_TARGETS = _BUILD.targets
_ROWS = _BUILD.DEPS | _BUILD.PROGRAMS
_TESTS = _BUILD.HOUSE | {
    f"{row.removeprefix('vsa_tf.')}_tests": deps for row, deps in _BUILD.TESTS.items()
}
_OWNERS = {module_name(ROOT / path): name for name in _TARGETS for path in _TARGETS[name].srcs}


def _relative(paths):
    return {str(path.relative_to(ROOT)) for path in paths}


def _dependency(name, path):
    """Returns the target of what a test's file imports; the name itself where there is none."""
    for directory in path.relative_to(ROOT).parents:  # pytest puts a test's on the path
        local = ".".join((*directory.parts, name))
        if local in _OWNERS:
            return _OWNERS[local]
    installed = (dep for dep in _TARGETS if dep not in _ROWS and f"{name}.".startswith(f"{dep}."))
    return next(installed, name)


def test_bazel_reads_it_as_python_does():
    tree = ast.parse(PATH.read_text(encoding="utf-8"))
    assert {type(node) for node in tree.body} == {ast.Assign, ast.Expr}
    for table in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        keys = [ast.literal_eval(key) for key in table.keys]
        assert [key for key, count in collections.Counter(keys).items() if count > 1] == []


def test_every_file_is_in_one_target():
    files = _relative(source_files().values()) | _relative((ROOT / "tests").rglob("*.py"))
    counts = collections.Counter(path for name in _TARGETS for path in _TARGETS[name].srcs)
    assert counts.pop(_RUNNER) == len(_TESTS) - 1  # of each target of tests, not of their support
    assert sorted((files - {_RUNNER}) ^ set(counts)) == [], "in no target of BUILD, or no file"
    assert [path for path, count in counts.items() if count > 1] == [], "in several targets"
    assert all(path.endswith("/__init__.py") for path in _TARGETS["packages"].srcs)
    pages = _relative((ROOT / "vsa_tf").glob("*/static/*"))
    assert pages == {path for row in _BUILD.DEPS for path in _TARGETS[row].data}


def test_libraries_and_programs_depend_on_what_their_rows_name():
    for row, deps in _ROWS.items():
        of_programs = _BUILD.OF_PROGRAMS if row in _BUILD.PROGRAMS else ()
        assert sorted(_TARGETS[row].deps) == sorted(["packages", *of_programs, *deps]), row
    assert not any(_TARGETS[name].deps for name in set(_TARGETS) - set(_ROWS) - set(_TESTS))


def test_tests_depend_on_what_they_import():
    for name in _TESTS:
        deps = _TARGETS[name].deps
        assert len(deps) == len(set(deps)), f"{name} of BUILD names a dependency twice"
        tested = set(deps) - set(_TESTS[name])
        given = {name}.union(tested, *(_BUILD.DEPS.get(row, ()) for row in tested))
        paths = [ROOT / path for path in _TARGETS[name].srcs]
        imports = [(module, path) for path in paths for module in imported_names(path)]
        needed = {
            _dependency(module, path)
            for module, path in imports
            if module.split(".")[0] not in sys.stdlib_module_names
        }
        expected = sorted(needed - given)
        assert sorted(_TESTS[name]) == expected, f"{name}: expected in BUILD: {expected}"


def test_programs_are_binaries():
    files = source_files().items()
    programs = {name for name, path in files if "\nif __name__ == " in path.read_text("utf-8")}
    assert programs == set(_BUILD.PROGRAMS)
    for name in programs:
        assert _TARGETS[name].rule == "py_binary"
        assert [_TARGETS[name].attributes["main"]] == _TARGETS[name].srcs
        assert _OWNERS[name] == name


def test_nothing_but_tests_depends_on_a_program_or_test():
    for name in set(_TARGETS) - set(_TESTS):
        for dep in _TARGETS[name].deps:
            assert _TARGETS[dep].rule == "py_library" and dep != "test_support", name


def test_each_test_file_is_run():
    run = set()
    for target in (target for target in _TARGETS.values() if target.rule == "py_test"):
        assert target.attributes["main"] == _RUNNER
        folders = tuple(target.attributes["args"])
        run.update(path for path in target.srcs if path.startswith(folders))
    assert run == _relative((ROOT / "tests").rglob("test_*.py"))
