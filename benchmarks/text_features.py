"""A sentence feature: time, memory and worth, fitted on one split, searched by CCA on another.

The feature is fitted to the sentences of a training split and computed for both. Then normalised
CCA is fitted to the pairs of these and the feature of the whole image, region 0 of the records, for
several regularizations of both sides and several dimensions, and the one of the largest sum of
R@1, 5 and 10 in both directions is kept: it is chosen and measured on the same images. Processor
seconds count all threads; memory is the most that the process held until the features were done,
and what it held before.

    python -m benchmarks.text_features --data_dir=RECORDS --feature=hglmm
    python -m benchmarks.text_features --data_dir=RECORDS --feature=tf_idf --min_count=5
"""

import itertools
import os
import resource
import sys
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry

_FEATURES = ("mean_vector", "tf_idf", "hglmm")


def _numbers(kind):
    return lambda text: [kind(number) for number in text.split(",")]


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--data_dir", required=True, help="records")
    parser.add_argument("--feature", required=True, choices=_FEATURES)
    parser.add_argument("--train_split", default="train", help="split that is fitted to")
    parser.add_argument("--split", default="dev", help="split that is searched (default dev)")
    parser.add_argument(
        "--word_vectors",
        help="a text file of word vectors; default: trained on the sentences, by gensim",
    )
    parser.add_argument("--gensim_path", help="a folder to import gensim from, searched last")
    parser.add_integers(
        ("size", 300, "numbers of a word vector"),
        ("num_centers", 30, "centres"),
        ("dimension", 6000, "principal components of the Fisher vector"),
        ("min_count", 5, "tf-idf and trained vectors leave rarer words out"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument(
        "--regularizations",
        type=_numbers(float),
        default=[0.1, 0.3, 1.0, 3.0],
        help="of CCA, of each side (default 0.1,0.3,1,3)",
    )
    parser.add_argument(
        "--cca_dimensions",
        type=_numbers(int),
        default=[128, 256, 512],
        help="of CCA (default 128,256,512)",
    )
    flags = parser.parse_args()
    if not os.path.isdir(flags.data_dir):
        parser.error(f"--data_dir={flags.data_dir} is not a directory")
    return flags


class _Clock:
    """Seconds since it was made, of the wall and of the process's threads."""

    def __init__(self):
        self._start = time.perf_counter(), time.process_time()

    def seconds(self):
        return {
            "seconds": round(time.perf_counter() - self._start[0], 1),
            "cpu_seconds": round(time.process_time() - self._start[1], 1),
        }


def _peak_mb():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _read(data_dir, split):
    """Returns token lists, whole images' features float32 `[N, D]`, and each sentence's image."""
    import numpy as np

    from vsa_tf.data.record_split import RecordSplit
    from vsa_tf.text.tokenizer import WordTokenizer

    records = RecordSplit(data_dir, split, feature_cache_bytes=0)
    features = np.concatenate(
        [
            records.read_region_features(range(start, min(start + 256, records.num_images)))[:, 0]
            for start in range(0, records.num_images, 256)
        ]
    )
    sentences = list(map(WordTokenizer().tokenize, records.captions))
    return sentences, features.astype(np.float32), records.image_of_caption


def _word_vectors(flags, sentences):
    from vsa_tf.sentence_features.word_vector_table import WordVectorTable, train_word_vectors

    if flags.word_vectors:
        words = {word for sentence in sentences for word in sentence}
        return WordVectorTable.read(flags.word_vectors, words, flags.size)
    return train_word_vectors(sentences, flags.size, min_count=flags.min_count, seed=flags.seed)


def _retrieval(flags, images, sentences, image_of_sentence, dev_images, dev_sentences, dev_image):
    """Returns the best setting of CCA with its recalls."""
    from vsa_tf.evaluation.canonical_correlation import CanonicalCorrelation, PairCovariance
    from vsa_tf.metrics.retrieval import recall_summary, retrieval_ranks

    covariance = PairCovariance.of(images[image_of_sentence], sentences)
    best = None
    for regularization in itertools.product(flags.regularizations, repeat=2):
        largest = min(max(flags.cca_dimensions), *covariance.xy.shape)
        model = CanonicalCorrelation.from_covariance(covariance, regularization, largest)
        for dimensions in sorted({min(each, largest) for each in flags.cca_dimensions}):
            scores = model.truncated(dimensions).similarity(dev_images, dev_sentences)
            ranks = retrieval_ranks(scores, dev_image)
            recalls = {
                name: {
                    key: value
                    for key, value in recall_summary(each).items()
                    if key.startswith("R@")
                }
                for name, each in zip(ranks._fields, ranks, strict=True)
            }
            total = sum(sum(recall.values()) for recall in recalls.values())
            if best is None or total > best["sum"]:
                best = {
                    "sum": round(total, 1),
                    "regularization": regularization,
                    "dimensions": dimensions,
                    **recalls,
                }
    return best


def measure(flags):
    """Returns a row of the table and what is kept beside it, dicts."""
    from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
    from vsa_tf.sentence_features.fisher_vector import FisherVector

    sentences, images, image_of_sentence = _read(flags.data_dir, flags.train_split)
    dev_sentences, dev_images, dev_image = _read(flags.data_dir, flags.split)
    kinds = {feature.kind: feature for feature in (MeanVector, TfIdf, FisherVector)}
    times, vectors, settings = {}, (), {}
    if flags.feature != "tf_idf":
        clock = _Clock()
        vectors = (_word_vectors(flags, sentences),)
        times["word_vectors"] = clock.seconds()
    if flags.feature == "tf_idf":
        settings = {"min_count": flags.min_count}
    elif flags.feature == "hglmm":
        settings = {
            "num_centers": flags.num_centers,
            "dimension": flags.dimension,
            "seed": flags.seed,
        }
    before, clock = _peak_mb(), _Clock()
    feature = kinds[flags.feature].fit(sentences, *vectors, **settings)
    times["fit"], clock = clock.seconds(), _Clock()
    features = feature.transform(sentences)
    times["transform_train"], clock = clock.seconds(), _Clock()
    dev_features = feature.transform(dev_sentences)
    times["transform"] = clock.seconds()
    peak, clock = _peak_mb(), _Clock()
    best = _retrieval(
        flags, images, features, image_of_sentence, dev_images, dev_features, dev_image
    )
    times["retrieval"] = clock.seconds()
    row = {
        "feature": flags.feature,
        "numbers": feature.dimension,
        "fitted_to_sentences": len(sentences),
        "fitting_processor_seconds": times["fit"]["cpu_seconds"],
        "processor_ms_per_sentence": 1e3 * times["transform_train"]["cpu_seconds"] / len(sentences),
        "before_mib": before,
        "memory_mib": peak,
        "sum_of_recalls": best["sum"],
    }
    empty = [feature.count_empty(sentences), feature.count_empty(dev_sentences)]
    return row, {"num_empty": empty, "times": times, "best": best}


def main():
    flags = _flags()
    if flags.gensim_path:
        sys.path.append(flags.gensim_path)
    row, details = measure(flags)
    print_entry("one feature and others", [row], flags, **details)


if __name__ == "__main__":
    main()
