"""Serves and trains for a long time, and tells whether all stays as it was at first.

    python -m tests.soak [--minutes=30] [--only=server,training] [--saved_model=DIR] [--seed=0]

So many minutes each. Prints a line for each sample, in the end what was compared, and ends with 1
where anything was lost, wrong or grew. --saved_model serves an export in the place of small ones.
"""

import argparse
import os
import pathlib
import sys
import tempfile

from vsa_tf.program import print_line

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _server(flags, *arguments):
    from tests.soak.server_soak import soak_server

    return soak_server(*arguments, seed=flags.seed, saved_model=flags.saved_model)


def _training(flags, *arguments):
    from tests.soak.training_soak import soak_training

    return soak_training(*arguments, seed=flags.seed)


# TensorFlow is loaded by the one that needs it.
_PARTS = {"server": _server, "training": _training}


def main():
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--only", type=lambda text: text.split(","), default=",".join(_PARTS))
    parser.add_argument("--saved_model", help="directory of a SavedModel")
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    faults = []
    for name in flags.only:
        with tempfile.TemporaryDirectory() as folder:
            found = _PARTS[name](flags, pathlib.Path(folder), 60 * flags.minutes, print_line)
        print_line(f"{name}: {len(found)} faults")
        faults += [f"{name}: {fault}" for fault in found]
    for fault in faults:
        print_line(f"WRONG: {fault}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
