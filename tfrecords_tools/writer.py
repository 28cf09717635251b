"""From a source to a directory of records."""

import dataclasses
import functools
import math
import sys
import time

from tfrecords_tools.detection.file_proposals import FileProposals
from tfrecords_tools.detectors import SourceProposals
from tfrecords_tools.image_decoding import ImageError, decode_image
from tfrecords_tools.progress import Progress
from tfrecords_tools.record_directory import RecordDirectory
from tfrecords_tools.sources.caption_source import UNNAMED
from tfrecords_tools.worker_pool import ShardTask, WorkerPool
from tfrecords_tools.write_settings import GIVEN
from vsa_tf.data import schema
from vsa_tf.model_handles import joined_specs

# A worker takes a shard at a time: a few hundred photographs shall keep two busy.
IMAGES_PER_SHARD = 250


@dataclasses.dataclass(frozen=True)
class WriteResult:
    """What was written.

    Attributes:
        info: the contents of `dataset_info.json`.
        empty_splits: `{split: why}` of splits that are not there, as no photograph can be used:
            the first reason, or "".
        num_images: photographs processed by this run; earlier runs' shards are not among them.
        startup_seconds: until the first photograph: reading the source, loading the models.
        seconds: from the first photograph to the end.
    """

    info: dict
    empty_splits: dict
    num_images: int
    startup_seconds: float
    seconds: float

    @property
    def skipped(self):
        """How many were left out, a str; apart those that a file of splits does not name."""
        entries = (own for own in self.info["skipped"] if own["reason"].startswith(UNNAMED))
        unnamed = sum(own.get("count", 1) for own in entries)
        apart = f", of these {unnamed} not named by --splits_file" if unnamed else ""
        return f"{self.info['num_skipped']}{apart}"


def write_records(
    source,
    output_dir,
    settings,
    *,
    splits=None,
    num_workers=0,
    make_models=None,
    make_pool=None,
    stream=sys.stderr,
):
    """Writes a data set as sharded records, or goes on where an earlier run was interrupted.

    The files depend on the source and the settings alone: not on the number of workers, nor on
    interruptions. (`num_workers=0` works in this process with its own TensorFlow threads: features
    of a network may then differ in their last bits.)

    Args:
        source: a `Source`.
        output_dir: directory, made if missing. Records of other settings there are refused.
        settings: a `WriteSettings`.
        splits: names of the splits to write; None for all that have photographs.
        num_workers: number of processes; 0 for this process.
        make_models: picklable function of the settings that returns `(detector, encoder)`; by
            default those that the settings name.
        make_pool: function of the settings and `make_models` that returns what writes the shards
            in place of `num_workers` processes, such as `BeamPool`.
        stream: where progress goes; None for nowhere.

    Returns:
        A `WriteResult`.

    Raises:
        ValueError: for settings or sources that cannot be used, or other records in the directory.
        OSError: when a file cannot be read or written.
        RuntimeError: when a worker process died.
    """
    start = time.monotonic()
    feature_size = source.feature_size
    if (feature_size is None) == (settings.image_encoder == GIVEN):
        raise ValueError(
            f"Expected image_encoder={GIVEN!r} for sources that bring features, and for them "
            f"alone. Received: image_encoder={settings.image_encoder!r} for {source.name}"
        )
    directory = RecordDirectory(output_dir)
    with directory.locked():
        tasks = _plan(source, splits, settings)
        identity = {
            "schema_version": schema.SCHEMA_VERSION,
            "dataset": source.name,
            "splits": _count_shards(tasks),
            "settings": settings.recorded(),
            "sources": source.checksums(),
        }
        directory.check(identity)
        if make_pool is None:
            make_pool = functools.partial(WorkerPool, min(num_workers, len(tasks)))
        try:
            with make_pool(settings, make_models or _make_models) as pool:
                _check_proposals(tasks, settings)
                description = pool.description()
                if feature_size is not None:
                    description |= {"feature_size": feature_size}
                    description["encoder"] |= {
                        "dataset": source.features_of or source.name,
                        "feature_size": feature_size,
                    }
                identity |= {key: description[key] for key in ("encoder", "detector")}
                if stream is not None:
                    stream.writelines(f"{line}\n" for line in description["warnings"])
                fingerprint = directory.open(identity)
                notes, missing = _resume(directory, tasks, fingerprint, stream)
                startup_seconds = time.monotonic() - start
                progress = Progress(sum(len(task.examples) for task in missing), stream)
                for num_images, note in pool.run(missing, directory, fingerprint):
                    progress.add(num_images)
                    if note is not None:
                        notes[note["file"]] = note
                progress.close()
        except BaseException:
            # Workers that were ended in the middle of a shard.
            directory.remove_partials()
            raise
        info = _finish(directory, source, splits, tasks, notes, identity, description, settings)
        empty_splits = {} if splits else _empty_splits(source, tasks)
        return WriteResult(info, empty_splits, progress.total, startup_seconds, progress.seconds())


