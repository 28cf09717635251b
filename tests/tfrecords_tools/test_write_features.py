"""Records of features that others made, with boxes, with and without the photographs."""

import json

import numpy as np
import pytest
from feature_files import BOXES, features_of, row
from mini_flickr8k import jpeg
from program_runs import run_program
from source_samples import SAMPLES

from tfrecords_tools import write
from tfrecords_tools.record_checking import check_records
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.errors import VsaTfError


@pytest.fixture
def written(tmp_path):
    """Writes photographs of a table with features of a TSV file."""

    def written(lines, *flags, images=None, captions=None):
        for name, data in (images or {}).items():
            (tmp_path / "images").mkdir(exist_ok=True)
            (tmp_path / "images" / name).write_bytes(data)
        names = captions or images
        table = "".join(f"{name},A dog runs .,train\n" for name in names)
        (tmp_path / "captions.csv").write_text(table)
        (tmp_path / "features.tsv").write_text("".join(lines))
        run_program(
            write,
            "--dataset=csv",
            *([f"--images={tmp_path / 'images'}"] if images else []),
            f"--captions={tmp_path / 'captions.csv'}",
            f"--features=bottom_up:{tmp_path / 'features.tsv'}",
            f"--output_dir={tmp_path / 'out'}",
            "--num_workers=0",
            *flags,
        )
        assert check_records(tmp_path / "out") == []
        skipped = json.loads((tmp_path / "out" / "dataset_info.json").read_text())["skipped"]
        reasons = [(own["source_id"], own["reason"]) for own in skipped]
        return RecordSplit(tmp_path / "out", "train"), reasons

    return written


def test_records_hold_the_frame_and_the_regions_in_their_order(written):
    split, skipped = written([row(2), row(1)], captions=["1.jpg", "2.jpg"])
    assert skipped == [] and split.source_ids == ["1.jpg", "2.jpg"]
    assert split.image_sizes.tolist() == [[320, 480]] * 2 and not split.info.images_stored
    features = split.read_region_features([0])[0]
    np.testing.assert_array_equal(features[1:], features_of(1).astype(np.float16))
    np.testing.assert_allclose(features[0], features_of(1).mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(split.region_boxes[0, 2], [0.25, 0.125, 0.75, 0.375])
    assert split.region_mask.all()


def test_photographs_are_stored_beside_them(written):
    # Of the same shape as the features' 480 x 320, as data sets are often kept smaller.
    images = {"1.jpg": jpeg(48, 32), "2.jpg": jpeg(96, 64)}
    split, skipped = written([row(1), row(2)], "--max_image_side=48", images=images)
    assert skipped == [] and split.info.images_stored
    assert split.read_encoded_images([0]) == [images["1.jpg"]]
    assert split.image_sizes.tolist() == [[32, 48]] * 2
    assert split.region_boxes[0, 1].tolist() == [0, 0, 1, 0.5]


def test_photographs_need_not_be_stored(written):
    split, _ = written([row(1)], "--nostore_images", images={"1.jpg": b"nobody reads it"})
    assert not split.info.images_stored and split.image_sizes.tolist() == [[320, 480]]


def test_what_is_wrong_with_one_is_listed_and_the_others_are_written(written):
    nan = features_of(2)
    nan[1, 1] = np.nan
    fewer = row(5, BOXES[:2], features_of(5, 2))
    split, skipped = written(
        [row(1), row(2, features=nan), row(3), row(4), fewer],
        images={
            "1.jpg": jpeg(48, 32),
            "2.jpg": jpeg(48, 32),
            "3.jpg": jpeg(32, 48),
            "4.jpg": b"no jpeg",
            "5.jpg": jpeg(48, 32),
        },
    )
    # Two of three regions are what there is.
    assert split.source_ids == ["1.jpg", "5.jpg"] and split.region_mask.sum() == 4 + 3
    assert sorted(skipped) == [
        ("2.jpg", "the feature of region 0 holds NaN or infinity"),
        (
            "3.jpg",
            "features: features of an image of 480 x 320 pixels, where the photograph has 32 x 48",
        ),
        ("4.jpg", "not an image that can be read (JPEG, PNG, BMP, GIF, WebP, AVIF or HEIC)"),
    ]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--detector=grid"], "Expected no --detector with --features and without --images"),
        (["--image_encoder=keras:VGG16"], "Expected no --image_encoder with --features and"),
        (["--num_regions=20"], "Expected no --num_regions with --features and without --images"),
        (["--store_images"], "Expected no --store_images with --features and without --images"),
        (["--images=/", "--object_features"], "Expected no --object_features with --features"),
        (["--features=bottom_up:/absent.tsv"], "'/absent.tsv' is none"),
        (["--features=other"], "Expected --features=bottom_up:PATH"),
        (["--dataset=precomp"], "Expected no --features for --dataset=precomp"),
    ],
)
def test_flags_that_features_do_not_go_with_are_refused(tmp_path, flags, message):
    with pytest.raises(VsaTfError) as refused:
        run_program(
            write,
            "--dataset=flickr30k",
            f"--captions={SAMPLES / 'flickr30k' / 'texts'}",
            f"--features=bottom_up:{SAMPLES / 'bottom_up'}",
            f"--output_dir={tmp_path / 'out'}",
            *flags,
        )
    assert message in refused.value.of_flags
    assert not (tmp_path / "out").exists()
