"""What happens to programs, and that the same command then ends with the undisturbed result."""

import os
import shutil
import signal
import time

from tests.faults.programs import MADE, PROGRAMS, Runs

# The code of a program that tells in its last line what is wrong.
_REFUSED = 1
_LOG_BYTES = 4096


class Undisturbed:
    """The results of the programs, and the seconds that each takes, from one run of each.

    Args:
        folder: an empty directory, for all that is written.

    Attributes:
        runs: `Runs` in it.
        beside: other `Runs` in it, for a second process at the same time.
    """

    def __init__(self, folder):
        self.runs, self.beside = Runs(folder), Runs(folder)
        self._results, self._seconds = {}, self.runs.make_data()

    def output(self, name):
        """Returns the directory of a program's undisturbed run."""
        return self.runs.folder / MADE.get(name, f"undisturbed_{name}")

    def seconds(self, name):
        """Returns the seconds of a program's run."""
        self.result(name)
        return self._seconds[name]

    def result(self, name):
        """Returns what a program's run leaves, see `Faulted.result`."""
        if name not in self._results:
            output, start = self.output(name), time.monotonic()
            if name not in MADE:
                self.runs.finish(name, output)
                self._seconds[name] = time.monotonic() - start
            self._results[name] = PROGRAMS[name].result(output)
        return self._results[name]

    def check_end(self, name, output, **options):
        """Gives the command again; refuses another result than the undisturbed one.

        Args:
            name: of the program.
            output: its directory, which is removed.
            **options: of `Runs.start`.
        """
        text = ""
        if PROGRAMS[name].may_repeat or not output.exists():
            text = self.runs.finish(name, output, **options)
        self.check_result(name, output, text)

    def check_result(self, name, output, text=""):
        """Refuses another result than the undisturbed one; removes it.

        Args:
            name: of the program.
            output: its directory.
            text: what it printed.
        """
        expected, received = self.result(name), PROGRAMS[name].result(output)
        differing = [
            key for key in {**expected, **received} if expected.get(key) != received.get(key)
        ]
        assert not differing, f"{name}: {differing} differ from the undisturbed run's. {text}"
        shutil.rmtree(output)


def kills(undisturbed, name, output, rng):
    """Kills the program up to three times at random moments."""
    seconds = undisturbed.seconds(name)
    for _ in range(3):
        _kill(undisturbed, name, output, rng.uniform(0, seconds))
    undisturbed.check_end(name, output)


def _kill(undisturbed, name, output, seconds, **options):
    """Kills a run after so many seconds, unless it has ended."""
    process = undisturbed.runs.start(name, output, **options)
    if not undisturbed.runs.ended_within(seconds):
        os.kill(process, signal.SIGKILL)
    code, text = undisturbed.runs.wait()
    is_refused = code == _REFUSED and not PROGRAMS[name].may_repeat and "Traceback" not in text
    assert code in (0, -signal.SIGKILL) or is_refused, text


def full_disk(undisturbed, name, output, rng):
    """Lets no file become as large as the largest that the program writes."""
    undisturbed.result(name)
    written = undisturbed.output(name).rglob("*")
    largest = max(path.stat().st_size for path in written if path.is_file())
    # The log is a file, too.
    limit = rng.randint(min(_LOG_BYTES, largest - 1), largest - 1)
    undisturbed.runs.start(name, output, [f"--file_bytes={limit}"])
    _check_refused(*undisturbed.runs.wait(), "File too large")
    undisturbed.check_end(name, output)


def clock_jumps(undisturbed, name, output, rng):
    """Sets the clock by up to ten years, and back, at every look at it; and kills once."""
    clock = [f"--clock={rng.choice((-1, 1)) * rng.randint(1, 10 * 365 * 86400)}"]
    seconds = rng.uniform(0, undisturbed.seconds(name))
    _kill(undisturbed, name, output, seconds, disturbances=clock)
    undisturbed.check_end(name, output, disturbances=clock)


def no_folder(undisturbed, name, output, rng):
    """Gives the program an output below a file, where none can be made."""
    del rng
    output.write_bytes(b"a file")
    undisturbed.runs.start(name, output / "below")
    _check_refused(*undisturbed.runs.wait(), "")
    assert output.read_bytes() == b"a file"
    output.unlink()
    undisturbed.check_end(name, output)


def two_at_once(undisturbed, name, output, rng):
    """Gives the command a second time while it runs: one may be refused."""
    seconds = undisturbed.seconds(name)
    undisturbed.runs.start(name, output)
    undisturbed.runs.ended_within(rng.uniform(0.1, 0.9) * seconds)
    undisturbed.beside.start(name, output)
    ends = [undisturbed.runs.wait(), undisturbed.beside.wait()]
    assert 0 in dict(ends), ends
    for code, text in ends:
        if code:
            _check_refused(code, text, "")
    undisturbed.check_result(name, output)


def _check_refused(code, text, reason):
    lines = text.splitlines()
    assert code == _REFUSED and "Traceback" not in text, f"{code}: {text}"
    assert reason in lines[-1], text


FAULTS = {
    "kills": kills,
    "full_disk": full_disk,
    "clock_jumps": clock_jumps,
    "no_folder": no_folder,
    "two_at_once": two_at_once,
}
