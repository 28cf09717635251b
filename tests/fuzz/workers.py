"""Mutations tried in a process of their own, which may hang, end, or ask for all the memory."""

import collections
import dataclasses
import mmap
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import tempfile
import time
import traceback

from tests.fuzz import reader as fuzz
from tests.fuzz.mutations import damaged

# Of one mutation: of the processor's time; of the clock, where it waits for what never comes, and
# where C does not come back to Python.
SECONDS, WAITED_SECONDS = 5, 60
# Before the first: TensorFlow is imported, on a machine that may be loaded.
_START_SECONDS = 600
MEMORY_BYTES = 512 << 20
# The mutation that is tried, or that none is yet; KiB above the start; how many were read, and
# refused, before it.
_NOTE = struct.Struct("<qqqq")
_STARTS = -1


class _Hang(BaseException):
    """Five seconds have passed. No `except Exception` takes it."""


@dataclasses.dataclass
class Trial:
    """What came of the mutations of a reader.

    Attributes:
        outcomes: Counter of `OUTCOMES`.
        kib: memory at its highest, above what the process had at the start.
        seconds: that the mutations took.
        failures: list of one line each, of every fault of another kind or place.
    """

    outcomes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    kib: int = 0
    seconds: float = 0.0
    failures: list = dataclasses.field(default_factory=list)


def mutate(reader, folder, whole, number, seed):
    """Damages a file of a sound sample as the mutation of that number does.

    Args:
        reader: the `Reader`.
        folder: of the sample.
        whole: dict of the paths of its files to their bytes.
        number: of the mutation. With odd ones checksums may fit.
        seed: int.

    Returns:
        `(path, is_forged)`.
    """
    rng = random.Random(f"{seed} {reader.name} {number}")
    path = rng.choice(list(whole))
    is_forged = not reader.is_checked or number % 2 == 1
    path.write_bytes(damaged(whole[path], path.name, rng, is_forged))
    return path, is_forged


def try_reader(reader, numbers, seed, kept):
    """Tries mutations of a reader, in processes that are started again after a fault.

    Args:
        reader: the `Reader`.
        numbers: range of mutations.
        seed: int.
        kept: directory that samples which led to faults are copied to.

    Returns:
        A `Trial`.
    """
    trial, start, first = Trial(), time.monotonic(), numbers.start
    with tempfile.TemporaryDirectory() as place:
        while first < numbers.stop:
            first = _run(reader, range(first, numbers.stop), seed, kept, trial, pathlib.Path(place))
    trial.seconds = time.monotonic() - start
    return trial


def _run(reader, numbers, seed, kept, trial, place):
    """Runs a process as far as it comes; returns the mutation that is next."""
    note, results = mmap.mmap(-1, _NOTE.size), place / "results"
    note[:] = _NOTE.pack(_STARTS, 0, 0, 0)
    results.write_bytes(b"")
    process = os.fork()
    if not process:
        status = 1
        try:
            _child(reader, numbers, seed, kept, note, results, place / "sample")
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    status, is_killed = _wait(process, note)
    number, kib, num_read, num_refused = _NOTE.unpack(note)
    trial.outcomes.update({fuzz.READ: num_read, fuzz.REFUSED: num_refused})
    trial.kib = max(trial.kib, kib)
    noted = [line.split("\t", 2) for line in results.read_text().splitlines()]
    for line in noted:
        _add_failure(trial, *line)
    if status == 0 and not is_killed:
        return numbers.stop
    if str(number) in [each for _, each, _ in noted]:
        return number + 1
    if os.WIFEXITED(status) or number == _STARTS:
        raise RuntimeError(f"the fuzzer itself failed at {reader.name}, mutation {number}")
    kind = fuzz.HANG if is_killed else fuzz.ENDED
    _keep(reader, place / "sample", number, kept)
    _add_failure(trial, kind, number, f"the process ended as {status}")
    return number + 1


def _add_failure(trial, kind, number, message):
    trial.outcomes[kind] += 1
    trial.failures.append(f"{kind}, mutation {number}: {message}")


def _wait(process, note):
    """Waits for a process; returns its status, and whether it hung and was killed."""
    last, changed = note[:], time.monotonic()
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status, False
        if note[:] != last:
            last, changed = note[:], time.monotonic()
        elif time.monotonic() - changed > (
            _START_SECONDS if _NOTE.unpack(last)[0] == _STARTS else WAITED_SECONDS
        ):
            os.kill(process, signal.SIGKILL)
            return os.waitpid(process, 0)[1], True
        time.sleep(0.02)


def _child(reader, numbers, seed, kept, note, results, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    reader.write(folder)
    whole = {path: path.read_bytes() for path in reader.paths(folder)}
    expected = repr(reader.read(folder))
    assert repr(reader.read(folder)) == expected, "a sound sample is read in two ways"
    outcomes, start, kib = collections.Counter(), _memory("VmRSS"), 0
    if not reader.is_slow:  # TensorFlow reserves more than it takes
        bytes_ = 1024 * _memory("VmSize") + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_))
    signal.signal(signal.SIGPROF, _raise_hang)
    with open(results, "a", buffering=1) as lines:
        for number in numbers:
            path, is_forged = mutate(reader, folder, whole, number, seed)
            kib = max(kib, _memory("VmHWM") - start)
            note[:] = _NOTE.pack(number, kib, outcomes[fuzz.READ], outcomes[fuzz.REFUSED])
            kind, message = _try(reader, folder, None if is_forged else expected)
            if _memory("VmHWM") - start > MEMORY_BYTES >> 10:
                kind, message = fuzz.MEMORY, f"{(_memory('VmHWM') - start) >> 10} MiB"
                pathlib.Path("/proc/self/clear_refs").write_text("5")
            outcomes[kind] += 1
            if kind in fuzz.FAULTS:
                _keep(reader, folder, number, kept)
                lines.write(f"{kind}\t{number}\t{path.name}: {' '.join(message.split())}\n")
            path.write_bytes(whole[path])
            found = {path for path in reader.paths(folder)} - whole.keys()
            for path in found:  # what a reader mended or made
                path.unlink()
        kib = max(kib, _memory("VmHWM") - start)
        note[:] = _NOTE.pack(numbers.stop, kib, outcomes[fuzz.READ], outcomes[fuzz.REFUSED])


def _try(reader, folder, expected):
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return fuzz.outcome(lambda: reader.read(folder), expected), "other than the sound one's"
    except fuzz.ForeignError as error:
        return fuzz.FOREIGN, str(error)
    except MemoryError as error:
        return fuzz.MEMORY, str(error)
    except _Hang as error:
        return fuzz.HANG, traceback.format_exception(error)[-2]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _raise_hang(*_):
    raise _Hang


def _keep(reader, folder, number, kept):
    target = pathlib.Path(kept) / f"{reader.name}-{number}"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)


def _memory(name):
    """Returns a number of this process's memory, in KiB."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0])
