"""Consensus reranking of captions, from token lists to reranked captions.

The captions are generated: words are drawn as often as natural ones (the r-th most frequent in
proportion to 1 / r), features are random. Some pairs are also compared by the COCO tool's CIDEr,
one at a time, to check the similarities; its seconds are extrapolated from these to all pairs.

    python -m benchmarks.consensus_reranking
"""

import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("num_images", 1000, "images whose hypotheses are reranked"),
        ("num_hypotheses", 10, "hypotheses of an image"),
        ("num_training_images", 6000, "training images"),
        ("captions_per_image", 5, "captions of a training image"),
        ("num_neighbors", 60, "k, nearest training images of an image"),
        ("num_captions", 125, "m, captions that count for a hypothesis"),
        ("feature_size", 1280, "numbers in an image's feature"),
        ("vocabulary_size", 8000, "different words"),
        ("mean_words", 10, "mean number of words of a caption"),
        ("num_pairs", 200, "pairs compared by the COCO tool as well"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument(
        "--kind", choices=("cider", "bleu"), default="cider", help="similarity (default cider)"
    )
    flags = parser.parse_args()
    if flags.num_pairs > flags.num_training_images:
        parser.error(
            "expected --num_pairs of at most --num_training_images, received "
            f"{flags.num_pairs} and {flags.num_training_images}"
        )
    return flags


def _captions(random, num_captions, flags):
    import numpy as np

    frequencies = 1.0 / np.arange(1, flags.vocabulary_size + 1)
    lengths = 1 + random.poisson(flags.mean_words - 1, num_captions)
    words = random.choice(flags.vocabulary_size, lengths.sum(), p=frequencies / frequencies.sum())
    words = [f"w{word}" for word in words.tolist()]
    ends = lengths.cumsum().tolist()
    return [words[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]


def _coco_cider(captions, image_of_caption, hypotheses, references):
    """The COCO tool's CIDEr of pairs, and seconds of a pair without those of the frequencies."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    documents = {}
    for caption, image in zip(captions, image_of_caption, strict=True):
        documents.setdefault(image, []).append(" ".join(caption))
    frequencies = CiderScorer()
    for own in documents.values():
        frequencies += ("", own)
    frequencies.compute_doc_freq()
    scorer = CiderScorer()
    scorer.document_frequency = frequencies.document_frequency
    start = time.perf_counter()
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        scorer += (" ".join(hypothesis), [" ".join(reference)])
    # The scorer takes the number of documents from here, and stops with the last test.
    scorer.crefs += [None] * (len(documents) - len(hypotheses))
    scores = scorer.compute_cider()
    return scores, (time.perf_counter() - start) / len(scores)


def measure(flags):
    """Runs everything once; returns a row of the table and what is kept beside it, dicts."""
    import numpy as np

    from vsa_tf.metrics.caption_similarity import CaptionSimilarity
    from vsa_tf.scoring.caption_consensus import consensus_reranking
    from vsa_tf.scoring.nearest_images import nearest_images

    random = np.random.default_rng(flags.seed)
    image_of_caption = np.repeat(np.arange(flags.num_training_images), flags.captions_per_image)
    training = _captions(random, len(image_of_caption), flags)
    flat = _captions(random, flags.num_images * flags.num_hypotheses, flags)
    hypotheses = [
        flat[start : start + flags.num_hypotheses]
        for start in range(0, len(flat), flags.num_hypotheses)
    ]
    features = random.random(
        (flags.num_training_images + flags.num_images, flags.feature_size), np.float32
    )

    times = [time.perf_counter()]
    similarity = CaptionSimilarity(training, image_of_caption, flags.kind)
    times.append(time.perf_counter())
    neighbors = nearest_images(
        features[flags.num_training_images :],
        features[: flags.num_training_images],
        flags.num_neighbors,
    ).images
    times.append(time.perf_counter())
    consensus_reranking(hypotheses, neighbors, similarity, flags.num_captions)
    times.append(time.perf_counter())

    num_pairs = neighbors.size * flags.captions_per_image * flags.num_hypotheses
    row = {
        "similarity": flags.kind,
        "pairs": num_pairs,
        "preparing_captions_seconds": times[1] - times[0],
        "nearest_images_seconds": times[2] - times[1],
        "reranking_seconds": times[3] - times[2],
        "ours_seconds": times[3] - times[0],
    }
    details = {}
    if flags.kind == "cider":
        others = [training[row] for row in random.integers(0, len(training), flags.num_pairs)]
        # Hypotheses that begin as their references do, so that there is something to count.
        some = [
            other[: len(other) // 2] + flat[row]
            for other, row in zip(
                others, random.integers(0, len(flat), flags.num_pairs), strict=True
            )
        ]
        scores, seconds = _coco_cider(training, image_of_caption, some, others)
        ours = [
            similarity.between([hypothesis], [reference])[0, 0]
            for hypothesis, reference in zip(some, others, strict=True)
        ]
        row["coco_seconds"] = seconds * num_pairs
        row["COCO's / ours"] = row["coco_seconds"] / row["ours_seconds"]
        details["largest_difference"] = float(np.abs(np.subtract(ours, scores)).max())
        details["largest_similarity_checked"] = max(scores)
    return row, details


def main():
    flags = _flags()
    row, details = measure(flags)
    print_entry("COCO's scorer / ours", [row], flags, **details)


if __name__ == "__main__":
    main()
