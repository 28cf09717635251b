"""Time of a search among very many vectors, exact and approximate, and how often they agree.

Writes an index of random vectors of length 1 in clusters, as `vsa_tf.index` would, and searches it
for further vectors of the same clusters, exactly and by `ApproximateIndex` in turns. Prints one
JSON line: milliseconds of a query, median and 95th percentile, and the share of the exact first 10
results among the approximate ones.

    python -m benchmarks.search --num_vectors=1000000 --width=512
"""

import json
import os
import tempfile
import time

from benchmarks.benchmark_parser import BenchmarkParser

_BLOCK = 20_000
_AT = 10


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("num_vectors", 1_000_000, "vectors of the index"),
        ("width", 512, "numbers of each"),
        ("num_clusters", 10_000, "clusters"),
        ("num_queries", 50, "queries of each kind"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "float16"),
        help="of the stored vectors (default float32)",
    )
    parser.add_argument(
        "--spread",
        type=float,
        default=1.0,
        help="length of a vector's distance from its cluster's centre (default 1)",
    )
    parser.add_argument("--directory", help="where the index is written, and then removed")
    flags = parser.parse_args()
    if flags.directory and not os.path.isdir(flags.directory):
        parser.error(f"--directory={flags.directory} is not a directory")
    return flags


def measure(flags, directory):
    import numpy as np

    from vsa_tf.search_index.approximate_index import ApproximateIndex
    from vsa_tf.search_index.embedded import Embedded
    from vsa_tf.search_index.index_directory import IndexManifest, IndexWriter
    from vsa_tf.search_index.search_index import SearchIndex

    rng = np.random.default_rng(flags.seed)

    def unit(vectors):
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def normal(count):
        return rng.standard_normal((count, flags.width), np.float32)

    centers = unit(normal(flags.num_clusters))

    def draw(count):
        offsets = normal(count) * np.float32(flags.spread / flags.width**0.5)
        return unit(centers[rng.integers(flags.num_clusters, size=count)] + offsets)

    IndexManifest({"model_dir": "generated"}, "distance", flags.dtype, {}).save(directory)
    with IndexWriter(directory, flags.dtype) as writer:
        for first in range(0, flags.num_vectors, _BLOCK):
            count = min(_BLOCK, flags.num_vectors - first)
            paths = [f"{number}.jpg" for number in range(first, first + count)]
            columns = {"path": paths, "size": [0] * count, "mtime_ns": [0] * count}
            writer.add(columns, Embedded("images", draw(count)))
    index = SearchIndex(directory)
    started = time.perf_counter()
    approximate = ApproximateIndex.build(index, "images")
    build_seconds = time.perf_counter() - started
    queries = [Embedded("sentences", vector[None]) for vector in draw(flags.num_queries)]
    milliseconds, shares = {"exact": [], "approximate": []}, []
    for query in [*queries[:2], *queries]:  # the first two warm up
        found = []
        for name, by in (("exact", None), ("approximate", approximate)):
            started = time.perf_counter()
            found.append({hit.entry for hit in index.nearest(query, "images", _AT, by)})
            milliseconds[name].append((time.perf_counter() - started) * 1e3)
        shares.append(len(found[0] & found[1]) / len(found[0]))
    result = {"num_vectors": flags.num_vectors, "width": flags.width, "dtype": flags.dtype}
    for name, values in milliseconds.items():
        p50, p95 = np.percentile(values[2:], (50, 95))
        result[name] = {"p50_ms": round(p50, 2), "p95_ms": round(p95, 2)}
    return {
        **result,
        f"recall@{_AT}": round(float(np.mean(shares[2:])), 4),
        "cells_looked_into": approximate.num_cells,
        "build_seconds": round(build_seconds, 1),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(dir=flags.directory) as directory:
        print(json.dumps(measure(flags, directory)))


if __name__ == "__main__":
    main()
