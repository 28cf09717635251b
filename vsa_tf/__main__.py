"""Runs the program that is named first, and lists them all where none is.

vsa PROGRAM --flag=value ...
"""

import ast
import pathlib
import runpy
import sys

from vsa_tf import program
from vsa_tf.errors import meant

_PROGRAMS = {
    "write": "tfrecords_tools.write",
    "inspect": "tfrecords_tools.inspect",
    "parse": "tfrecords_tools.parse",
    "add_dependencies": "tfrecords_tools.add_dependencies",
    "export_records": "tfrecords_tools.export",
    "export_detector": "tfrecords_tools.export_detector",
    "train": "vsa_tf.train",
    "evaluate": "vsa_tf.evaluate",
    "table": "vsa_tf.table",
    "report": "vsa_tf.report",
    "export": "vsa_tf.export",
    "serve": "vsa_tf.serve",
    "align": "vsa_tf.align",
    "localize": "vsa_tf.localize",
    "caption": "vsa_tf.caption",
    "score_captions": "vsa_tf.score_captions",
    "rerank": "vsa_tf.rerank",
    "embed": "vsa_tf.embed",
    "index": "vsa_tf.index",
    "search": "vsa_tf.search",
    "benchmark": "vsa_tf.benchmark",
}


def main():
    """Runs `sys.argv`: what the command `vsa` and `python -m vsa_tf` do."""
    name, *arguments = sys.argv[1:] or [""]
    if not name or name.startswith("-"):
        program.run(_print_programs, __doc__)
        return
    module = _PROGRAMS.get(name.replace("-", "_"))
    if module is None:
        sys.exit(f"error: there is no program {name}{meant(name, _PROGRAMS)}")
    sys.argv[1:] = arguments
    # As `python -m MODULE` does, so that processes of workers find it, too.
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _print_programs():
    root = pathlib.Path(__file__).resolve().parent.parent
    for command, module in _PROGRAMS.items():
        source = (root / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        summary = ast.get_docstring(ast.parse(source)).partition("\n")[0]
        print(f"vsa {command:16} {summary}")
    print("\nEach says more with --help. `vsa train` is `python -m vsa_tf.train`, and so on.")


if __name__ == "__main__":
    main()
