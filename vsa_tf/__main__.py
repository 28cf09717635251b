"""Lists the programs, a line each."""

import ast
import pathlib
import sys

from vsa_tf import program

_PROGRAMS = {
    "tfrecords_tools": ("write", "inspect", "parse", "add_dependencies", "export"),
    "vsa_tf": (
        "train",
        "evaluate",
        "table",
        "report",
        "export",
        "serve",
        "align",
        "localize",
        "caption",
        "index",
        "search",
        "benchmark",
    ),
}


def programs():
    """Returns the programs as lines of text, each with the first line of its docstring."""
    root = pathlib.Path(__file__).resolve().parent.parent
    for package, names in _PROGRAMS.items():
        for name in names:
            source = (root / package / f"{name}.py").read_text(encoding="utf-8")
            summary = ast.get_docstring(ast.parse(source)).partition("\n")[0]
            command = f"python -m {package}.{name}"
            yield f"{command:42} {summary}"


def main():
    print("\n".join(programs()))
    print("\nEach says more with --help.")


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        sys.exit(f"error: python -m vsa_tf takes no {sys.argv[1]}: python -m vsa_tf.{sys.argv[1]}")
    program.run(main, __doc__)
