import json

from small_tfds import coco_like_example, coco_like_features, jpeg, prepare

from tfrecords_tools.sources.tfds_builder import TfdsBuilder
from tfrecords_tools.write_settings import WriteSettings
from tfrecords_tools.writer import write_records
from vsa_tf.data.record_split import RecordSplit


def test_records_hold_the_stored_photographs_wherever_they_are_written(tmp_path):
    examples = [
        coco_like_example(number, [f"Photograph {number}."], [((0.0, 0.0, 0.5, 1.0), 1, False)])
        for number in range(7)
    ]
    prepare(tmp_path, coco_like_features(), {"train": examples}, num_shards=2)
    written = []
    for num_workers in (0, 1):
        folder = tmp_path / f"records{num_workers}"
        source = TfdsBuilder("small_captions", tmp_path)
        settings = WriteSettings(num_shards=3)
        write_records(source, folder, settings, num_workers=num_workers, stream=None)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1] and len(written[0]) == 4
    info = json.loads(written[0]["dataset_info.json"])
    assert info["dataset"] == "tfds:small_captions:1.2.0"
    assert info["sources"].keys() == {"annotations of train"}
    records = RecordSplit(folder, "train")
    assert records.captions == [f"Photograph {number}." for number in range(7)]
    assert records.read_encoded_images(range(7)) == [jpeg(number) for number in range(7)]
    assert [item.chain for item in records.objects[3]] == ["dog#300"]
