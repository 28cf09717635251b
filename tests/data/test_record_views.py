import numpy as np
import pytest

from tests.data.given_phrases import given_phrases
from vsa_tf.data.record_views import DescribedRegions, PhraseRecords, RegionRecords
from vsa_tf.data.schema import AnnotatedPhrase


def test_each_phrase_with_a_box_is_a_caption_of_its_image():
    records = PhraseRecords(given_phrases())
    assert records.captions == ["two men", "dogs", "wets two", "kite"]
    assert records.image_of_caption.tolist() == [0, 0, 0, 1]
    assert records.first_caption.tolist() == [0, 3, 4]
    assert records.sentence_of_phrase.tolist() == [0, 0, 1, 2]
    assert records.phrase_types == ["people", "animals", "people", "other"]
    assert records.num_captions == 4


def test_a_phrase_without_a_box_is_counted():
    assert PhraseRecords(given_phrases()).num_dropped == 1


def test_the_box_of_a_phrase_is_around_all_boxes_of_its_chain():
    records = PhraseRecords(given_phrases())
    upper_left, lower_right = [0, 0, 0.5, 0.5], [0.6, 0.6, 1, 1]
    expected = [upper_left, lower_right, upper_left, [0, 0.9, 0.1, 1]]
    np.testing.assert_array_equal(records.phrase_boxes, np.float32(expected))
    # Chain 3 of the second image is another one.
    assert records.phrase_chains.tolist() == [0, 1, 0, 2]


def test_images_are_those_of_the_split():
    split = given_phrases()
    records = PhraseRecords(split)
    assert records.num_images == 2 and records.info is split.info
    assert records.region_boxes is split.region_boxes
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = records.no_such_thing


def test_a_split_without_boxes_of_phrases_is_refused():
    no_phrases = given_phrases(phrases=((), ()))
    with pytest.raises(ValueError, match="phrases with boxes in split 'train'.*: 0 phr.*entities"):
        PhraseRecords(no_phrases)


def _region_records(whole_frame=False):
    """Snippets of region 3 and, twice, of region 1 of the first image, and of the second's 1."""
    return RegionRecords(
        given_phrases(),
        image_of_snippet=[0, 0, 1, 0],
        region_of_snippet=[3, 1, 1, 1],
        snippets=["dogs", "two men", "kite", "men"],
        whole_frame=whole_frame,
    )


def test_each_region_with_snippets_is_an_image_and_they_are_its_captions():
    records = _region_records()
    assert records.num_images == 3 and records.info.num_regions == 1
    assert records.captions == ["two men", "men", "dogs", "kite"]
    assert records.image_of_caption.tolist() == [0, 0, 1, 2]
    assert records.first_caption.tolist() == [0, 2, 3, 4]
    assert records.filenames == ["a.png#1", "a.png#3", "b.png#1"]
    upper_left, lower_right, lower_left = [0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1], [0.5, 0, 1, 0.5]
    expected = np.float32([[upper_left], [lower_right], [lower_left]])
    np.testing.assert_array_equal(records.region_boxes, expected)
    assert records.region_mask.all()


def test_the_whole_frame_may_stand_beside_each_region():
    records = _region_records(whole_frame=True)
    assert records.info.num_regions == 2
    # Features are image + region / 8: region 3 of image 0, then region 1 of image 1.
    features = records.read_region_features([1, 2])
    assert features[..., 0].tolist() == [[3 / 8, 0], [1 + 1 / 8, 1]]
    np.testing.assert_array_equal(records.read_region_features([1, 2], 1), features[:, :1])
    np.testing.assert_array_equal(records.region_boxes[:, 1], [[0, 0, 1, 1]] * 3)


def test_regions_without_snippets_are_refused():
    with pytest.raises(ValueError, match="at least one snippet"):
        RegionRecords(given_phrases(), [], [], [])


def test_a_described_region_is_an_image_and_all_that_is_said_of_it_its_captions():
    records = DescribedRegions(given_phrases())
    # Chain 9 has no box, so that nothing shows what the phrase is of.
    assert (records.num_images, records.num_described, records.boxes) == (3, 3, "given")
    assert records.captions == ["two men", "wets two", "dogs", "kite"]
    assert records.image_of_caption.tolist() == [0, 0, 1, 2]
    assert records.first_caption.tolist() == [0, 2, 3, 4]
    assert records.filenames == ["a.png#3", "a.png#5", "b.png#3"]


