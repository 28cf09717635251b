"""Writes a data set as TFRecords: photographs, regions, features, sentences, annotations.

    python -m tfrecords_tools.write --dataset=flickr8k --images=Flickr8k_Dataset.zip \\
        --captions=Flickr8k_text.zip --entities=annotations.zip \\
        --detector=MODEL_DIR --image_encoder=MODEL_DIR --output_dir=DIR

Directories and zips serve alike. Interrupted, the same command goes on where it was; the files
depend on the inputs and the seed alone, not on the number of workers.
"""

import functools
import os

from absl import flags

from tfrecords_tools.dependency_parses import DependencyParses, ParsedSource
from tfrecords_tools.detection.opencv_proposals import load_opencv
from tfrecords_tools.detectors import FILE_DETECTORS, NAMED_DETECTORS
from tfrecords_tools.encoders import REGION_FEATURES, WITHOUT_NETWORK
from tfrecords_tools.encoding.region_encoders import ENCODER_INPUTS
from tfrecords_tools.sources.csv_captions import parse_shares
from tfrecords_tools.sources.registry import (
    DATASETS,
    FEATURE_DATASETS,
    brings_photographs,
    check_paths,
    check_source,
    make_source,
)
from tfrecords_tools.write_settings import WriteSettings
from tfrecords_tools.writer import write_records
from vsa_tf.errors import VsaTfError, check_given, meant
from vsa_tf.model_handles import check_handles, check_spec, fetch, joined_specs
from vsa_tf.program import run


