"""The command line of a benchmark."""

import argparse
import sys


class BenchmarkParser(argparse.ArgumentParser):
    """Prints a benchmark's docstring for --help; a wrong flag is one line and exit 1."""

    def __init__(self, description):
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message):
        print(f"{self.prog}: {message}", file=sys.stderr)
        sys.exit(1)