def test_a_given_box_is_seen_by_its_own_feature():
    records = DescribedRegions(given_phrases(), whole_frame=True)
    boxes = np.float32([[0, 0, 0.5, 0.5], [0.6, 0.6, 1, 1], [0, 0.9, 0.1, 1]])
    np.testing.assert_array_equal(records.region_boxes[:, 0], boxes)
    np.testing.assert_array_equal(records.region_boxes[:, 1], [[0, 0, 1, 1]] * 3)
    # Of chains 0 and 2; then of the frame of their image.
    assert records.read_region_features([0, 2])[..., 0].tolist() == [[10, 0], [12, 1]]
    assert records.read_region_features([1], 1)[..., 0].tolist() == [[11]]


def _reads(monkeypatch, records):
    """What is read of photographs: their numbers, and how many regions of each."""
    reads, read = [], records._records.read_region_features

    def read_region_features(images, num_regions=None):
        reads.append((list(images), num_regions))
        return read(images, num_regions)

    monkeypatch.setattr(records._records, "read_region_features", read_region_features)
    return reads


def test_no_more_features_are_read_than_are_seen(monkeypatch):
    records = _region_records()
    reads = _reads(monkeypatch, records)
    assert records.read_region_features([2, 0, 1])[..., 0].tolist() == [[9 / 8], [1 / 8], [3 / 8]]
    assert records.read_region_features([0])[..., 0].tolist() == [[1 / 8]]
    assert reads == [([0, 1], 4), ([0], 2)]
    # The features of given boxes are no regions'; beside them stands the frame alone.
    for whole_frame, expected in ((False, []), (True, [([0, 1], 1)])):
        records = DescribedRegions(given_phrases(), whole_frame=whole_frame)
        reads = _reads(monkeypatch, records)
        records.read_region_features([0, 1, 2])
        assert reads == expected


def test_the_region_that_overlaps_most_stands_for_a_described_one():
    # Without features of given boxes. IoU: 1 with region 1; 0.16 / 0.25 with region 3; 0.01 with
    # the whole frame.
    records = DescribedRegions(given_phrases(object_features=False))
    assert (records.num_images, records.num_described, records.boxes) == (2, 3, "detected")
    np.testing.assert_allclose(records.overlaps, [1, 0.64], rtol=1e-5)
    assert records.captions == ["two men", "wets two", "dogs"]
    assert records.image_of_caption.tolist() == [0, 0, 1]
    assert records.filenames == ["a.png#3", "a.png#5"]
    np.testing.assert_array_equal(records.region_boxes[1], [[0.5, 0.5, 1, 1]])
    assert records.read_region_features([0, 1])[..., 0].tolist() == [[1 / 8], [3 / 8]]
    summary = records.summary()
    assert summary.pop("mean_overlap") == pytest.approx(0.82)
    assert summary == {
        "boxes": "detected",
        "least_overlap": 0.5,
        "num_described": 3,
        "num_captioned": 2,
    }


def test_a_described_region_that_none_overlaps_so_much_is_left_out():
    # Of three, the second's 0.64 is too little.
    records = DescribedRegions(given_phrases(), "detected", least_overlap=0.65)
    assert records.captions == ["two men", "wets two"] and records.num_described == 3
    records = DescribedRegions(given_phrases(), "detected", least_overlap=0.005)
    # The third by the whole frame of its image.
    assert records.read_region_features([2])[..., 0].tolist() == [[1]]
    kite = given_phrases(phrases=((), (AnnotatedPhrase(0, 1, 1, "3", "other"),)))
    with pytest.raises(ValueError, match="IoU 0.5 or more with one of 1 desc.*: at most 0.01"):
        DescribedRegions(kite, "detected")


def test_given_boxes_need_features_of_their_own():
    with pytest.raises(ValueError, match="region_boxes=given needs features .*object_features"):
        DescribedRegions(given_phrases(object_features=False), "given")
