"""Disturbs every program again and again, and tells what came of it: the long form of the tests.

    python -m tests.faults --rounds=17 [--programs=write,train] [--faults=kills] [--seed=0]

A round is one of each fault for each program, three kills among them. Prints a line for each, in
the end a table of how many there were, and ends with 1 where any went wrong.
"""

import argparse
import collections
import pathlib
import random
import shutil
import sys
import tempfile
import time

from tests.faults.faults import FAULTS, Undisturbed
from tests.faults.programs import PROGRAMS


def main():
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=17)
    parser.add_argument("--seed", type=int, default=0)
    for name, choices in (("programs", PROGRAMS), ("faults", FAULTS)):
        parser.add_argument(
            f"--{name}", default=",".join(choices), type=lambda text: text.split(",")
        )
    flags = parser.parse_args()
    rng, start, wrong = random.Random(flags.seed), time.monotonic(), collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, output = Undisturbed(pathlib.Path(folder)), pathlib.Path(folder) / "output"
        for number in range(flags.rounds):
            for name in flags.programs:
                for fault in flags.faults:
                    try:
                        FAULTS[fault](undisturbed, name, output, rng)
                        result = "ok"
                    # What a run has left may be of no form that can be compared.
                    except (AssertionError, LookupError, OSError, ValueError) as error:
                        result, wrong[name, fault] = f"WRONG: {error}", wrong[name, fault] + 1
                        shutil.rmtree(output, ignore_errors=True)
                    print(f"{time.monotonic() - start:7.0f} s {number} {name} {fault}: {result}")
    for name in flags.programs:
        counts = ", ".join(f"{fault} {wrong[name, fault]}" for fault in flags.faults)
        print(f"{name}, wrong of {flags.rounds}: {counts}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
