"""How TensorFlow runs in tests."""

import gc
import os
import sys

# A process for each core runs tests (setup.cfg): the threads of one would wait for the other's.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# As programs have it, which decides the last bits: a test that calls one does not change others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# What XLA compiles in tests runs a few times: LLVM would take longer to make it quick.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# What tests write need not outlast the machine: to wait for its disk takes longer than to write.
os.fsync = lambda descriptor: None

# Files that fork programs, or workers, from one process that has loaded what they need: that takes
# ten seconds, for each of the processes that run tests. One runs them all, first.
_FORKING = {
    "tests/test_faults.py",
    "tests/tfrecords_tools/sources/test_source.py",
    "tests/tfrecords_tools/test_beam_pool.py",
    "tests/tfrecords_tools/test_given_features.py",
    "tests/tfrecords_tools/test_write_tfds.py",
    "tests/tfrecords_tools/test_writer.py",
    "tests/training/test_compiling.py",
    "tests/training/test_hosts.py",
    "tests/training/test_resume.py",
}


def run_graphs_as_written():
    """Does without optimizing graphs, where TensorFlow is: it takes seconds, and each runs seldom.

    Files that do not import TensorFlow go without: its import takes longer than their tests.
    """
    if "tensorflow" in sys.modules:
        options = {"disable_meta_optimizer": True}
        sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)


def collect_garbage_seldom():
    """What is there stays, modules and tests; what is not needed any more is not urgent."""
    gc.freeze()
    gc.set_threshold(100_000)
    gc.enable()


def pytest_collection():
    # What is imported stays: to look for garbage in it takes as long as to rewrite its asserts.
    gc.disable()


def pytest_collection_finish():
    run_graphs_as_written()
    collect_garbage_seldom()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in _FORKING)


def pytest_xdist_make_scheduler(config, log):
    class Scheduling(sys.modules["xdist.scheduler"].LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "forking" if file in _FORKING else file

    return Scheduling(config, log)
