"""The command line of a benchmark."""

import argparse
import sys


class BenchmarkParser(argparse.ArgumentParser):
    """Prints a benchmark's docstring for --help; a wrong flag is one line and exit 1."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self._least = {}

    def add_integers(self, *flags, may_be_zero=()):
        """Adds flags of whole numbers; `parse_args` refuses those below 1.

        Args:
            flags: name, default and meaning of each.
            may_be_zero: names of those that may be 0, as `seed` always may.
        """
        for name, default, meaning in flags:
            self.add_argument(
                f"--{name}", type=int, default=default, help=f"{meaning} (default {default})"
            )
            self._least[name] = 0 if name in ("seed", *may_be_zero) else 1

    def parse_args(self, args=None, namespace=None):
        flags = super().parse_args(args, namespace)
        for name, least in self._least.items():
            value = getattr(flags, name)
            if value < least:
                self.error(f"expected --{name} of {least} or more, received {value}")
        return flags

    def error(self, message):
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(1)
