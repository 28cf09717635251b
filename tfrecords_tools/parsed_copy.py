"""A copy of records with the dependency relations of their captions."""

import hashlib

import tensorflow as tf

from tfrecords_tools.example_encoding import encode_dependencies
from tfrecords_tools.record_directory import RecordDirectory
from tfrecords_tools.shard_writer import shard_file
from vsa_tf.data import schema
from vsa_tf.data.dataset_info import DatasetInfo

_KEPT = ("schema_version", "dataset", "settings", "encoder", "detector")


def copy_with_dependencies(data_dir, parses, output_dir, report=lambda num_images: None):
    """Copies records shard by shard: what `tfrecords_tools.write --dependencies` would write.

    Args:
        data_dir: directory of records that are not parsed.
        parses: the `DependencyParses` of their captions.
        output_dir: directory, made if missing. Records of other settings there are refused.
        report: called with the number of images after each shard.

    Returns:
        The content of the new `dataset_info.json`.

    Raises:
        ValueError: for records that have parses, or are damaged; for parses of other captions; for
            other records in `output_dir`.
        OSError: when a file cannot be read or written.
    """
    info = DatasetInfo.load(data_dir)
    if any(split.num_dependencies is not None for split in info.splits.values()):
        raise ValueError(
            f"Expected records without dependency relations. Received: {data_dir}, which has some; "
            "copy the records that it was made from"
        )
    contents = dict(info.contents)
    contents["sources"] = {**contents["sources"], "dependencies": parses.sha256}
    directory = RecordDirectory(output_dir)
    with directory.locked():
        _check_fit(info, parses)
        directory.open(
            {
                **{name: contents[name] for name in _KEPT},
                "splits": {name: len(split.shards) for name, split in info.splits.items()},
                "sources": contents["sources"],
            }
        )
        contents["splits"] = {
            name: contents["splits"][name] | _copy_split(info, name, parses, directory, report)
            for name in info.splits
        }
        skipped = parses.skipped()
        contents["skipped"] = [*contents["skipped"], *(skip.entry() for skip in skipped)]
        contents["num_skipped"] += sum(skip.count for skip in skipped)
        directory.finish(contents)
    return contents


def _check_fit(info, parses):
    """Refuses parses of other captions, before anything is written."""
    for name in info.splits:
        for shard, path in zip(info.split(name).shards, info.shard_paths(name), strict=True):
            for record in _records(path, shard.num_records):
                _find_dependencies(record, name, parses)
                if parses.fit:
                    return
    parses.check()


def _copy_split(info, name, parses, directory, report):
    parses.forget(name)
    counts = {"num_parsed_sentences": 0, "num_dependencies": 0}
    shards = []
    for shard, path in zip(info.split(name).shards, info.shard_paths(name), strict=True):
        copied = directory.path(shard.file)
        with shard_file(copied) as writer:
            for record in _records(path, shard.num_records):
                dependencies = _find_dependencies(record, name, parses)
                encode_dependencies(record.features.feature, dependencies)
                counts["num_parsed_sentences"] += sum(map(bool, dependencies))
                counts["num_dependencies"] += sum(map(len, dependencies))
                writer.write(record.SerializeToString(deterministic=True))
        with open(copied, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        shards.append({"file": shard.file, "num_records": shard.num_records, "sha256": sha256})
        report(shard.num_records)
    return {"shards": shards, **counts}


def _records(path, num_records):
    """Yields the records of a shard, `tf.train.Example`s."""
    count = 0
    try:
        for serialized in tf.data.TFRecordDataset(path):
            yield tf.train.Example.FromString(serialized.numpy())
            count += 1
    except tf.errors.DataLossError:
        count = -1
    if count != num_records:
        raise ValueError(
            f"Expected {num_records} whole records. Received: {path}, which is damaged. Repeat the "
            "command that wrote it"
        )


def _find_dependencies(record, split, parses):
    features = record.features.feature
    names = [
        features[key].bytes_list.value[0].decode("utf-8")
        for key in (schema.IMAGE_SOURCE_ID, schema.IMAGE_FILENAME)
    ]
    captions = [text.decode("utf-8") for text in features[schema.CAPTION_RAW].bytes_list.value]
    return parses.of(split, *names, captions)
