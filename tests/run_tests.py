"""Runs pytest on its arguments: what Bazel's test targets start."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:]))
