"""A search among very many vectors: exact and quick, and how often they agree.

By vectors: an index of random vectors of length 1 in clusters is written as `vsa_tf.index` would,
and searched for further vectors of the same clusters, exactly and by `ApproximateIndex` in turns.
Recall@10 is the share of the exact first 10 results among the others'.

By regions: photographs by their regions, for sentences that the index does not hold, exactly and
in two stages. The first photographs are those of a real index, the others are generated past them:
a photograph whose regions are all moved up to half the way to another one's frame, and each by
noise of 0.3 of its length. Of photographs put together from the regions of two, more candidates are
needed. Processor ms are one core's own time, medians of the queries. Bytes are a photograph's;
memory is the process's own, and what of the index was mapped at the most, which the system takes
back when it needs it.

    python -m benchmarks.search --num_vectors=1000000 --width=512
    python -m vsa_tf.embed --model_dir=MODEL --data_dir=DATA --split=dev --output_dir=IMAGES
    python -m vsa_tf.embed --model_dir=MODEL --data_dir=DATA --split=dev --target=sentences \
        --output_dir=SENTENCES
    python -m vsa_tf.index --embeddings=IMAGES --embeddings=SENTENCES --index_dir=INDEX
    python -m benchmarks.search --index_dir=INDEX --num_vectors=100000 --dtype=float16

The line also has the recall by the number of candidates.
"""

import multiprocessing
import os
import pathlib
import re
import tempfile
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry

_BLOCK = 20_000
_AT = 10
_REGION_BLOCK = 2_000
_CANDIDATES = (20, 50, 100, 200, 300, 400, 500, 1000, 2000)


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("num_vectors", 1_000_000, "vectors of the index"),
        ("width", 512, "numbers of each"),
        ("num_clusters", 10_000, "clusters"),
        ("num_regions", 20, "of --index_dir, regions of a photograph, of those that it has"),
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
    parser.add_argument("--index_dir", help="a real index, of which more photographs are made")
    parser.add_argument("--directory", help="where the index is written, and then removed")
    flags = parser.parse_args()
    if flags.directory and not os.path.isdir(flags.directory):
        parser.error(f"--directory={flags.directory} is not a directory")
    return flags


def measure(flags, directory):
    """Measures both searches by one vector; returns rows of the table and the rest."""
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
    rows = []
    for name, values in milliseconds.items():
        p50, p95 = np.percentile(values[2:], (50, 95))
        row = {"vectors": flags.num_vectors, "numbers": flags.width, "search": name}
        rows.append({**row, "median_ms": round(p50, 2), "95th_percentile_ms": round(p95, 2)})
    rows[1][f"recall@{_AT}"] = round(float(np.mean(shares[2:])), 4)
    rows[1]["preparing_seconds"] = round(build_seconds, 1)
    return rows, {"cells_looked_into": approximate.num_cells}


def measure_regions(flags, directory):
    """Measures the two stages; returns a row of the table, in a list, and the rest."""
    import numpy as np

    from vsa_tf.search_index.search_index import SearchIndex

    # In another process, so that this one's memory is that of the searches.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        queries, prepare_seconds = pool.apply(_write_prepared, (flags, directory))
    started = time.perf_counter()
    index = SearchIndex(directory)
    open_seconds = time.perf_counter() - started
    stage, times, exact = index.first_stage, {"two_stages": [], "exact": []}, []

    def search(query, name, stage=None):
        wall, processor = time.perf_counter(), time.process_time()
        hits = index.nearest(query, "images", _AT, stage)
        times[name].append((time.perf_counter() - wall, time.process_time() - processor))
        return {hit.entry for hit in hits}

    search(queries[0], "two_stages", stage)  # warms up
    found = [search(query, "two_stages", stage) for query in queries]
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii")
    memory = {name: int(size) >> 10 for name, size in re.findall(r"(Rss\w+):\s+(\d+)", status)}
    search(queries[0], "exact")
    exact = [search(query, "exact") for query in queries]
    curve = {}
    for count in _CANDIDATES:
        few = stage.with_candidates(count)
        rows = [
            {hit.entry for hit in index.nearest(query, "images", _AT, few)} for query in queries
        ]
        curve[count] = round(_agreement(exact, rows), 4)
    wall_ms, processor_ms = {}, {}
    for name, values in times.items():
        wall, processor = np.median(np.array(values[1:]) * 1e3, axis=0)
        wall_ms[name], processor_ms[f"{name}_processor_ms"] = round(wall, 1), round(processor, 1)
    vectors = index.shards["images"][0].mapped.vectors
    files = pathlib.Path(directory).glob("*/first_stage-*.npy")
    first_stage_bytes = sum(path.stat().st_size for path in files)
    row = {
        "photographs": stage.num_images,
        "regions x numbers": " x ".join(map(str, vectors.shape[1:])),
        **processor_ms,
        "candidates": stage.num_candidates(_AT),
        f"recall@{_AT}": round(_agreement(exact, found), 4),
        "bytes_of_regions": vectors[0].nbytes,
        "bytes_of_first_stage": first_stage_bytes // stage.num_images,
        "own_mib": memory["RssAnon"],
        "mapped_mib": memory["RssFile"],
        "preparing_processor_seconds": round(prepare_seconds, 1),
        "opening_seconds": round(open_seconds, 1),
    }
    return [row], {"recall_by_candidates": curve, "median_ms": wall_ms}


