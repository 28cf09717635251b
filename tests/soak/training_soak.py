"""Training that goes on and on, with an evaluation and a checkpoint every few steps."""

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np

from tests.faults.programs import PROGRAMS
from tests.soak.steadiness import Watch
from tests.source_imports import ROOT

_NUM_SAMPLES = 60
_LEAST_SECONDS = 2
_WARM_UP = 0.1
_START_SECONDS = 600
# One step, and a checkpoint; an evaluation where one has begun.
_STOP_SECONDS = 60
# More than are ever trained.
_NUM_EPOCHS = 10**6
_STOPPED = re.compile(r"interrupted: stopped at step (\d+); the same command goes on from there")
# The code of a program that tells in its last line why it has ended.
_TOLD = 1


def soak_training(folder, seconds, say, seed=0):
    """Trains, stops the run by SIGTERM, goes on with it, and tells what went wrong.

    Args:
        folder: a `pathlib.Path`, an empty directory.
        seconds: of training, after a warm-up of a tenth of it.
        say: called with each line.
        seed: of the moment at which the run is stopped.

    Returns:
        List of str, without any where nothing did.
    """
    command = PROGRAMS["write"].command(folder, folder / "records")
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True, capture_output=True)
    with _Run(folder) as run:
        run.wait_for_checkpoints(3)
        time.sleep(max(_WARM_UP * seconds, _LEAST_SECONDS))
        run.take_seconds()
        every, until = max(seconds / _NUM_SAMPLES, _LEAST_SECONDS), time.monotonic() + seconds
        with Watch(run.number, say, "checkpoint") as watch:
            while time.monotonic() < until:
                time.sleep(every)
                watch.take(run.take_seconds())
        time.sleep(random.Random(seed).random())
        step, faults = run.stop()
    faults += watch.faults() + watch.descriptor_faults()
    with _Run(folder) as again:
        again.wait_for_checkpoints(2)
        if not any(line.startswith(f"going on from step {step} of") for line in again.lines):
            faults.append(f"the run did not go on from step {step}: {again.lines[:20]}")
        last, more = again.stop()
    say(f"stopped at step {step}, gone on with, stopped at step {last}")
    return faults + more


class _Run:
    """A process of `vsa_tf.train`; as a context, it has ended at the end.

    Args:
        folder: with the records; the model directory is made there.

    Attributes:
        number: of the process.
        lines: what it has said, a list of str.
    """

    def __init__(self, folder):
        self._model_dir = folder / "model"
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", *PROGRAMS["train"].command(folder, self._model_dir)),
                f"--num_epochs={_NUM_EPOCHS}",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.number, self.lines = self._process.pid, []
        self._lock, self._seconds, self._num_checkpoints = threading.Lock(), [], 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def _read(self):
        before = None
        for line in self._process.stdout:
            if not line.startswith("epoch "):
                self.lines.append(line.rstrip())
                continue
            now = time.monotonic()
            with self._lock:
                self._num_checkpoints += 1
                if before is not None:
                    self._seconds.append(now - before)
            before = now

    def wait_for_checkpoints(self, number):
        """Returns when there have been so many."""
        deadline = time.monotonic() + _START_SECONDS
        while self._num_checkpoints < number:
            assert self._process.poll() is None, "\n".join(self.lines)
            assert time.monotonic() < deadline, f"no checkpoint within {_START_SECONDS} s"
            time.sleep(0.1)

    def take_seconds(self):
        """Returns the times between two checkpoints since the last call, a list."""
        with self._lock:
            seconds, self._seconds = self._seconds, []
        return seconds

    def stop(self):
        """Tells it to stop; returns the step at which it has, and a list of what went wrong."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None, [f"training went on for {_STOP_SECONDS} s after SIGTERM"]
        self._reader.join()
        told = _STOPPED.fullmatch(self.lines[-1]) if self.lines else None
        if code != _TOLD or told is None:
            return None, [f"training ended with {code}: {self.lines[-20:]}"]
        with np.load(self._model_dir / "checkpoint_last.npz") as arrays:
            step = json.loads(str(arrays["progress.json"]))["steps"]
        return step, [] if step == int(told[1]) else [f"step {step} is saved: {told[0]}"]
