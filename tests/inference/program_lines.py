"""Runs the programs that answer, in this process."""

import contextlib
import functools
import json
import runpy
import sys

import pytest
from absl import flags

from vsa_tf.inference.model_source import ModelSource


@contextlib.contextmanager
def models_opened_once():
    """Opens a model of the same source and settings once: it takes a second, and the first answer.

    Those that draw are opened each time: they would go on where they were.
    """
    open_anew, open_once = ModelSource._open, functools.cache(ModelSource._open)

    def open_model(source, settings, num_photographs):
        # Of any number: what is done for a few would be done to all that this process opens.
        del num_photographs
        draws = settings is not None and settings.sample
        return (open_anew if draws else open_once)(source, settings, None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelSource, "_open", open_model)
        yield


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
