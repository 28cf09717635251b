"""Programs that are killed, on a full disk, beside another, in a wrong time: and run again.

The short form of `python -m tests.faults`, which does so again and again.
"""

import random

import pytest

from tests.faults.faults import FAULTS, Undisturbed
from tests.faults.programs import PROGRAMS


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return Undisturbed(tmp_path_factory.mktemp("faults"))


# Of programs that take many seconds, one fault: the long form has all. Training that is killed is
# in tests/training/test_resume.py.
_OF_SLOW = {"train": ("full_disk",), "export": ("two_at_once",)}
_PAIRS = [(name, fault) for name in PROGRAMS for fault in _OF_SLOW.get(name, FAULTS)]


@pytest.mark.parametrize(("name", "fault"), _PAIRS)
def test_the_same_command_ends_with_the_undisturbed_result(undisturbed, name, fault, tmp_path):
    FAULTS[fault](undisturbed, name, tmp_path / "output", random.Random(f"{name} {fault}"))
