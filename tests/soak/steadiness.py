"""What a process holds and how long its work takes, time and again; and whether that is steady."""

import hashlib
import os
import pathlib
import re
import statistics
import threading
import time
from typing import NamedTuple

# Of the last third of a soak over the first, by default.
_MEMORY_GROWTH = 0.05
_SLOWING = 1.5
# Of what is hashed to learn how busy the machine is, and the pause between two times.
_MEASURE_BYTES = 16 << 20
_MEASURE_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


class Held(NamedTuple):
    """What a process holds.

    Attributes:
        megabytes: resident memory.
        descriptors: open files, sockets among them.
        threads: how many.
    """

    megabytes: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, process):
        """Returns what the process of a number holds now."""
        folder = pathlib.Path(f"/proc/{process}")
        status = (folder / "status").read_text("utf-8")
        return cls(
            int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024,
            len(list((folder / "fd").iterdir())),
            len(list((folder / "task").iterdir())),
        )

    @classmethod
    def at_rest(cls, process, timeout=30):
        """Returns what it holds once its descriptors have not changed for three seconds."""
        deadline, since, held = time.monotonic() + timeout, time.monotonic(), cls.of(process)
        while time.monotonic() < min(since + 3, deadline):
            time.sleep(0.2)
            now = cls.of(process)
            if now.descriptors != held.descriptors:
                since = time.monotonic()
            held = now
        return held

    def __str__(self):
        return f"{self.megabytes:.0f} MB, {self.descriptors} descriptors, {self.threads} threads"


class Sample(NamedTuple):
    """A stretch of a soak.

    Attributes:
        held: `Held` at its end.
        number: of pieces of work done.
        median, slowest: seconds of one, and of the 99th of a hundred.
        processor: seconds of processors for one, of all that the process did meanwhile.
        measure: seconds of the measure in the same stretch, by which those of others are told from
            those of the work.
    """

    held: Held
    number: int
    median: float
    slowest: float
    processor: float
    measure: float


class _Measure(threading.Thread):
    """Does the same work time and again, which takes longer when others use the machine."""

    def __init__(self):
        super().__init__(daemon=True)
        self._lock, self._seconds, self._ended = threading.Lock(), [], threading.Event()

    def run(self):
        content = bytes(_MEASURE_BYTES)
        while not self._ended.is_set():
            started = time.monotonic()
            hashlib.sha256(content).digest()
            with self._lock:
                self._seconds.append(time.monotonic() - started)
            self._ended.wait(_MEASURE_SECONDS)

    def end(self):
        """Ends the thread."""
        self._ended.set()
        self.join()

    def take(self):
        """Returns the median of the seconds since the last call."""
        while not self._seconds:
            time.sleep(_MEASURE_SECONDS / 10)
        with self._lock:
            seconds, self._seconds = self._seconds, []
        return statistics.median(seconds)


class Watch:
    """Takes samples of a process, as a context: a thread measures the machine meanwhile.

    Args:
        process: its number.
        say: called with a line for each.
        work: what is timed, "request".
    """

    def __init__(self, process, say, work):
        self._process, self._say, self._work = process, say, work
        self._started, self._processor = time.monotonic(), self._processor_seconds()
        self._measure, self.samples = _Measure(), []

    def __enter__(self):
        self._measure.start()
        return self

    def __exit__(self, *_):
        self._measure.end()

    def _processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self._process}/stat").read_text("utf-8").rpartition(")")[2]
        return sum(map(int, fields.split()[11:13])) / _TICKS

    def take(self, seconds):
        """Takes one.

        Args:
            seconds: list of what each piece of work has taken since the last one.
        """
        before, self._processor = self._processor, self._processor_seconds()
        if not seconds:
            return
        hundredths = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
        sample = Sample(
            Held.of(self._process),
            len(seconds),
            statistics.median(seconds),
            hundredths[98],
            (self._processor - before) / len(seconds),
            self._measure.take(),
        )
        self.samples.append(sample)
        self._say(
            f"{time.monotonic() - self._started:6.0f} s: {sample.held}; {sample.number} "
            f"{self._work}s, median {1000 * sample.median:.0f} ms, 99 % within "
            f"{1000 * sample.slowest:.0f} ms, processor {1000 * sample.processor:.0f} ms each; "
            f"measure {1000 * sample.measure:.0f} ms"
        )

    def faults(self, memory_growth=_MEMORY_GROWTH, slowing=_SLOWING):
        """Compares the last third of the samples with the first; returns a list of str.

        Args:
            memory_growth: share by which the median of resident memory may grow.
            slowing: times that work may take as long as before, over what the measure takes; its
                99th of a hundred twice that.
        """
        third = len(self.samples) // 3
        if not third:
            return [f"expected three samples or more. Received: {len(self.samples)}"]
        first, last = self.samples[:third], self.samples[-third:]

        def compare(title, value, limit, unit):
            before, after = (statistics.median(map(value, part)) for part in (first, last))
            is_steady = after <= before * limit
            self._say(
                f"{title}: {before:.4g} {unit} in the first third, {after:.4g} in the last, "
                f"{after / before:.3f} times; {'ok' if is_steady else 'MORE'}, at most {limit:g}"
            )
            return [] if is_steady else [f"{title} grew from {before:.4g} to {after:.4g} {unit}"]

        return [
            *compare("memory", lambda each: each.held.megabytes, 1 + memory_growth, "MB"),
            *compare("median", lambda each: each.median / each.measure, slowing, "measures"),
            *compare("99 %", lambda each: each.slowest / each.measure, 2 * slowing, "measures"),
        ]

    def descriptor_faults(self):
        """Refuses more descriptors or threads at the end of the last third than in the first."""
        third = max(len(self.samples) // 3, 1)
        found = []
        for name in ("descriptors", "threads"):
            before, after = (
                max(getattr(sample.held, name) for sample in part)
                for part in (self.samples[:third], self.samples[-third:])
            )
            self._say(f"{name}: at most {before} in the first third, {after} in the last")
            if after > before:
                found.append(f"{name} grew from {before} to {after}")
        return found
