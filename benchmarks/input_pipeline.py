"""How fast the input pipeline makes batches, next to how fast a training step takes them.

Records of random numbers are written, read with `RecordSplit`, and fed to a training step:
region features from memory, where they fit as training keeps them; from the files, cold (the
system has forgotten the files) and warm (the same batches again); and pixels, decoded for each
batch, or once and kept, then with every `--augmentation`. Processor ms are a batch's, of all
cores. Batches per step are those that come in the time of one step of `--step_ms`: well above 1
the pipeline is no bottleneck. Growth is what the process takes more while it reads. Bytes per
caption are what it holds of the annotations, plan and tokens included, without features.

    python -m benchmarks.input_pipeline --step_ms=100
    TMPDIR=DIR python -m benchmarks.input_pipeline --num_images=113287 --num_pixel_steps=0

The second has as many records as COCO, in a directory of the disk that is measured. With
--num_pixel_steps=0 no pixels are stored.
"""

import json
import os
import tempfile
import time

from benchmarks.benchmark_parser import BenchmarkParser, print_entry


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_integers(
        ("num_images", 1000, "records to write"),
        ("num_regions", 20, "regions of an image"),
        ("feature_size", 1280, "numbers in a feature"),
        ("image_height", 375, "of a stored JPEG"),
        ("image_width", 500, "of a stored JPEG"),
        ("image_size", 128, "side of the model's image"),
        ("batch_size", 100, "pairs in a batch"),
        ("num_steps", 100, "batches of features to time"),
        ("num_pixel_steps", 20, "batches of pixels to time; 0: none are stored"),
        ("seed", 0, "of the records and the batches"),
        may_be_zero=("num_pixel_steps",),
    )
    parser.add_argument(
        "--step_ms", type=float, default=100.0, help="of a training step (default 100)"
    )
    flags = parser.parse_args()
    if flags.step_ms < 1:
        parser.error(f"expected --step_ms of 1 or more, received {flags.step_ms}")
    return flags


