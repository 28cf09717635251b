"""A training step of the alignment model with its scores in blocks.

A step is what `fit` calls, in TensorFlow's plain graph, by plain gradient descent and the sum of
all negatives. Blocks and the plain step start from the same weights, and nothing is timed unless
their first losses agree; the runs alternate in one process. Times are read as those of
`torch_comparison`. Memory is the greatest of a process that trains one step in blocks,
TensorFlow's own 0.8 GiB included.

    python -m benchmarks.score_blocks --batch_size=256 --block_bytes=67108864
    python -m benchmarks.score_blocks --batch_size=1024 --peak
"""

import os
import resource
import sys

from benchmarks.benchmark_parser import BenchmarkParser, print_entry
from benchmarks.training_steps import compare_steps, keras_step

_VOCABULARY_SIZE = 3000


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("batch_size", 256, "pairs of a batch"),
        ("num_regions", 20, "regions of an image"),
        ("num_words", 30, "words of every sentence, none of them padding"),
        ("width", 512, "width of region and word vectors"),
        ("feature_size", 1280, "numbers of a region's feature"),
        ("block_bytes", 128 << 20, "products that are made at once, 4 bytes each"),
        ("repeats", 5, "timed steps of each"),
    )
    parser.add_argument("--peak", action="store_true", help="tell the memory of one step in blocks")
    return parser.parse_args()


def _batch(flags):
    import numpy as np

    random = np.random.default_rng(0)
    shape = flags.batch_size, flags.num_regions
    words = flags.batch_size, flags.num_words
    features = random.standard_normal((*shape, flags.feature_size), "float32")
    return {
        "region_features": features.astype("float16"),
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (*shape, 1)),
        "region_mask": np.ones(shape, bool),
        "token_ids": random.integers(1, _VOCABULARY_SIZE, words, "int32"),
        "image_id": np.arange(flags.batch_size, dtype="int32"),
    }


def _step(flags, batch, block_bytes):
    import keras

    from vsa_tf.models.alignment.alignment_model import AlignmentModel

    keras.utils.set_random_seed(0)
    kept = {"dropout": 0.0, "region_dropping": 0.0, "word_dropping": 0.0}
    model = AlignmentModel(_VOCABULARY_SIZE, flags.width, negatives="sum", **kept)
    model({name: value[:2] for name, value in batch.items()})
    model.alignment_score.block_bytes = block_bytes
    # So small that the sum of thousands of hinges does not explode.
    return keras_step(model, keras.optimizers.SGD(1e-7), batch, jit_compile=False)


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    batch = _batch(flags)
    blocks = _step(flags, batch, flags.block_bytes)
    if flags.peak:
        loss = blocks()
        # KiB, on Linux.
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        row = {"pairs": flags.batch_size, "memory_mib": peak_mib}
        print_entry("memory of a process", [row], flags, loss=loss)
    else:
        steps = {"plain": _step(flags, batch, sys.maxsize), "blocks": blocks}
        rows, details = compare_steps(steps, "plain", 1e-5, 2, 1, flags.repeats)
        rows = [{"pairs": flags.batch_size, **row} for row in rows]
        print_entry("blocks / plain step", rows, flags, **details)


if __name__ == "__main__":
    main()