def define_flags(flag_values=flags.FLAGS):
    """Defines the program's flags."""
    define = {"flag_values": flag_values}
    default = WriteSettings()
    flags.DEFINE_string(
        "dataset",
        None,
        f"Data set to write: {', '.join(DATASETS)}. PATTERN: directories, files or globs with "
        "commas between them, whose names tell the split, or SPLIT=GLOB.",
        **define,
    )
    flags.DEFINE_string(
        "images",
        None,
        "Directory or zip of the photographs; of tfds:NAME the directory of tensorflow-datasets.",
        **define,
    )
    flags.DEFINE_multi_string(
        "captions",
        None,
        "Directory or zip of the captions, or the file; of the features too, where they are given. "
        "csv, regions and coco take several, each with the flag.",
        **define,
    )
    flags.DEFINE_string(
        "entities",
        None,
        "Directory or zip of Flickr30K Entities (phrases and boxes) or of COCO's instances_*.json.",
        **define,
    )
    flags.DEFINE_string(
        "features",
        None,
        "Features that others made of the photographs' regions, in place of detector and encoder: "
        "bottom_up:PATH[,PATH...], TSV files or directories of .npz files; --images is optional.",
        **define,
    )
    flags.DEFINE_string(
        "dependencies",
        None,
        "CoNLL-U file of parses of the captions, see tfrecords_tools.parse.",
        **define,
    )
    flags.DEFINE_bool(
        "restval_in_train",
        False,
        "Whether Karpathy's restval joins train; else it is a split.",
        **define,
    )
    flags.DEFINE_list(
        "holdout",
        None,
        "Of csv and regions: shares of the photographs without a split that become dev,test, by a "
        "hash of their paths; by default 0.1,0.1 where no row has a split.",
        **define,
    )
    flags.DEFINE_string(
        "splits_file", None, "CSV rows name,split in place of the data set's splits.", **define
    )
    flags.DEFINE_string("output_dir", None, "Directory for the records.", **define)
    flags.DEFINE_string(
        "detector",
        default.detector,
        "SavedModel (a directory, https://... of TF Hub, kaggle:OWNER/MODEL/FRAMEWORK/VARIATION), "
        "keras_hub:PRESET, proposals:FILE.json, proposals, selective_search, "
        "edge_boxes:MODEL.yml.gz, grid, shapes (of generated scenes) or none. Several with commas: "
        "the boxes of the first come first, those near an earlier one are dropped.",
        **define,
    )
    flags.DEFINE_string(
        "image_encoder",
        default.image_encoder,
        "SavedModel (a directory, https://... of TF Hub, kaggle:OWNER/MODEL/FRAMEWORK/VARIATION), "
        "keras:NAME, keras_hub:PRESET, detector (features of the detector's own pass, see "
        "tfrecords_tools.export_detector), or pixels (no features).",
        **define,
    )
    flags.DEFINE_enum(
        "encoder_input",
        default.encoder_input,
        ("", *ENCODER_INPUTS),
        "What a SavedModel encoder expects of its pixels: 0..1 as TF Hub's do, -1..1, 0..255, "
        "imagenet (less the mean, by the deviation: Model Garden, PyTorch) or caffe (blue first, "
        "less the mean); empty: 0..1, or 0..255 where it takes uint8.",
        **define,
    )
    flags.DEFINE_integer(
        "num_regions",
        default.num_regions,
        "Most regions of an image, the whole frame included.",
        **define,
    )
    flags.DEFINE_enum(
        "region_features",
        default.region_features,
        REGION_FEATURES,
        "crop: one pass of the encoder a region; pool: one an image, pooled by region; both: side "
        "by side, pooled from a frame of twice the encoder's own size.",
        **define,
    )
    flags.DEFINE_integer(
        "crop_size",
        default.crop_size,
        "Pixels that crops are resized to; 0: the encoder's own.",
        **define,
    )
    flags.DEFINE_integer(
        "num_crops",
        default.num_crops,
        "Views of the whole frame whose features are averaged: 1, or 10: corners, centre and their "
        "mirror images, squares of 7/8 of the shorter side.",
        **define,
    )
    flags.DEFINE_float(
        "nms_threshold",
        default.nms_threshold,
        "IoU above which the worse box is dropped.",
        **define,
    )
    flags.DEFINE_bool(
        "object_features",
        default.object_features,
        "Whether records hold features of annotated boxes: phrase localization trains on them.",
        **define,
    )
    flags.DEFINE_bool(
        "store_images", default.store_images, "Whether records hold the images.", **define
    )
    flags.DEFINE_integer(
        "max_image_side",
        default.max_image_side,
        "Longest side of stored images in pixels, larger ones are reduced; 0: any.",
        **define,
    )
    flags.DEFINE_integer(
        "max_image_pixels", default.max_image_pixels, "Largest image that is decoded.", **define
    )
    flags.DEFINE_list("splits", None, "Splits to write; by default all.", **define)
    flags.DEFINE_integer(
        "num_shards", default.num_shards, "Files of a split; 0: about 250 images a file.", **define
    )
    flags.DEFINE_integer(
        "num_workers", None, "Processes; by default one a core; 0: this process.", **define
    )
    flags.DEFINE_enum(
        "runner",
        "local",
        ("local", "beam"),
        "local: --num_workers processes; beam: the workers of Apache Beam, an extra.",
        **define,
    )
    flags.DEFINE_string(
        "beam_options",
        None,
        "Of --runner=beam, as Beam's own programs take them: '--runner=FlinkRunner "
        "--flink_master=HOST:8081'. Workers on other machines need the same absolute paths.",
        **define,
    )
    flags.DEFINE_list("num_examples", None, "Sizes of shape_scenes: train,dev,test.", **define)
    flags.DEFINE_integer("seed", default.seed, "Seed of generated data sets.", **define)


