"""How the writer's workers start in tests. Tests below may import what lies in this folder."""

import multiprocessing

import pytest


@pytest.fixture(autouse=True, scope="module")
def _workers_have_loaded_tensorflow():
    """Forks workers from a process that has loaded what theirs takes seconds to load.

    Those of the program that tests/tfrecords_tools/test_writer.py kills start as they are.
    """
    get_context, forks = multiprocessing.get_context, multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tensorflow", "tfrecords_tools.shard_writer"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            multiprocessing,
            "get_context",
            lambda method=None: forks if method == "spawn" else get_context(method),
        )
        yield
