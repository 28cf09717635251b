import json

import pytest
from exported_records import records_of
from mini_flickr8k import files, write_directories
from written_records import write

from tfrecords_tools.sources.flickr8k import Flickr8k

SHARD = "train-00000-of-00001.tfrecord"


@pytest.fixture
def data_dir(tmp_path):
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", files()))
    write(source, tmp_path / "records")
    return tmp_path / "records"


def test_records_come_in_the_order_they_were_written(data_dir):
    assert [record.source_id for record in records_of(data_dir)["train"]] == [
        "101_a",
        "102_b",
        "103_c",
    ]


def test_damaged_shard_is_named(data_dir):
    data = bytearray((data_dir / SHARD).read_bytes())
    data[-20] ^= 1
    (data_dir / SHARD).write_bytes(data)
    with pytest.raises(ValueError, match=f"{SHARD}: damaged; .* --check` tells more"):
        records_of(data_dir)


def test_record_that_does_not_fit_is_named(data_dir):
    path = data_dir / "dataset_info.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps(info | {"region_feature_size": 4}))
    with pytest.raises(ValueError, match=r"0-of-00001.tfrecord: 30 bytes of image/region/feature"):
        records_of(data_dir)


def test_missing_records_are_noticed(data_dir):
    import tensorflow as tf

    records = [row.numpy() for row in tf.data.TFRecordDataset(str(data_dir / SHARD))]
    with tf.io.TFRecordWriter(str(data_dir / SHARD)) as writer:
        for record in records[:2]:
            writer.write(record)
    with pytest.raises(ValueError, match="Expected 3 records of split 'train'. Received: 2"):
        records_of(data_dir)
