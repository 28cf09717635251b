"""What the long form, `python -m tests.soak`, calls steady.

Its load is in tests/server/test_under_load.py for a few seconds; that training stops as it should
is in tests/training/test_stopping.py.
"""

import os
import threading

import pytest

from tests.soak.steadiness import Held, Sample, Watch


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def _faults(watch, **last):
    """Six samples, of which the last two differ from the others."""
    steady = {"megabytes": 500.0, "descriptors": 30, "threads": 20}
    times = {"number": 10, "median": 0.02, "slowest": 0.2, "processor": 0.01, "measure": 0.01}

    def sample(**values):
        values = {**steady, **times, **values}
        held = Held(*(values[name] for name in steady))
        return Sample(held, *(values[name] for name in times))

    watch.samples = [sample()] * 4 + [sample(**last)] * 2
    return watch.faults() + watch.descriptor_faults()


@pytest.mark.parametrize(
    ("last", "fault"),
    [
        ({"megabytes": 526.0}, "memory grew from 500 to 526 MB"),
        ({"median": 0.031}, "median grew from 2 to 3.1 measures"),
        ({"slowest": 0.61}, "99 % grew from 20 to 61 measures"),
        ({"descriptors": 31}, "descriptors grew from 30 to 31"),
        ({"threads": 21}, "threads grew from 20 to 21"),
    ],
)
def test_what_grows_is_a_fault(last, fault):
    lines = []
    assert _faults(Watch(os.getpid(), lines.append, "request"), **last) == [fault]
    assert len(lines) == 5


def test_what_stays_or_becomes_less_is_none():
    watch = Watch(os.getpid(), lambda line: None, "request")
    assert _faults(watch, megabytes=524.0, median=0.029, slowest=0.59) == []
    assert _faults(watch, megabytes=400.0, median=0.01, descriptors=10, threads=10) == []
    # All of the machine is slower.
    assert _faults(watch, median=0.2, slowest=2.0, measure=0.1) == []


def test_a_sample_is_of_the_process_and_of_its_work():
    lines = []
    with Watch(os.getpid(), lines.append, "request") as watch:
        held = bytearray(64 << 20)
        held[:: 1 << 12] = b"1" * (1 << 14)
        with open(os.devnull, "rb"):
            watch.take([0.001] * 98 + [1.0, 2.0])
        del held
        watch.take([0.001])
        watch.take([])  # nothing was done: nothing is told
    first, second = watch.samples
    assert 50 < first.held.megabytes - second.held.megabytes < 80
    assert first.held.descriptors == second.held.descriptors + 1
    assert (first.median, first.number) == (0.001, 100) and 1 < first.slowest <= 2
    assert "100 requests, median 1 ms" in lines[0] and len(lines) == 2
