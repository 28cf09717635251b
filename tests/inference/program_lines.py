"""Runs the programs that answer, in this process."""

import functools
import json
import runpy
import sys

from absl import flags


def program_lines(monkeypatch, capsys, name, *arguments):
    """Runs `python -m vsa_tf.NAME ARGUMENTS` with flags of its own.

    Args:
        monkeypatch, capsys: the fixtures.
        name: of the program.
        *arguments: of the command line.

    Returns:
        `(lines, errors)`: the JSON lines on its standard output, and what it said on the other or
        ended with, str.
    """
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        values = flags.FlagValues()
        patch.setattr(flags, "FLAGS", values)
        # Flags belong to the values that stood there when absl was imported.
        for define in (each for each in dir(flags) if each.startswith("DEFINE_")):
            own = functools.partial(getattr(flags, define), flag_values=values)
            patch.setattr(flags, define, own)
        patch.delitem(sys.modules, f"vsa_tf.{name}", raising=False)
        capsys.readouterr()
        ended = ""
        try:
            runpy.run_module(f"vsa_tf.{name}", run_name="__main__")
        except SystemExit as error:
            ended = str(error.code)
    written = capsys.readouterr()
    return [json.loads(line) for line in written.out.splitlines()], written.err + ended
