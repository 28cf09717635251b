"""The records of a split, one after the other."""

import tensorflow as tf

from vsa_tf.data.parsed_record import ParsedRecord


def read_records(info, split):
    """Yields the `ParsedRecord`s of a split in their order; memory holds a few of them.

    Args:
        info: the `DatasetInfo` of the directory.
        split: name of the split.

    Raises:
        OSError: a shard is missing.
        ValueError: a record is damaged, or there are not as many as `info` says.
    """
    count = 0
    for path, shard in zip(info.shard_paths(split), info.split(split).shards, strict=True):
        try:
            for serialized in tf.data.TFRecordDataset(path):
                yield ParsedRecord.parse(
                    serialized.numpy(),
                    info.num_regions,
                    info.region_feature_size,
                    info.object_features,
                )
                count += 1
        except (tf.errors.OpError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else "damaged"
            raise ValueError(
                f"{shard.file}: {reason}; `python -m tfrecords_tools.inspect "
                f"--data_dir={info.data_dir} --check` tells more"
            ) from error
    if count != info.split(split).num_images:
        raise ValueError(
            f"Expected {info.split(split).num_images} records of split {split!r}. "
            f"Received: {count}; write the directory again"
        )
