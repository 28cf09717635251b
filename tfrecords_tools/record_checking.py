"""Verification of a directory of records against what it says of itself."""

import hashlib
import os

import numpy as np
import tensorflow as tf

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.data import schema
from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.parsed_record import ParsedRecord


def check_records(data_dir, max_problems=20, report=lambda num_records: None):
    """Verifies every record: checksums, counts, keys, sizes, finite numbers, boxes in 0..1.

    Args:
        data_dir: directory that `tfrecords_tools.write` filled.
        max_problems: stop after so many.
        report: called with 1 after each record.

    Returns:
        A list of problems, empty when all is well; each names its shard and, where it lies in one
        record, the record's place in the shard, the first being 1.

    Raises:
        OSError, ValueError: when `dataset_info.json` is missing or damaged.
    """
    info = DatasetInfo.load(data_dir)
    problems = []
    for name, split in info.splits.items():
        totals = {"num_sentences": 0, "num_phrases": 0}
        if split.num_dependencies is not None:
            totals |= {"num_parsed_sentences": 0, "num_dependencies": 0}
        seen = set()
        for shard in split.shards:
            left = max_problems - len(problems)
            problems += _check_shard(info, shard, totals, seen, report, left)
            if len(problems) >= max_problems:
                return problems[:max_problems]
        for key, total in totals.items():
            if not problems and total != getattr(split, key):
                problems.append(
                    f"{schema.DATASET_INFO}: {key} of {name} is {getattr(split, key)}, "
                    f"the records hold {total}"
                )
    return problems[:max_problems]


def _check_shard(info, shard, totals, seen, report, max_problems):
    path = os.path.join(info.data_dir, shard.file)
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{shard.file}: cannot be read ({error.strerror})"]
    problems = []
    if digest != shard.sha256:
        problems.append(f"{shard.file}: SHA-256 {digest}, {schema.DATASET_INFO} has {shard.sha256}")
    count = 0
    try:
        for serialized in tf.data.TFRecordDataset(path):
            try:
                _check_record(info, serialized.numpy(), totals, seen)
            except ValueError as error:
                problems.append(f"{shard.file}, record {count + 1}: {error}")
                if len(problems) >= max_problems:
                    return problems
            count += 1
            report(1)
    except tf.errors.DataLossError as error:
        # What follows a damaged record cannot be found: its length may be what is damaged.
        reason = error.message.split(" [Op")[0].split("\n")[0]
        reason = reason.replace(
            "{{function_node __wrapped__IteratorGetNext_output_types_1_device_"
            "/job:localhost/replica:0/task:0/device:CPU:0}} ",
            "",
        )
        return problems + [f"{shard.file}, record {count + 1}: damaged ({reason})"]
    if count != shard.num_records:
        problems.append(
            f"{shard.file}: {count} records, {schema.DATASET_INFO} has {shard.num_records}"
        )
    return problems


def _check_record(info, serialized, totals, seen):
    record = ParsedRecord.parse(
        serialized, info.num_regions, info.region_feature_size, info.object_features
    )
    totals["num_sentences"] += len(record.captions)
    totals["num_phrases"] += len(record.phrases)
    if "num_dependencies" in totals:
        totals["num_parsed_sentences"] += sum(map(bool, record.dependencies))
        totals["num_dependencies"] += sum(map(len, record.dependencies))
    if record.source_id in seen:
        raise ValueError(f"a second record of {record.source_id!r}")
    seen.add(record.source_id)
    if not record.captions or not all(caption.strip() for caption in record.captions):
        raise ValueError("no caption, or an empty one")
    _check_boxes("region", record.region_boxes)
    if not np.array_equal(record.region_boxes[:1], WHOLE_FRAME):
        raise ValueError(f"region 0 is {record.region_boxes[0].tolist()}, not the whole frame")
    if not np.isfinite(record.region_scores).all():
        raise ValueError("a region score that is not finite")
    _check_boxes("object", np.array([item.box for item in record.objects]).reshape(-1, 4))
    for phrase in record.phrases:
        num_words = len(record.captions[phrase.caption_index].split())
        last = phrase.first_word + phrase.num_words
        if phrase.first_word < 0 or phrase.num_words < 1 or last > num_words:
            raise ValueError(
                f"a phrase of words {phrase.first_word} to {last} in a caption of {num_words}"
            )
    if info.image_feature_size:
        features = tf.train.Example.FromString(serialized).features.feature
        stored = b"".join(features[schema.IMAGE_FEATURE].bytes_list.value)
        if stored != record.region_features[0].tobytes():
            raise ValueError(f"{schema.IMAGE_FEATURE} is not the feature of region 0")
    _check_image(info, record)


def _check_boxes(kind, boxes):
    wrong = (boxes < 0).any(axis=1) | (boxes > 1).any(axis=1)
    wrong |= (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if wrong.any():
        raise ValueError(f"a {kind} box outside 0..1 or without area: {boxes[wrong][0].tolist()}")


def _check_image(info, record):
    if not info.images_stored:
        return
    try:
        image = decode_image(record.encoded_image, max_pixels=2**31)
    except ImageError as error:
        raise ValueError(f"{schema.IMAGE_ENCODED}: {error}") from None
    if image.shape[:2] != (record.height, record.width):
        raise ValueError(
            f"an image of {image.shape[1]} x {image.shape[0]} pixels where "
            f"{record.width} x {record.height} are stated"
        )
