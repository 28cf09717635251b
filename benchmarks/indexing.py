"""`vsa_tf.index` beside the model alone.

Photographs of a directory are indexed, and embedded by calling the SavedModel with bytes that are
in memory already, as many at a time; the two take turns, group of photographs by group. Indexing
can be ahead, for a batch a core is on its way.

    python -m benchmarks.indexing --saved_model=DIR --images=DIR
"""

import os
import pathlib
import tempfile
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry

_BATCH = 16  # of vsa_tf.inference.image_files
_GROUP = 4 * _BATCH


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--saved_model", required=True, help="exported model")
    parser.add_argument("--images", required=True, help="directory of photographs")
    parser.add_argument(
        "--num_images",
        type=int,
        default=512,
        help="photographs, beginning with the first (default 512)",
    )
    flags = parser.parse_args()
    if flags.num_images < 2 * _GROUP:
        parser.error(f"expected --num_images of {2 * _GROUP} or more, received {flags.num_images}")
    return flags


def measure(flags):
    from vsa_tf.inference.image_files import image_files
    from vsa_tf.inference.model import open_model
    from vsa_tf.search_index.index_builder import IndexBuilder

    paths = image_files([flags.images])[: flags.num_images]
    model = open_model(flags.saved_model)
    seconds = {"index": [], "model": []}
    with tempfile.TemporaryDirectory() as directory:
        builder = IndexBuilder(directory, model)
        for first in range(0, len(paths) - _GROUP + 1, _GROUP):
            group = paths[first : first + _GROUP]
            started = time.perf_counter()
            num_added, _ = builder.add_images(group)
            seconds["index"].append(time.perf_counter() - started)
            if num_added != len(group):
                raise SystemExit("indexing.py: a photograph could not be read; give others")
            data = [pathlib.Path(path).read_bytes() for path in group]
            started = time.perf_counter()
            for start in range(0, _GROUP, _BATCH):
                model.opened.call("embed_image", image_bytes=data[start : start + _BATCH])
            seconds["model"].append(time.perf_counter() - started)
    # The first group of each warms up.
    rates = {name: _GROUP * len(values[1:]) / sum(values[1:]) for name, values in seconds.items()}
    return {
        "photographs": _GROUP * len(seconds["index"][1:]),
        "index_images_per_second": round(rates["index"], 2),
        "model_images_per_second": round(rates["model"], 2),
        "index / model": round(rates["index"] / rates["model"], 3),
    }


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print_entry("index / the SavedModel called", [measure(flags)], flags)


if __name__ == "__main__":
    main()