def _make_models(settings):
    from tfrecords_tools.detectors import make_detector
    from tfrecords_tools.encoders import make_encoder

    detector = make_detector(settings.detector)
    encoder = make_encoder(
        settings.image_encoder,
        settings.region_features,
        settings.crop_size,
        settings.encoder_input,
        detector=detector,
        num_crops=settings.num_crops,
    )
    return detector, encoder


def _plan(source, splits, settings):
    """Returns the `ShardTask`s of all splits, in order."""
    available = source.splits()
    unknown = [split for split in splits or () if split not in available]
    if unknown:
        raise ValueError(
            f"Expected --splits among {', '.join(available)}. Received: {', '.join(unknown)}"
        )
    tasks = []
    for split in splits or available:
        examples = source.example_sequence(split)
        if not examples:
            if splits:
                reason = _first_reason(source, split)
                first = f" First reason: {reason}." if reason else ""
                raise ValueError(f"Split {split!r} has no usable photograph.{first}")
            continue
        count = settings.num_shards or math.ceil(len(examples) / IMAGES_PER_SHARD)
        bounds = [index * len(examples) // count for index in range(count + 1)]
        tasks.extend(
            ShardTask(split, schema.shard_name(split, index, count), examples[first:last])
            for index, (first, last) in enumerate(zip(bounds, bounds[1:]))
        )
    if not tasks:
        reasons = [skip.reason for skip in source.skipped]
        first = f" First reason: {reasons[0]}." if reasons else ""
        raise ValueError(f"No split has a usable photograph.{first}")
    given = settings.image_encoder == GIVEN
    if given and settings.store_images and tasks[0].examples[0].read_image is None:
        raise ValueError(
            f"Expected store_images=False for {source.name}, whose features are there in place of "
            "photographs. Received: store_images=True"
        )
    if settings.object_features and not any(
        example.objects for task in tasks for example in task.examples
    ):
        raise ValueError(
            "Expected annotated boxes with --object_features. Received: photographs without any. "
            "Give --entities, or leave the flag out"
        )
    source.check()
    return tasks


def _first_reason(source, split):
    return next((skip.reason for skip in source.skipped if skip.split == split), "")


def _empty_splits(source, tasks):
    # What has no photograph at all may not be among the splits.
    found = dict.fromkeys([*source.splits(), *(skip.split for skip in source.skipped)])
    written = {"", *(task.split for task in tasks)}
    return {split: _first_reason(source, split) for split in found if split not in written}


def _check_proposals(tasks, settings):
    """Refuses what lacks proposals while nothing is written; workers would find one by one."""
    for part in joined_specs(settings.detector):
        name, _, path = part.partition(":")
        if name != "proposals":
            continue
        if not path:
            # A data set brings them for all photographs, or for none.
            SourceProposals().check([tasks[0].examples[0]])
            continue
        detector = FileProposals(path)
        missing = detector.missing(example for task in tasks for example in task.examples)
        # Who made the file may have left out what cannot be decoded, as the writer will.
        if any(_is_sound(example, settings) for example in missing):
            detector.check(missing)


def _is_sound(example, settings):
    try:
        decode_image(example.read_image(), settings.max_image_pixels)
    except (OSError, ImageError):
        return False
    return True


def _count_shards(tasks):
    counts = {}
    for task in tasks:
        counts[task.split] = counts.get(task.split, 0) + 1
    return counts


def _resume(directory, tasks, fingerprint, stream):
    """Returns the notes of whole shards by file, and the tasks that are left."""
    info = directory.info()
    if info is not None:
        recorded = {
            shard["file"]: shard for split in info["splits"].values() for shard in split["shards"]
        }
        missing = [
            task
            for task in tasks
            if not directory.is_whole(task.file, recorded[task.file]["sha256"])
        ]
        notes = {}
    else:
        notes = {task.file: directory.note(task.file, fingerprint) for task in tasks}
        notes = {
            name: note
            for name, note in notes.items()
            # Shards of an interrupted run of before boxes had classes lack them.
            if note is not None and "object_classes" in note
        }
        missing = [task for task in tasks if task.file not in notes]
    if stream is not None and len(missing) < len(tasks):
        stream.write(f"{len(tasks) - len(missing)} of {len(tasks)} shards are already written.\n")
    return notes, missing


def _finish(directory, source, chosen, tasks, notes, identity, description, settings):
    info = directory.info()
    if info is not None:
        return _check_repaired(directory, info, notes)
    notes = [(task, notes[task.file]) for task in tasks]
    skipped = [skip.entry() for skip in source.skipped if not chosen or skip.split in ("", *chosen)]
    skipped += [
        {"split": task.split, "source_id": source_id, "reason": reason}
        for task, note in notes
        for source_id, reason in note["skipped"]
    ]
    splits = {}
    for split in identity["splits"]:
        own = [note for task, note in notes if task.split == split]
        splits[split] = {
            "num_images": sum(note["num_records"] for note in own),
            "num_sentences": sum(note["num_sentences"] for note in own),
            "num_phrases": sum(note["num_phrases"] for note in own),
            "num_with_fewer_regions": sum(note["num_with_fewer_regions"] for note in own),
            "shards": [
                {key: note[key] for key in ("file", "num_records", "sha256")} for note in own
            ],
        }
        if source.is_parsed:
            for key in ("num_parsed_sentences", "num_dependencies"):
                splits[split][key] = sum(note[key] for note in own)
        if not splits[split]["num_images"]:
            reason = next(item["reason"] for item in skipped if item["split"] == split)
            raise ValueError(
                f"No photograph of split {split!r} could be written. First reason: {reason}"
            )
    info = {
        **identity,
        "splits": splits,
        "num_regions": max(note["num_regions"] for _, note in notes),
        "region_feature_size": description["feature_size"],
        "image_feature_size": description["feature_size"],
        "images_stored": settings.store_images,
        "object_features": settings.object_features,
        "skipped": skipped,
        "num_skipped": sum(item.get("count", 1) for item in skipped),
    }
    classes = {tuple(own) for _, note in notes for own in note["object_classes"]}
    if classes:
        info["object_classes"] = {str(label): name for label, name in sorted(classes)}
    directory.finish(info)
    return info


def _check_repaired(directory, info, notes):
    """A damaged shard of a finished directory was written again: it must be what it was."""
    for split in info["splits"].values():
        for shard in split["shards"]:
            note = notes.get(shard["file"])
            if note is not None and note["sha256"] != shard["sha256"]:
                reason = "the photographs or the libraries have changed"
                if note["object_classes"] and "object_classes" not in info:
                    reason = "these records are of a version whose boxes had no classes"
                raise ValueError(
                    f"{directory.path(shard['file'])!r} was damaged, and written again it is not "
                    f"what it was: {reason}. Empty the directory and write all of it."
                )
    directory.clean()
    return info
