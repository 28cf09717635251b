import fake_models
import numpy as np
import pytest
from exported_records import export_as, records_of
from feature_files import features_of
from mini_flickr8k import CAPTIONS, files, jpeg, write_directories
from source_samples import SAMPLES
from written_records import SETTINGS, csv_source, write

from tfrecords_tools.sources.csv_captions import CsvCaptions
from tfrecords_tools.sources.flickr_captions import Flickr8k
from tfrecords_tools.sources.precomp import Precomp
from tfrecords_tools.sources.registry import make_source
from tfrecords_tools.write_settings import GIVEN, WriteSettings
from vsa_tf.errors import VsaTfError

GIVEN_SETTINGS = WriteSettings(detector=GIVEN, image_encoder=GIVEN, store_images=False)


def write_given(source, output_dir):
    return write(source, output_dir, GIVEN_SETTINGS, make_models=None)


def test_features_of_regions_come_back_without_the_mean_of_reading(tmp_path):
    write_given(Precomp(SAMPLES / "precomp_regions"), tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    for name in ("test_ims.npy", "test_caps.txt"):
        original, exported = SAMPLES / "precomp_regions" / name, folder / name
        if name.endswith(".npy"):
            before, after = np.load(original), np.load(exported)
            assert after.dtype == np.float32
            np.testing.assert_array_equal(after, before)
        else:
            assert exported.read_bytes() == original.read_bytes()


def test_features_with_boxes_come_back_without_the_mean_as_well(tmp_path):
    source = make_source(
        "flickr30k",
        captions=str(SAMPLES / "flickr30k" / "texts"),
        features=f"bottom_up:{SAMPLES / 'bottom_up'}",
    )
    write_given(source, tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    expected = np.stack([features_of(1001), features_of(1002)]).astype(np.float16)
    np.testing.assert_array_equal(np.load(folder / "train_ims.npy"), expected)


def test_one_feature_an_image_is_an_array_of_two_axes(tmp_path):
    write_given(Precomp(SAMPLES / "precomp"), tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    # The sample's rows are captions, five of an image; the export's are images.
    np.testing.assert_array_equal(
        np.load(folder / "train_ims.npy"), np.load(SAMPLES / "precomp" / "train_ims.npy")[::5]
    )
    write_given(Precomp(folder), tmp_path / "again")
    first, again = records_of(tmp_path / "records"), records_of(tmp_path / "again")
    for split, records in first.items():
        for before, after in zip(records, again[split], strict=True):
            assert (after.source_id, after.captions) == (before.source_id, before.captions)
            np.testing.assert_array_equal(after.region_features, before.region_features)


def test_regions_of_photographs_come_back_after_their_mean(tmp_path):
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", files()))
    write(source, tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    first = records_of(tmp_path / "records")["train"]
    rows = np.load(folder / "train_ims.npy")
    np.testing.assert_array_equal(rows, np.stack([record.region_features for record in first]))
    write_given(Precomp(folder), tmp_path / "again")
    for before, after in zip(first, records_of(tmp_path / "again")["train"], strict=True):
        np.testing.assert_array_equal(after.region_features[1:], before.region_features)


def test_fewer_captions_than_five_are_repeated_in_turn(tmp_path, capsys):
    source = Flickr8k(**write_directories(tmp_path / "flickr8k", files()))
    write(source, tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp", "--splits=dev")
    first, second = CAPTIONS["104_d.jpg"]
    assert (folder / "dev_caps.txt").read_text().splitlines() == [
        first,
        second,
        first,
        second,
        first,
    ]
    assert (folder / "dev_ids.txt").read_text() == "104_d\n"
    assert not (folder / "train_caps.txt").exists()
    printed = capsys.readouterr().out
    assert "1 images have fewer than five, which are repeated" in printed
    assert "not in precomp: 1 images\n" in printed
    assert "not in precomp: 1 annotated boxes\n" in printed
    assert "not in precomp: 2 phrases\n" in printed
    assert "not in precomp: where the regions lie\n" in printed


def test_captions_after_the_fifth_are_left_out_and_lines_stay_lines(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(jpeg())
    rows = [f"a.jpg,caption {number}\n" for number in range(5)]
    (tmp_path / "a.csv").write_text('a.jpg,"one\r\ntwo\u2028three"\n' + "".join(rows), "utf-8")
    write(CsvCaptions(tmp_path / "images", tmp_path / "a.csv"), tmp_path / "records")
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    assert (folder / "train_caps.txt").read_text("utf-8").splitlines() == [
        "one two three",
        "caption 0",
        "caption 1",
        "caption 2",
        "caption 3",
    ]
    assert "not in precomp: 1 captions after the fifth\n" in capsys.readouterr().out


class BoxesByWidth(fake_models.FakeDetector):
    """Images of 48 pixels have no box, others two."""

    def detect(self, images, examples):
        found = super().detect(images, examples)
        return [
            (boxes[:0], scores[:0]) if image.shape[1] == 48 else (boxes, scores)
            for image, (boxes, scores) in zip(images, found)
        ]


def test_regions_that_an_image_lacks_repeat_its_frame(tmp_path, capsys):
    source = csv_source(tmp_path, {"a.jpg": jpeg(48, 32), "b.jpg": jpeg(64, 32)})
    write(
        source,
        tmp_path / "records",
        SETTINGS,
        lambda settings: (BoxesByWidth(), fake_models.FakeEncoder()),
    )
    folder = export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    rows = np.load(folder / "train_ims.npy")
    one, three = (record.region_features for record in records_of(tmp_path / "records")["train"])
    assert [len(one), len(three)] == [1, 3]
    np.testing.assert_array_equal(rows, [[one[0]] * 3, three])
    assert "1 images have fewer than 3" in capsys.readouterr().out


def test_records_of_images_alone_are_refused(tmp_path):
    source = csv_source(tmp_path, {"a.jpg": jpeg()})
    write(source, tmp_path / "records", WriteSettings(), make_models=None)
    with pytest.raises(VsaTfError, match="Expected records with features for format=precomp"):
        export_as("precomp", tmp_path / "records", tmp_path / "precomp")
    assert not (tmp_path / "precomp").exists()