def main(flag_values=flags.FLAGS):
    """Checks the flags, writes the records and prints what was written.

    Raises:
        VsaTfError: for everything that the user can mend.
    """
    try:
        settings, source_arguments = _check(flag_values)
        make_pool = _beam_pool(flag_values) if flag_values.runner == "beam" else None
        # Once, not by every worker, and before photographs are read.
        for spec in (*joined_specs(settings.detector), settings.image_encoder):
            fetch(spec)
        source = make_source(**source_arguments)
        for note in (*source.notes, *source.split_notes):
            print(note)
        if flag_values.dependencies:
            source = ParsedSource(source, DependencyParses(flag_values.dependencies))
        num_workers = flag_values.num_workers
        if num_workers is None:
            num_workers = len(os.sched_getaffinity(0))
        result = write_records(
            source,
            flag_values.output_dir,
            settings,
            splits=flag_values.splits,
            num_workers=num_workers,
            make_pool=make_pool,
        )
    except VsaTfError:
        raise
    except (ValueError, OSError, RuntimeError) as error:
        raise VsaTfError(_message(error)) from error
    _print_result(result, flag_values.output_dir, source)


def _check(flag_values):
    """Returns the settings and the source's arguments; raises before anything slow is done."""
    check_given(
        flag_values,
        dataset=f"one of {', '.join(DATASETS)}",
        output_dir="where the records are written",
    )
    other = {"local": "beam_options", "beam": "num_workers"}[flag_values.runner]
    if flag_values[other].value is not None:
        raise VsaTfError(
            f"Expected no --{other} with --runner={flag_values.runner}: --num_workers is of the "
            "local runner, --beam_options of Beam's, which count their workers by "
            "'--direct_num_workers=2 --direct_running_mode=multi_threading' and the like"
        )
    if flag_values.num_workers is not None and flag_values.num_workers < 0:
        raise VsaTfError(
            f"Expected --num_workers of at least 0. Received: {flag_values.num_workers}"
        )
    settings = _settings(flag_values)
    num_examples = None
    if flag_values.num_examples:
        try:
            num_examples = tuple(int(number) for number in flag_values.num_examples)
        except ValueError:
            num_examples = ()
        if len(num_examples) != 3 or min(num_examples) < 0:
            raise VsaTfError(
                "Expected --num_examples=TRAIN,DEV,TEST, three counts. "
                f"Received: {','.join(flag_values.num_examples)}"
            )
    arguments = {
        "dataset": flag_values.dataset,
        "images": flag_values.images,
        "captions": flag_values.captions,
        "entities": flag_values.entities,
        "restval_in_train": flag_values.restval_in_train,
        "holdout": flag_values.holdout and parse_shares(flag_values.holdout),
        "num_examples": num_examples,
        "features": flag_values.features,
        "splits_file": flag_values.splits_file,
    }
    check_source(**arguments)
    check_paths(**arguments)
    if flag_values.dependencies and not os.path.isfile(flag_values.dependencies):
        raise VsaTfError(f"--dependencies={flag_values.dependencies} is not a file")
    if os.path.exists(flag_values.output_dir) and not os.path.isdir(flag_values.output_dir):
        raise VsaTfError(f"--output_dir={flag_values.output_dir} is not a directory")
    if flag_values.features or flag_values.dataset in FEATURE_DATASETS:
        return settings, {**arguments, "seed": settings.seed}
    encoder, detectors = settings.image_encoder, joined_specs(settings.detector)
    others = (*NAMED_DETECTORS, *FILE_DETECTORS, "keras", "keras_hub")
    if encoder == "detector" and (len(detectors) > 1 or detectors[0].partition(":")[0] in others):
        raise VsaTfError(
            "Expected --image_encoder=detector with --detector of a SavedModel that "
            "tfrecords_tools.export_detector has written. Received: "
            f"--detector={settings.detector}"
        )
    for detector in detectors:
        _check_detector(detector)
    if encoder not in WITHOUT_NETWORK:
        _check_model("image_encoder", encoder, ("pixels", "detector"), "keras:NAME")
    return settings, {**arguments, "seed": settings.seed}


def _beam_pool(flag_values):
    """Returns a function that makes the pool; raises before anything slow is done."""
    try:
        from tfrecords_tools.beam_pool import BeamPool, beam_options
    except ImportError as error:
        raise VsaTfError(
            '--runner=beam needs Apache Beam, which is not installed: pip install "vsa_tf[beam]"'
        ) from error
    return functools.partial(BeamPool, beam_options(flag_values.beam_options or ""))


