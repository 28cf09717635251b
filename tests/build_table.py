"""BUILD, the table of what may import what, as Python reads it."""

import glob
import types

from tests.source_imports import ROOT

PATH = ROOT / "BUILD"


def read_build():
    """Runs BUILD, whose language is a part of Python's, with rules that note what they are told.

    Returns:
        A namespace: the tables `DEPS`, `OF_PROGRAMS`, `PROGRAMS`, `TESTS` and `HOUSE`, and
        `targets`, a dict of name to target with `rule`, `srcs`, `data`, `deps` (without the
        colon) and `attributes`.
    """
    targets = {}

    def rule(kind):
        def declare(name, srcs=(), data=(), deps=(), **attributes):
            assert name not in targets, f"BUILD has two targets {name}"
            assert all(dep.startswith(":") for dep in deps), f"{name}: dependencies are local"
            targets[name] = types.SimpleNamespace(
                rule=kind,
                srcs=list(srcs),
                data=list(data),
                deps=[dep[1:] for dep in deps],
                attributes=attributes,
            )

        return declare

    names = {kind: rule(kind) for kind in ("py_library", "py_binary", "py_test")}
    names |= {"__builtins__": {}, "True": True, "False": False, "list": list}
    names |= {"glob": _glob, "package": lambda **_: None}
    exec(compile(PATH.read_text(encoding="utf-8"), "BUILD", "exec"), names)
    tables = {name: names[name] for name in ("DEPS", "OF_PROGRAMS", "PROGRAMS", "TESTS", "HOUSE")}
    return types.SimpleNamespace(targets=targets, **tables)


def _glob(include, exclude=(), allow_empty=False):
    def found(patterns):
        return {
            path
            for pattern in patterns
            for path in glob.glob(pattern, root_dir=ROOT, recursive=True)
            if (ROOT / path).is_file()
        }

    paths = sorted(found(include) - found(exclude))
    assert paths or allow_empty, f"BUILD: no file is one of {include}"
    return paths
