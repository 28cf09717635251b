"""Writing records with one network of Model Garden beside a detector and an encoder apart.

A RetinaNet with a ResNet-50 is exported with random weights by `tfrecords_tools.export_detector`.
Generated photographs are written with it as detector and encoder, and with it as detector and
another encoder for 20 crops, in turns. Pooling is what `--region_features=pool` does with one map,
its frame cut out too, beside Model Garden's RoIAlign in its place: the time of a photograph's
regions, and how far the features are apart, as one reads a map's cells at their centres and the
other at their corners. Figures are medians.

    python -m benchmarks.detector_features --image_encoder=keras:ResNet50
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.detector_features --compare=pooling
"""

import io
import json
import os
import pathlib
import statistics
import tempfile
import time

import numpy as np

from benchmarks.benchmark_parser import BenchmarkParser, print_entry

_HEIGHT, _WIDTH = 375, 500


def _flags():
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--compare", choices=("network", "pooling"), default="network")
    parser.add_argument(
        "--image_encoder", default="keras:ResNet50", help="of crops (default keras:ResNet50)"
    )
    parser.add_integers(
        ("image_size", 512, "pixels of a side that photographs are fitted into"),
        ("num_regions", 20, "regions of a photograph"),
        ("num_images", 8, "photographs of a turn"),
        ("repeats", 3, "turns, after one to warm up"),
        ("map_size", 14, "of the pooled map"),
        ("feature_size", 1280, "of the pooled map"),
    )
    return parser.parse_args()


def _export(path, image_size):
    from tfrecords_tools.detection.garden_detector import export_detector

    # One class: that random scores of 90 are all suppressed would take longer than the network.
    model = {"num_classes": 2, "input_size": [image_size, image_size, 3]}
    export_detector(
        "retinanet_resnetfpn_coco",
        None,
        path,
        params_override=json.dumps({"task": {"model": model}}),
        score_threshold=0.0,
    )


def _examples(count):
    from PIL import Image

    from tfrecords_tools.probes import probe_image
    from tfrecords_tools.sources.source import SourceExample

    examples = []
    for number in range(count):
        file = io.BytesIO()
        Image.fromarray(probe_image(_HEIGHT, _WIDTH, number)).save(file, "JPEG", quality=90)
        name = f"{number}.jpg"
        examples.append(SourceExample(name, name, ("A dog runs .",), file.getvalue))
    return examples


def compare_networks(flags):
    """Returns photographs a second of both, a row of the table."""
    from tfrecords_tools.detectors import make_detector
    from tfrecords_tools.encoders import make_encoder
    from tfrecords_tools.shard_writer import ShardWriter
    from tfrecords_tools.write_settings import WriteSettings

    examples = _examples(flags.num_images)
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder, "detector"))
        _export(path, flags.image_size)
        writers = {}
        for name, spec in (("one_network", "detector"), ("apart", flags.image_encoder)):
            detector = make_detector(path)
            encoder = make_encoder(spec, weights="random", detector=detector)
            settings = WriteSettings(image_encoder=spec, num_regions=flags.num_regions)
            models = detector, encoder
            writers[name] = ShardWriter(settings, lambda _, models=models: models)
        seconds = {name: [] for name in writers}
        for _ in range(flags.repeats + 1):
            for name, writer in writers.items():
                started = time.perf_counter()
                note = writer.write(str(pathlib.Path(folder, name)), examples)
                seconds[name].append(time.perf_counter() - started)
                if note["num_with_fewer_regions"]:
                    raise SystemExit("detector_features.py: the detector found too few regions")
    rates = {name: flags.num_images / statistics.median(own[1:]) for name, own in seconds.items()}
    return {
        "encoder apart": flags.image_encoder,
        **{f"{name}_images_per_second": round(rate, 2) for name, rate in rates.items()},
        "one / apart": round(rates["one_network"] / rates["apart"], 2),
    }


def compare_pooling(flags):
    """Returns milliseconds of both and how far their features are apart, a row of the table."""
    import tensorflow as tf
    from official.vision.ops.spatial_transform_ops import multilevel_crop_and_resize

    from tfrecords_tools.encoders import PoolEncoder
    from vsa_tf.boxes import WHOLE_FRAME

    rng = np.random.default_rng(0)
    side, level = flags.map_size, 5
    values = rng.random((1, side // 2 + 1, side // 2 + 1, flags.feature_size), np.float32)
    # As smooth as maps are.
    values = tf.image.resize(values, (side, side), "bicubic")
    corners = np.sort(rng.random((flags.num_regions - 1, 2, 2)), axis=1).reshape(-1, 4)
    boxes = np.concatenate([WHOLE_FRAME, np.float32(corners)])

    class Network:
        own_size, map_channels = 32 * side // 2, flags.feature_size

        def maps(self, _):
            return values.numpy()

    pool = PoolEncoder(Network(), 32 * side)
    image = np.zeros((pool.size, pool.size, 3), np.uint8)  # of the size that it would be cut to

    @tf.function
    def garden(maps, boxes):
        pixels = boxes * (side * 2.0**level)
        points = multilevel_crop_and_resize({str(level): maps}, pixels[None], output_size=7)
        return tf.reduce_mean(points[0], axis=(1, 2))

    ways = {
        "separable": lambda: pool.encode([image], [boxes])[0],
        "model_garden": lambda: garden(values, boxes).numpy(),
    }
    seconds, features = {name: [] for name in ways}, {}
    for _ in range(20 * flags.repeats + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            features[name] = way()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: 1000 * statistics.median(own[1:]) for name, own in seconds.items()}
    one, other = features["separable"], features["model_garden"]
    apart = np.linalg.norm(one - other, axis=1) / np.linalg.norm(one, axis=1)
    return {
        "map": f"{side} x {side} x {flags.feature_size}",
        **{f"{name}_ms": round(own, 2) for name, own in medians.items()},
        "Model Garden's / separable": round(medians["model_garden"] / medians["separable"], 2),
        "relative_difference": round(float(apart.mean()), 4),
    }


def main():
    flags = _flags()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if flags.compare == "network":
        print_entry("one network / two", [compare_networks(flags)], flags)
    else:
        print_entry("RoIAlign / separable pooling", [compare_pooling(flags)], flags)


if __name__ == "__main__":
    main()
