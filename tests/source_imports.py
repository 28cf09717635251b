"""What the project's source files import, read from their text."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGES = ("vsa_tf", "tfrecords_tools")


def module_name(path):
    """Returns the dotted name of a source file, `vsa_tf.text` of vsa_tf/text/__init__.py."""
    parts = pathlib.Path(path).resolve().relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def source_files():
    """Returns the files of both packages, a dict of module name to path."""
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {module_name(path): path for path in sorted(paths)}


def imported_names(path, in_functions=True):
    """Returns every module that a file imports, a set of dotted names.

    Of `from package import name` it is `package.name` where that is a module of the project or of
    its tests, else `package`. What functions of the file import counts, unless `in_functions` is
    False.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    if not in_functions:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"Expected absolute imports. Received: {path}:{node.lineno}")
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                names.add(name if _is_source(name) else node.module)
    return names


def _is_source(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.joinpath("__init__.py").is_file()
