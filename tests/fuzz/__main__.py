"""Damages the files of every reader again and again: the long form of tests/test_fuzz.py.

    python -m tests.fuzz --mutations=1000000 [--readers=csv,zip] [--seed=0] [--kept=DIR]
    python -m tests.fuzz --replay=DIR/csv-17

Prints a line for each reader and, under it, for each fault of another place where it was found;
ends with 1 where there was any. What led to a fault is kept in --kept, a folder each, which
--replay reads again with its traceback. Faults: an error that is not the project's own, more than
five seconds, more than 512 MiB above the start, an end of the process, and, of what carries
checksums, another result than the sound file's.
"""

import argparse
import pathlib
import sys

from tests.fuzz import reader as fuzz
from tests.fuzz.readers import READERS
from tests.fuzz.workers import try_reader

# Of the mutations of a reader that takes long.
_SLOW_SHARE = 0.01
_SHOWN = 20


def main():
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=1_000_000, help="over all readers")
    parser.add_argument("--readers", type=lambda text: text.split(","), default=list(READERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation")
    parser.add_argument("--kept", default="fuzz_failures", help="directory of what led to faults")
    parser.add_argument("--replay", type=pathlib.Path, help="a folder of --kept to read again")
    flags = parser.parse_args()
    if flags.replay:
        print(READERS[flags.replay.name.rpartition("-")[0]].read(flags.replay))
        return 0
    readers = [READERS[name] for name in flags.readers]
    shares = [_SLOW_SHARE if reader.is_slow else 1.0 for reader in readers]
    total, is_wrong = 0, False
    print(f"{'reader':22}{'tried':>9}" + "".join(f"{kind:>16}" for kind in fuzz.OUTCOMES), end="")
    print(f"{'MiB':>6}{'ms each':>9}")
    for reader, share in zip(readers, shares):
        count = max(1, round(flags.mutations * share / sum(shares)))
        trial = try_reader(reader, range(flags.first, flags.first + count), flags.seed, flags.kept)
        total += count
        is_wrong |= bool(trial.failures)
        counts = "".join(f"{trial.outcomes[kind]:16}" for kind in fuzz.OUTCOMES)
        each = 1000 * trial.seconds / count
        print(f"{reader.name:22}{count:9}{counts}{trial.kib >> 10:6}{each:9.1f}", flush=True)
        places = {line.partition(": ")[2].rpartition(" at ")[2]: line for line in trial.failures}
        for line in list(places.values())[:_SHOWN]:
            print(f"    {line}")
    print(f"{total} mutations of {len(readers)} readers: {'FAULTS' if is_wrong else 'no fault'}")
    return int(is_wrong)


if __name__ == "__main__":
    sys.exit(main())