def _settings(flag_values):
    """Returns the `WriteSettings` that the flags name."""
    settings = {name: flag_values[name].value for name in WriteSettings.__dataclass_fields__}
    dataset, features = flag_values.dataset, flag_values.features
    if not features and dataset not in FEATURE_DATASETS:
        return WriteSettings(**settings)
    has_photographs = brings_photographs(dataset, flag_values.images, features)
    where = f"for --dataset={dataset}, which brings features in place of photographs"
    if features:
        where = "with --features" + ("" if has_photographs else " and without --images")
    chosen = [name for name in settings if flag_values[name].present]
    return WriteSettings.of_given(settings, chosen, has_photographs, where)


def _check_detector(spec):
    """Tells a mistyped path from a detector, before TensorFlow is imported."""
    name, _, path = spec.partition(":")
    if name in ("selective_search", "edge_boxes"):
        load_opencv()
    if spec in NAMED_DETECTORS:
        return
    if name not in FILE_DETECTORS:
        _check_model(
            "detector", spec, NAMED_DETECTORS, "proposals:FILE.json, edge_boxes:MODEL.yml.gz"
        )
    elif not os.path.isfile(path):
        raise VsaTfError(f"--detector={spec}: there is no file {path!r}")


def _check_model(flag, spec, names, others):
    check_handles(**{flag: spec})
    try:
        check_spec(spec)
    except ValueError as error:
        near = meant(spec, names, otherwise="")
        choices = f"{', '.join(names)}, {others}, keras_hub:PRESET"
        raise VsaTfError(f"--{flag} is none of {choices}. {error}{near}") from error


def _message(error):
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        advice = ""
        if error.strerror == "No space left on device":
            advice = ". Make room and run the same command again: it goes on where it was"
        return f"{error.strerror}{where}{advice}"
    return str(error)


def _print_result(result, output_dir, source):
    info = result.info
    for name, rows in source.layout.items():
        print(f"{name}: the rows of its array are {rows}")
    for name, split in info["splits"].items():
        print(
            f"{name}: {split['num_images']} images, {split['num_sentences']} sentences, "
            f"{split['num_phrases']} phrases in {len(split['shards'])} shards"
        )
        if "num_dependencies" in split:
            print(
                f"{name}: {split['num_parsed_sentences']} of {split['num_sentences']} sentences "
                f"have dependency relations, {split['num_dependencies']} in all"
            )
        official = source.official_counts.get(name, split["num_images"])
        if split["num_images"] != official:
            where = "; see what was skipped" if info["num_skipped"] else ""
            print(f"{name}: as published it has {official} images{where}")
    for name, reason in result.empty_splits.items():
        first = f", first reason: {reason}" if reason else ""
        print(f"{name}: not written, it has no usable photograph{first}")
    features = f"features of {size}" if (size := info["region_feature_size"]) else "no features"
    print(
        f"regions: at most {info['num_regions']}, {features}; skipped: {result.skipped} "
        f"(listed in {os.path.join(output_dir, 'dataset_info.json')})"
    )
    asked = info["settings"]["num_regions"]
    fewer = sum(split.get("num_with_fewer_regions", 0) for split in info["splits"].values())
    if fewer and info["detector"] != {"spec": "none"}:
        print(f"images of fewer regions than --num_regions={asked}, as too few were found: {fewer}")
    if result.num_images:
        rate = result.num_images / max(result.seconds, 1e-9)
        print(
            f"{result.num_images} images in {result.seconds:.1f} s: {rate:.1f} images/s, "
            f"after a start-up of {result.startup_seconds:.1f} s"
        )
    else:
        print("nothing left to do: the directory is complete")


if __name__ == "__main__":
    define_flags()
    run(main, __doc__)
