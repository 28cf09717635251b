"""Damages files at random, and says whether an error is one of this project's own.

`python -m tests.damaged_files COUNT [NAME...]` damages each file of each reader COUNT times, and
prints what came of it: anything but an error of this project's own is shown and ends with 1.
"""

import collections
import json
import linecache
import pathlib
import random
import sys
import tempfile
import traceback
import warnings

from tests.foreign_files import READERS

_ROOT = pathlib.Path(__file__).parents[1]
_OURS = (str(_ROOT / "vsa_tf"), str(_ROOT / "tfrecords_tools"))
# Of a mutation of JSON: what other programs write, and what no reader counts on.
_VALUES = (
    float("inf"),
    float("-inf"),
    float("nan"),
    10**400,
    -(10**20),
    -1,
    1.5,
    1e300,
    True,
    None,
    "",
    "\ud800",
    "a\udcff\x00b",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
)
_HEADERS = (
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (2**62, 2**62),
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': 5, }",
    b"{'descr': '<f4', 'fortran_order': 1, 'shape': (1e999,), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
    b"{'descr': '<f99', 'fortran_order': False, 'shape': (2, 3), }",
    b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    b"{'descr': '<f4', 'shape': (2, 3), }",
    b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3",
    b"(" * 300,
    b"'''",
    b"\x00\xff",
)


def files_of(reader, folder):
    """Returns the paths of the files of a sample that are damaged."""
    found = {path for pattern in reader.files for path in folder.glob(pattern)}
    return sorted(path for path in found if path.is_file() and path.suffix != ".jpg")


def damaged(data, name, rng):
    """Returns the bytes of a file otherwise than they were, at random."""
    kinds = [_flip, _flip, _cut, _double, _insert, _nest]
    if name.endswith(".json"):
        kinds += [_change_json] * 6
    if name.endswith((".npy", ".npz")):
        kinds += [_change_header] * 4
    return rng.choice(kinds)(data, rng)


def _flip(data, rng):
    data = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(data, rng):
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return rng.choice((data[:first], data[first:last], data[:first] + data[last:], b""))


def _double(data, rng):
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:last] + data[first:]


def _insert(data, rng):
    place = rng.randrange(len(data) + 1)
    what = (b"\xef\xbb\xbf", b"\x00", b"\xff", b"\r", b"\x0c", b"\xe2\x80\xa8", b"#", b"\t", b"-1")
    return data[:place] + rng.choice((*what, b"1e999", b"9" * 5000, b"\xed\xa0\x80")) + data[place:]


def _nest(data, rng):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice((b"[", b'{"a":', b"<a>", b"(")) * 20_000 + data[place:]


def _change_json(data, rng):
    content = json.loads(data)
    holder, key = [content], 0
    while isinstance(holder[key], dict | list) and holder[key] and rng.random() > 0.15:
        holder = holder[key]
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    if rng.random() < 0.15:
        del holder[key]
    elif rng.random() < 0.1:
        deep = []
        for _ in range(rng.choice((50, 900))):
            deep = [deep]
        holder[key] = deep
    else:
        holder[key] = rng.choice(_VALUES)
    return json.dumps(content).encode()


def _change_header(data, rng):
    start = data.find(b"{'descr'")
    end = data.find(b"\n", start)
    if start < 0 or end < 0:
        return data[:-1]
    header = rng.choice(_HEADERS).ljust(end - start)
    return data[:start] + header + data[end:]


def outcome(read):
    """Returns `read`, or `refused` where this project raised the error.

    Raises:
        Exception: whatever else was raised.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of headers that Python 2 wrote
            read()
        return "read"
    except Exception as error:
        if not _is_ours(error):
            raise
        return "refused"


def _is_ours(error):
    """Whether a statement of this project raised it, with a message of one line."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(frame.filename, frame.lineno).strip()
    if isinstance(error, FileNotFoundError | IsADirectoryError) and error.filename:
        return True
    is_raised = frame.filename.startswith(_OURS) and line.startswith("raise")
    return is_raised and isinstance(error, OSError | ValueError) and len(str(error)) > 20


def main(count, names):
    """Damages files at random and prints the outcomes."""
    failures = 0
    for reader in READERS:
        if names and reader.name not in names:
            continue
        outcomes = collections.Counter()
        shown = set()
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            reader.write(folder)
            reader.read(folder)
            rng = random.Random(0)
            for path in files_of(reader, folder):
                whole = path.read_bytes()
                for _ in range(count):
                    path.write_bytes(damaged(whole, path.name, rng))
                    try:
                        outcomes[outcome(lambda: reader.read(folder))] += 1
                    except Exception as error:
                        outcomes["other"] += 1
                        frames = traceback.extract_tb(error.__traceback__)
                        where = f"{type(error).__name__} {frames[-1].filename}:{frames[-1].lineno}"
                        if where not in shown:
                            shown.add(where)
                            ours = [
                                f"{f.filename}:{f.lineno}"
                                for f in frames
                                if f.filename.startswith(_OURS)
                            ]
                            print(f"  {path.name}: {where} {str(error)[:100]} by {ours[-1:]}")
                path.write_bytes(whole)
        failures += outcomes["other"]
        print(reader.name, dict(outcomes), flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(bool(main(int(sys.argv[1]), sys.argv[2:])))
