"""Progress of a long job on standard error."""

import sys
import time


class Progress:
    """A bar on a terminal, else a plain line every few seconds.

    Args:
        total: how many there are.
        stream: where to write; None writes nothing.
        unit: what is counted, in the plural.
        interval: seconds between plain lines.
        clock: function that returns seconds.
        done: how many were done before, which took none of these seconds.
    """

    def __init__(
        self, total, stream=sys.stderr, unit="images", interval=5.0, clock=time.monotonic, *, done=0
    ):
        self.total = total
        self.done = self._before = done
        self._note = ""
        self._stream = stream
        self._unit = unit
        self._clock = clock
        self._is_terminal = stream is not None and stream.isatty()
        self._interval = 0.2 if self._is_terminal else interval
        self._start = self._last = clock()

    def add(self, count, note=""):
        """Counts so many as done and shows it, and a note, if it is time."""
        self.done += count
        self._note = note
        now = self._clock()
        if now - self._last >= self._interval:
            self._last = now
            self._show(now)

    def seconds(self):
        """Returns the seconds since the start."""
        return self._clock() - self._start

    def close(self):
        """Ends the bar's line."""
        if self._is_terminal:
            self._show(self._clock())
            self._stream.write("\n")
            self._stream.flush()

    def _show(self, now):
        if self._stream is None:
            return
        rate = (self.done - self._before) / max(now - self._start, 1e-9)
        left = (self.total - self.done) / rate if rate else float("inf")
        text = f"{self.done}/{self.total} {self._unit}, {rate:.1f} {self._unit}/s"
        if left != float("inf"):
            text += f", {int(left) // 60}:{int(left) % 60:02d} left"
        if self._note:
            text += f", {self._note}"
        if self._is_terminal:
            filled = round(30 * self.done / max(self.total, 1))
            self._stream.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {text}\x1b[K")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