def write_records(data_dir, flags):
    """Writes one split, `train`, of random features, images and captions."""
    import numpy as np
    import tensorflow as tf

    from vsa_tf.data import schema

    generator = np.random.default_rng(flags.seed)
    pixels = generator.integers(0, 256, [flags.image_height // 8, flags.image_width // 8, 3])
    # Enlarged noise: a JPEG of about a photograph's size.
    image = tf.image.resize(pixels, [flags.image_height, flags.image_width], method="bicubic")
    jpeg = tf.io.encode_jpeg(tf.cast(tf.clip_by_value(image, 0, 255), tf.uint8)).numpy()
    size = flags.num_regions * flags.feature_size
    # Each image has its own place in them, for to draw them all takes longer than the rest.
    numbers = generator.standard_normal(size + 2**20).astype("<f2")
    name = schema.shard_name("train", 0, 1)
    with tf.io.TFRecordWriter(os.path.join(data_dir, name)) as writer:
        for index in range(flags.num_images):
            start = generator.integers(2**20)
            captions = [
                " ".join(map(str, generator.integers(4, 3000, length)))
                for length in generator.integers(5, 25, 5)
            ]
            values = {
                schema.IMAGE_SOURCE_ID: [str(index).encode()],
                schema.IMAGE_FILENAME: [f"{index}.jpg".encode()],
                schema.IMAGE_ENCODED: [jpeg] * bool(flags.num_pixel_steps),
                schema.REGION_FEATURE: [numbers[start : start + size].tobytes()],
                schema.CAPTION_RAW: [caption.encode() for caption in captions],
            }
            example = tf.train.Example()
            for key, column in values.items():
                example.features.feature[key].bytes_list.value.extend(column)
            for key, side in zip(schema.REGION_BOX, (0.0, 0.0, 1.0, 1.0), strict=True):
                example.features.feature[key].float_list.value.extend([side] * flags.num_regions)
            writer.write(example.SerializeToString())
    split = {
        "num_images": flags.num_images,
        "num_sentences": 5 * flags.num_images,
        "num_phrases": 0,
        "shards": [{"file": name, "num_records": flags.num_images, "sha256": ""}],
    }
    info = {
        "schema_version": schema.SCHEMA_VERSION,
        "dataset": "random",
        "splits": {"train": split},
        "num_regions": flags.num_regions,
        "region_feature_size": flags.feature_size,
        "image_feature_size": 0,
        "images_stored": bool(flags.num_pixel_steps),
        "encoder": {},
        "detector": {},
    }
    with open(os.path.join(data_dir, schema.DATASET_INFO), "w", encoding="utf-8") as file:
        json.dump(info, file)
    return len(jpeg)


def seconds_per_batch(dataset, num_warm_up, num_steps):
    """Returns the seconds, and the processor's seconds, of a batch after the first few."""
    iterator = iter(dataset)
    for _ in range(num_warm_up):
        next(iterator)
    start, processor_start = time.perf_counter(), time.process_time()
    for _ in range(num_steps):
        next(iterator)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor_start
    return seconds / num_steps, processor / num_steps


def forget(paths):
    """Has the system drop what it keeps of files in memory."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def own_mib():
    """Returns the memory of the process itself, without files, in MiB."""
    with open("/proc/self/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("RssAnon:")]
    return int(line.split()[1]) / 1024


def measure(flags):
    """Writes records, times the pipeline on them; returns rows of the table and the rest."""
    from vsa_tf.data.batch_plan import BatchPlan
    from vsa_tf.data.caption_rows import TokenStore
    from vsa_tf.data.input_pipeline import InputPipeline
    from vsa_tf.data.record_split import RecordSplit

    def rate(name, pipeline, num_steps, augmentation=None):
        dataset = pipeline.training_batches(plan, augmentation=augmentation)
        before = own_mib()
        seconds, processor_seconds = seconds_per_batch(dataset, 2, num_steps)
        return {
            "fed": name,
            "images": flags.num_images,
            "batches_per_second": round(1 / seconds, 2),
            "processor_ms": round(1000 * processor_seconds, 2),
            "batches_per_step": round(flags.step_ms / 1000 / seconds, 2),
            "growth_mib": round(own_mib() - before, 1),
        }

    with tempfile.TemporaryDirectory() as data_dir:
        jpeg_bytes = write_records(data_dir, flags)
        before, start = own_mib(), time.perf_counter()
        uncached = RecordSplit(data_dir, "train", feature_cache_bytes=0)
        read_seconds = time.perf_counter() - start
        tokens = TokenStore.from_captions(
            uncached.captions, lambda captions: [list(map(int, c.split())) for c in captions], 30
        )
        plan = BatchPlan(
            tokens.lengths, uncached.image_of_caption, flags.batch_size, seed=flags.seed
        )
        plan.batch(0)
        held = own_mib() - before
        rows = []
        forget(uncached.info.shard_paths("train"))
        for state in ("cold", "warm"):
            pipeline = InputPipeline(uncached, tokens)
            rows.append(rate(f"features from files, {state}", pipeline, flags.num_steps))
        if (split := RecordSplit(data_dir, "train")).features_cached:
            pipeline = InputPipeline(split, tokens)
            rows.append(rate("features from memory", pipeline, flags.num_steps))
        if flags.num_pixel_steps:
            rows += measure_pixels(uncached, tokens, plan, rate, flags)
    split = {
        "images": flags.num_images,
        "reading_seconds": round(read_seconds, 2),
        "bytes_per_caption": round(held * 2**20 / plan.num_captions),
    }
    return [*rows, split], {"jpeg_bytes": jpeg_bytes}


def measure_pixels(split, tokens, plan, rate, flags):
    """Times the ways of reading pixels; returns their rows."""
    from vsa_tf.data.augmentation import Augmentation
    from vsa_tf.data.input_pipeline import InputPipeline

    size = flags.image_size
    decoding = InputPipeline(split, tokens, image_size=size, image_cache_bytes=0)
    rows = [rate("pixels, decoded for each batch", decoding, flags.num_pixel_steps)]
    cached = InputPipeline(split, tokens, image_size=size, image_cache_bytes=2**40)
    cached.training_batches(plan)  # decodes them
    rows.append(rate("pixels, decoded once and kept", cached, flags.num_steps))
    for name in ("mirror", "randaugment", "autoaugment"):
        augmentation = Augmentation(name, split.captions, size, has_regions=False)
        rows.append(rate(f"pixels, kept, {name}", cached, flags.num_pixel_steps, augmentation))
    return rows


def main():
    flags = _flags()
    rows, details = measure(flags)
    print_entry("ways to feed a training step", rows, flags, **details)


if __name__ == "__main__":
    main()
