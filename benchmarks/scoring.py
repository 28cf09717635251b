"""Exact scores of images and sentences against the straightforward einsum, in alternating runs.

A score sums over the words of a sentence the best product with a region. The straightforward way
pads the sentences to the longest and computes, in blocks that fit memory,
`einsum('nrh,mwh->nmrw')`, the maximum over regions and the masked sum over words: in PyTorch where
it can be imported, in numpy otherwise. Seconds are medians of the runs, the ratio that of theirs.

    python -m benchmarks.scoring --num_images=200 --num_sentences=1000
"""

import sys
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("num_images", 200, "images"),
        ("num_sentences", 1000, "sentences"),
        ("num_regions", 20, "regions of an image"),
        ("width", 1000, "width of the vectors"),
        ("mean_words", 11, "mean number of words of a sentence"),
        ("max_words", 30, "words of the longest sentence, to which einsum pads"),
        ("image_block", 50, "images of a block of the einsum"),
        ("sentence_block", 100, "sentences of a block of the einsum"),
        ("repeats", 5, "timed runs of each, one after the other"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument("--torch_path", help="a folder to import PyTorch from, searched last")
    flags = parser.parse_args()
    if flags.max_words < flags.mean_words:
        parser.error(
            "expected --max_words of at least --mean_words, received "
            f"{flags.max_words} and {flags.mean_words}"
        )
    return flags


def _torch_einsum(torch, regions, region_mask, padded, word_mask, image_block, sentence_block):
    tensors = [torch.from_numpy(array) for array in (regions, region_mask, padded, word_mask)]
    regions, region_mask, padded, word_mask = tensors
    scores = torch.empty(len(regions), len(padded))
    with torch.inference_mode():
        for k in range(0, len(regions), image_block):
            images = slice(k, k + image_block)
            for l in range(0, len(padded), sentence_block):
                sentences = slice(l, l + sentence_block)
                products = torch.einsum("nrh,mwh->nmrw", regions[images], padded[sentences])
                products = products.masked_fill(~region_mask[images, None, :, None], -torch.inf)
                best = products.max(dim=2).values
                scores[images, sentences] = (best * word_mask[sentences]).sum(dim=-1)
    return scores.numpy()


def _numpy_einsum(regions, region_mask, padded, word_mask, image_block, sentence_block):
    import numpy as np

    scores = np.empty((len(regions), len(padded)), np.float32)
    for k in range(0, len(regions), image_block):
        images = slice(k, k + image_block)
        for l in range(0, len(padded), sentence_block):
            sentences = slice(l, l + sentence_block)
            products = np.einsum("nrh,mwh->nmrw", regions[images], padded[sentences], optimize=True)
            products = np.where(region_mask[images, None, :, None], products, -np.inf)
            best = products.max(axis=2)
            scores[images, sentences] = (best * word_mask[sentences]).sum(axis=-1)
    return scores


def measure(flags, torch=None):
    """Runs both alternately; returns a row of the table and what is kept beside it, dicts."""
    import numpy as np

    from vsa_tf.scoring.blocked_scores import max_sum_scores

    random = np.random.default_rng(flags.seed)
    lengths = np.clip(random.poisson(flags.mean_words, flags.num_sentences), 1, flags.max_words)
    regions = random.standard_normal((flags.num_images, flags.num_regions, flags.width), np.float32)
    region_mask = np.ones(regions.shape[:2], bool)
    words = random.standard_normal((lengths.sum(), flags.width), np.float32)
    word_mask = np.arange(flags.max_words) < lengths[:, None]
    padded = np.zeros((*word_mask.shape, flags.width), np.float32)
    padded[word_mask] = words
    arguments = regions, region_mask, padded, word_mask, flags.image_block, flags.sentence_block

    def reference():
        return _torch_einsum(torch, *arguments) if torch else _numpy_einsum(*arguments)

    def blocked():
        return max_sum_scores(regions, region_mask, words, lengths)

    difference = float(np.abs(reference() - blocked()).max())
    seconds = {"blocked": [], "einsum": []}
    for _ in range(flags.repeats):
        for name, run in (("blocked", blocked), ("einsum", reference)):
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    ratios = np.array(seconds["einsum"]) / np.array(seconds["blocked"])
    row = {
        "pairs": flags.num_images * flags.num_sentences,
        "einsum in": "PyTorch" if torch else "numpy",
        "ours_seconds": float(np.median(seconds["blocked"])),
        "einsum_seconds": float(np.median(seconds["einsum"])),
        "einsum / ours": float(np.median(ratios)),
    }
    return row, {
        "real_words": int(lengths.sum()),
        "padded_words": int(word_mask.size),
        "ratio_of_each_run": [round(float(ratio), 2) for ratio in ratios],
        "ratio_of_least_seconds": min(seconds["einsum"]) / min(seconds["blocked"]),
        "largest_difference": difference,
    }


def main():
    flags = _flags()
    # The backend first: its own numpy and threads are set up before PyTorch is found.
    import keras

    if flags.torch_path:
        sys.path.append(flags.torch_path)
    try:
        import torch
    except ImportError:
        torch = None
    row, details = measure(flags, torch)
    print_entry("einsum / ours", [row], flags, backend=keras.backend.backend(), **details)


if __name__ == "__main__":
    main()
