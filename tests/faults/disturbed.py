"""Runs a program on a machine that misbehaves.

    python -m tests.faults.disturbed [--file_bytes=N] [--clock=SECONDS] MODULE ARGUMENTS...

--file_bytes: no file can become larger, as on a disk that is full. --clock: at every second look
the time of day has gone on, or back, by so many seconds.
"""

import resource
import runpy
import sys
import time


def _limit_files(file_bytes):
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def _make_clock_jump(seconds):
    now, now_ns, looks = time.time, time.time_ns, [0]

    def shift():
        looks[0] += 1
        return seconds * (looks[0] % 2)

    time.time = lambda: now() + shift()
    time.time_ns = lambda: now_ns() + shift() * 10**9


_DISTURBANCES = {"--file_bytes": _limit_files, "--clock": _make_clock_jump}

if __name__ == "__main__":
    while sys.argv[1].startswith("--"):
        name, _, value = sys.argv.pop(1).partition("=")
        _DISTURBANCES[name](int(value))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