def _agreement(exact, found):
    return sum(len(a & b) / len(a) for a, b in zip(exact, found)) / len(exact)


def _write_prepared(flags, directory):
    """Writes an index in two stages; returns queries and the processor's seconds of the second."""
    import numpy as np

    from vsa_tf.search_index.first_stage import FirstStage
    from vsa_tf.search_index.search_index import SearchIndex

    queries = _write_generated(flags, directory, np.random.default_rng(flags.seed))
    index = SearchIndex(directory)
    started = time.process_time()
    FirstStage.prepare(index, 1)
    return queries, time.process_time() - started


def _write_generated(flags, directory, rng):
    """Writes an index of real and of generated photographs; returns queries, not in it."""
    import numpy as np

    from vsa_tf.search_index.embedded import Embedded
    from vsa_tf.search_index.index_directory import IndexManifest, IndexWriter
    from vsa_tf.search_index.search_index import SearchIndex

    real = SearchIndex(flags.index_dir)
    images = Embedded.joined([shard.embedded for shard in real.shards["images"]])
    regions, counts = images.vectors[:, : flags.num_regions], images.counts
    counts = np.minimum(counts, flags.num_regions)
    sample = np.asarray(regions[:2000, 0], np.float32), np.asarray(regions[:2000, -1], np.float32)
    sample = np.concatenate([sample[0], sample[1][counts[:2000] == flags.num_regions]])
    directions = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, : flags.width]
    sentences = real.shards["sentences"][0].embedded
    rows = rng.permutation(len(sentences))
    queries = [sentences.take([row]) for row in rows[: flags.num_queries]]
    others = sentences.take(np.sort(rows[flags.num_queries :]))

    def narrowed(vectors):
        return np.asarray(vectors, np.float32) @ directions

    IndexManifest({"model_dir": "generated"}, real.manifest.score, flags.dtype, {}).save(directory)
    with IndexWriter(directory, flags.dtype) as writer:
        names = [str(number) for number in range(len(others))]
        words = Embedded("sentences", narrowed(others.vectors), others.counts)
        writer.add({"sentence": names}, words)
    regions = narrowed(regions)
    with IndexWriter(directory, flags.dtype) as writer:
        for first in range(0, flags.num_vectors, _REGION_BLOCK):
            last = min(first + _REGION_BLOCK, flags.num_vectors)
            own, other = np.arange(first, last), rng.integers(len(regions), size=last - first)
            is_new = own >= len(regions)
            own = np.where(is_new, rng.integers(len(regions), size=len(own)), own)
            block = regions[own]
            share = np.where(is_new, 0.5 * rng.random(len(own)), 0.0).astype(np.float32)
            lengths = np.linalg.norm(block, axis=2, keepdims=True)
            block += share[:, None, None] * (regions[other, :1] - block)
            noise = rng.standard_normal(block.shape, np.float32) * (0.3 / flags.width**0.5)
            block += noise * lengths * is_new[:, None, None]
            block *= lengths / np.maximum(np.linalg.norm(block, axis=2, keepdims=True), 1e-12)
            names = [f"{number}.jpg" for number in range(first, last)]
            columns = {"path": names, "size": [0] * len(names), "mtime_ns": [0] * len(names)}
            boxes = np.zeros((*block.shape[:2], 4), np.float32)
            writer.add(columns, Embedded("images", block, counts[own], boxes))
    return [Embedded("sentences", narrowed(each.vectors), each.counts) for each in queries]


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryDirectory(dir=flags.directory) as directory:
        of_kind = measure_regions if flags.index_dir else measure
        rows, details = of_kind(flags, directory)
    compared = "exact and in two stages, by regions" if flags.index_dir else "exact and quick"
    print_entry(compared, rows, flags, **details)


if __name__ == "__main__":
    main()
