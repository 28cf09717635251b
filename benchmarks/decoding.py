"""Writing a caption greedily and by beam search, image features given.

Of all steps: an m-RNN as in its paper, with random weights and features, to which END is forbidden,
so that every caption takes all steps: the worst case. A trained model's captions end where it ends
them, and its features are the records' own. Both ways are called as evaluation calls them, in
alternating runs, by a process that may use one core. Milliseconds are of one caption:
processor ms the least of the runs, ms the median, with waiting for a core that others have.

    python -m benchmarks.decoding
    python -m benchmarks.decoding --model_dir=DIR --data_dir=RECORDS [--split=dev]
"""

import os
import sys
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("batch_size", 64, "images of a batch"),
        ("num_batches", 2, "batches of a run"),
        ("beam_size", 10, "beams of an image"),
        ("max_length", 20, "the most tokens of a caption, END counted"),
        ("vocabulary_size", 2500, "number of token ids, without --model_dir"),
        ("feature_size", 1280, "numbers of an image's feature, without --model_dir"),
        ("repeats", 5, "timed runs of each"),
        ("seed", 0, "random seed"),
    )
    parser.add_argument("--model_dir", help="a directory that vsa_tf.train has written")
    parser.add_argument("--data_dir", help="records of the trained model; default: its own")
    parser.add_argument("--split", default="dev", help="split of the records (default dev)")
    flags = parser.parse_args()
    if flags.vocabulary_size < 5:
        parser.error(
            "expected --vocabulary_size of 5 or more, words beside PAD, START, END and "
            f"UNK, received {flags.vocabulary_size}"
        )
    if flags.data_dir and not flags.model_dir:
        parser.error("--data_dir is of a trained model: it needs --model_dir")
    if flags.model_dir and not os.path.isdir(flags.model_dir):
        parser.error(f"--model_dir={flags.model_dir} is not a directory")
    return flags


def _random_model(flags):
    """Returns an untrained model, its batches, and what its captions must not hold."""
    import keras
    import numpy as np

    from vsa_tf.models.captioning.m_rnn import MRnn

    keras.utils.set_random_seed(flags.seed)
    random = np.random.default_rng(flags.seed)
    shape = flags.batch_size, 1, flags.feature_size
    batches = [
        {"region_features": random.random(shape, np.float32).astype(np.float16)}
        for _ in range(flags.num_batches)
    ]
    model = MRnn(flags.vocabulary_size)
    model({**batches[0], "token_ids": np.ones((flags.batch_size, 3), np.int32)})
    return model, batches, {"forbidden_ids": (0, 1, 2, 3)}


def _trained_model(flags):
    """Returns the same of `--model_dir` and the first images of `--split`."""
    from vsa_tf.data.record_split import RecordSplit
    from vsa_tf.errors import VsaTfError
    from vsa_tf.model_dir.load_split import SplitData
    from vsa_tf.model_dir.trained_model import TrainedModel

    trained = TrainedModel(flags.model_dir)
    if trained.settings.model.family != "captioning":
        raise VsaTfError(f"{flags.model_dir} holds no caption generator")
    records = RecordSplit(flags.data_dir or trained.settings.data.data_dir, flags.split)
    if records.num_images < flags.batch_size:
        raise VsaTfError(
            f"expected --batch_size of at most the {records.num_images} images of "
            f"{flags.split}, received {flags.batch_size}"
        )
    data = SplitData.load(records, trained.text, trained.settings.data)
    num_batches = min(flags.num_batches, records.num_images // flags.batch_size)
    return trained.model, list(data.image_batches(flags.batch_size).take(num_batches)), {}


def measure(flags):
    """Runs both ways alternately; returns rows of the table and what is kept beside them."""
    import numpy as np
    import tensorflow as tf

    from vsa_tf.decoding.beam_search import BeamSearch
    from vsa_tf.decoding.sampling import GreedySearch
    from vsa_tf.models.captioning.captioner import CaptionGenerator

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model, batches, rules = (_trained_model if flags.model_dir else _random_model)(flags)
    rules["max_length"] = flags.max_length
    generators = {
        "greedy": CaptionGenerator(model, GreedySearch(**rules)),
        f"{flags.beam_size} beams": CaptionGenerator(model, BeamSearch(flags.beam_size, **rules)),
    }
    lengths = {}
    for name, generator in generators.items():
        captions = np.concatenate([generator.predict_on_batch(b).token_ids for b in batches])
        lengths[name] = float(np.count_nonzero(captions, axis=-1).mean())
    times = {name: {"cpu_ms": [], "wall_ms": []} for name in generators}
    num_sentences = len(batches) * flags.batch_size
    for _ in range(flags.repeats):
        for name, generator in generators.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for batch in batches:
                generator.predict_on_batch(batch)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            times[name]["cpu_ms"].append(1000 * cpu / num_sentences)
            times[name]["wall_ms"].append(1000 * wall / num_sentences)
    of_each = {
        name: {key: np.round(values, 3).tolist() for key, values in each.items()}
        for name, each in times.items()
    }
    rows = [
        {
            "captions": "of a trained model" if flags.model_dir else "of all steps",
            "search": name,
            "tokens": lengths[name],
            "processor_ms": min(each["cpu_ms"]),
            "ms": float(np.median(each["wall_ms"])),
        }
        for name, each in of_each.items()
    ]
    details = {"num_sentences": num_sentences, "vocabulary_size": model.vocabulary_size}
    return rows, {**details, "ms_each": of_each}


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
    # Before TensorFlow makes its threads, which keep to the same core.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import keras

    from vsa_tf.errors import VsaTfError

    if keras.backend.backend() != "tensorflow":
        sys.exit(f"Expected KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    try:
        rows, details = measure(flags)
    except (VsaTfError, OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print_entry("a caption's milliseconds", rows, flags, **details)


if __name__ == "__main__":
    main()
