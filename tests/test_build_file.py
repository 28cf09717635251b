"""BUILD states the true dependencies: those that the imports of each target's sources need."""

import collections
import glob
import graphlib
import sys
import types

import pytest

from tests.source_imports import PACKAGES, ROOT, imported_names, module_name, source_files

# Installed packages whose import name is not the name of their target here.
_INSTALLED_AS = {"PIL": "pip_pillow", "google": "pip_protobuf"}
_RUNNER = "tests/run_tests.py"
_PROGRAMS = {
    "train": "vsa_tf/train.py",
    "evaluate": "vsa_tf/evaluate.py",
    "align": "vsa_tf/align.py",
    "caption": "vsa_tf/caption.py",
    "index": "vsa_tf/index.py",
    "localize": "vsa_tf/localize.py",
    "search": "vsa_tf/search.py",
    "export": "vsa_tf/export.py",
    "report": "vsa_tf/report.py",
    "serve": "vsa_tf/serve.py",
    "benchmark": "vsa_tf/benchmark.py",
    "table": "vsa_tf/table.py",
    "parse": "tfrecords_tools/parse.py",
    "write": "tfrecords_tools/write.py",
    "inspect": "tfrecords_tools/inspect.py",
    "add_dependencies": "tfrecords_tools/add_dependencies.py",
    "export_records": "tfrecords_tools/export.py",
}


def _glob(include, exclude=()):
    def found(patterns):
        return {
            path
            for pattern in patterns
            for path in glob.glob(pattern, root_dir=ROOT, recursive=True)
            if (ROOT / path).is_file()
        }

    return sorted(found(include) - found(exclude))


def _read_targets():
    """Runs BUILD, whose language is a part of Python's, with rules that note what they are told.

    Returns:
        Dict of name to target with `rule`, `srcs`, `deps` (without the colon) and `attributes`.
    """
    targets = {}

    def rule(kind):
        def declare(name, srcs=(), deps=(), **attributes):
            assert name not in targets, f"BUILD has two targets {name}"
            assert all(dep.startswith(":") for dep in deps), f"{name}: dependencies are local"
            targets[name] = types.SimpleNamespace(
                rule=kind, srcs=list(srcs), deps=[dep[1:] for dep in deps], attributes=attributes
            )

        return declare

    rules = {kind: rule(kind) for kind in ("py_library", "py_binary", "py_test")}
    ignored = {"package": lambda **_: None, "exports_files": lambda *_: None}
    text = (ROOT / "BUILD").read_text(encoding="utf-8")
    constants = {"__builtins__": {}, "True": True, "False": False, "glob": _glob}
    exec(compile(text, "BUILD", "exec"), constants | rules | ignored)
    return targets


_TARGETS = _read_targets()
_OWN_TARGETS = [name for name in _TARGETS if not name.startswith("pip_")]


def _owners():
    """Returns the target of each module; the runner, which every test target lists, has none."""
    return {
        module_name(ROOT / path): name
        for name, target in _TARGETS.items()
        for path in target.srcs
        if path != _RUNNER
    }


_OWNERS = _owners()


def _local_name(name, path):
    """Returns the module that an import means: pytest puts a test's directories on the path."""
    for directory in path.relative_to(ROOT).parents:
        local = ".".join((*directory.parts, name))
        if local in _OWNERS:
            return local
    return name


def _needed_deps(name):
    """Returns the targets of all that the sources import, and of the packages around them."""
    needed = set()
    for source in _TARGETS[name].srcs:
        path = ROOT / source
        imported = {_local_name(module, path) for module in imported_names(path)}
        for module in imported | {module_name(path)}:
            root = module.split(".")[0]
            if root in (*PACKAGES, "tests"):
                parts = module.split(".")
                loaded = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
                needed.update(_OWNERS[part] for part in loaded if part in _OWNERS)
            elif root not in sys.stdlib_module_names:
                needed.add(_INSTALLED_AS.get(root, f"pip_{root}"))
    return needed - {name}


@pytest.mark.parametrize("name", _OWN_TARGETS)
def test_dependencies_are_what_the_imports_need(name):
    deps = _TARGETS[name].deps
    assert len(deps) == len(set(deps)), f"{name} lists a dependency twice"
    needed = _needed_deps(name)
    assert set(deps) == needed, (
        f"Expected of {name} in BUILD: deps = {sorted(':' + dep for dep in needed)}"
    )


def test_every_source_file_is_in_one_target():
    files = {str(path.relative_to(ROOT)) for path in source_files().values()}
    files |= {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py")}
    counts = collections.Counter(
        path for target in _TARGETS.values() for path in target.srcs if path != _RUNNER
    )
    assert sorted(files - set(counts) - {_RUNNER}) == [], "in no target of BUILD"
    assert [path for path, count in counts.items() if count > 1] == [], "in several targets"


def test_sources_and_dependencies_exist():
    for name in _OWN_TARGETS:
        assert _TARGETS[name].srcs, f"{name} has no source"
        for path in _TARGETS[name].srcs:
            assert (ROOT / path).is_file(), f"{name}: {path}"
        for dep in _TARGETS[name].deps:
            assert dep in _TARGETS, f"{name}: {dep}"


def test_dependencies_have_no_circle():
    graph = {name: target.deps for name, target in _TARGETS.items()}
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_installed_packages_are_used():
    used = {dep for target in _TARGETS.values() for dep in target.deps}
    assert [name for name in _TARGETS if name.startswith("pip_") and name not in used] == []


def test_each_program_is_a_binary():
    binaries = {
        name: target.attributes["main"]
        for name, target in _TARGETS.items()
        if target.rule == "py_binary"
    }
    assert binaries == _PROGRAMS
    assert all(main in _TARGETS[name].srcs for name, main in binaries.items())


def test_no_target_depends_on_a_program_or_test_but_tests():
    for name, target in _TARGETS.items():
        of_tests = target.rule == "py_test" or target.attributes.get("testonly")
        for dep in (_TARGETS[dep] for dep in target.deps):
            assert dep.rule != "py_test", name
            assert of_tests or dep.rule == "py_library" and not dep.attributes.get("testonly"), name
