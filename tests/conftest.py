"""How TensorFlow runs in tests."""

import os
import sys

# A process for each core runs tests (setup.cfg): the threads of one would wait for the other's.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_collection_finish():
    """Lets graphs run as they are written: to optimize one takes seconds, and each runs few times.

    Files that do not import TensorFlow go without: its import takes longer than their tests.
    """
    if "tensorflow" in sys.modules:
        options = {"disable_meta_optimizer": True}
        sys.modules["tensorflow"].config.optimizer.set_experimental_options(options)
