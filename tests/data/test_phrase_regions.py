import numpy as np
import pytest

from tests.data.given_phrases import given_phrases
from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.data.image_input import RegionFeatures
from vsa_tf.data.input_pipeline import BatchAssembler
from vsa_tf.data.phrase_regions import PhraseRegions
from vsa_tf.data.record_views import PhraseRecords

# Overlaps of the regions with the phrases' boxes: of "two men", the upper left quarter, 1/4 (the
# frame), 1, 4/5 and 0; of "dogs", 0.16, 0, 0 and 0.16 / 0.25 = 0.64; of "kite", 0.01 and 0.
ALL = np.arange(4)


def _regions(object_features=True, num_negatives=3, **settings):
    records = PhraseRecords(given_phrases(object_features))
    return records, PhraseRegions(records, num_negatives, **settings)


def _batch(records, regions, phrases=ALL, step=0, rows=slice(None)):
    tokens = TokenStore([[4]] * 4, max_words=2)
    assembler = BatchAssembler(records, tokens, RegionFeatures(records), phrase_regions=regions)
    return regions.of(phrases, step, assembler.pair_batch(phrases[rows], 1), rows)


def test_slot_0_is_the_annotated_box():
    records, regions = _regions()
    batch = _batch(records, regions)
    np.testing.assert_array_equal(batch["region_boxes"][:, 0], records.phrase_boxes)
    assert batch["region_features"][:, 0, 0].tolist() == [10, 11, 10, 12]
    assert batch["region_mask"][:, 0].all()
    np.testing.assert_array_equal(batch["phrase_boxes"], records.phrase_boxes)


def test_without_features_of_annotated_boxes_slot_0_is_the_nearest_proposal():
    records, regions = _regions(object_features=False)
    batch = _batch(records, regions)
    # Regions 1, 3 and 1; the kite's best proposal, the frame, overlaps it by 0.01 only.
    assert batch["region_features"][:3, 0, 0].tolist() == [1 / 8, 3 / 8, 1 / 8]
    assert batch["region_mask"][:, 0].tolist() == [True, True, True, False]
    assert regions.has_region.tolist() == [True, True, True, False]
    np.testing.assert_array_equal(batch["region_boxes"][1, 0], records.region_boxes[0, 3])


def test_negatives_are_all_proposals_that_overlap_too_little_and_no_others():
    records, regions = _regions()
    batch = _batch(records, regions)
    features = batch["region_features"][:, 1:, 0]
    chosen = [sorted(row[mask]) for row, mask in zip(features, batch["region_mask"][:, 1:])]
    # "two men": the frame, at exactly 1/4, and region 3; "kite": both regions of the second image.
    assert chosen == [[0, 3 / 8], [0, 1 / 8, 2 / 8], [0, 3 / 8], [1, 1 + 1 / 8]]
    padding = ~batch["region_mask"]
    assert (batch["region_boxes"][padding] == 0).all()
    assert (batch["region_features"][padding] == 0).all()


def test_fewer_negatives_than_there_are_are_drawn_at_random():
    records, regions = _regions(num_negatives=1)
    drawn = {
        float(_batch(records, regions, step=step)["region_features"][1, 1, 0]) for step in range(40)
    }
    assert drawn == {0, 1 / 8, 2 / 8}


def test_positive_overlap_adds_a_proposal_that_is_near_enough():
    records, regions = _regions(positive_overlap=0.7)
    assert regions.num_slots == 5
    drawn = set()
    for step in range(20):
        batch = _batch(records, regions, step=step)
        assert batch["region_mask"][:, 1].tolist() == [True, False, True, False]
        drawn.add(float(batch["region_features"][0, 1, 0]))
    assert drawn == {1 / 8, 2 / 8}


def test_all_proposals_that_are_near_enough_can_be_positives():
    records, regions = _regions(positive_overlap=0.7, num_positives=3)
    assert regions.num_slots == 7
    batch = _batch(records, regions)
    mask = batch["region_mask"][:, 1:4]
    assert mask.sum(axis=1).tolist() == [2, 0, 2, 0]
    for row in (0, 2):
        assert sorted(batch["region_features"][row, 1:4, 0][mask[row]]) == [1 / 8, 2 / 8]


def test_there_are_no_more_slots_of_a_kind_than_regions():
    _, regions = _regions(num_negatives=200, positive_overlap=0.7, num_positives=200)
    assert regions.num_slots == 1 + 4 + 4


def test_rows_follow_from_seed_and_step_alone():
    records, regions = _regions(num_negatives=2, seed=3)
    first = _batch(records, regions, step=5)
    again = _batch(*_regions(num_negatives=2, seed=3), step=5)
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])


def test_hosts_draw_what_one_process_draws():
    records, regions = _regions(num_negatives=1, positive_overlap=0.7)
    phrases = np.tile(ALL, 20)
    expected = _batch(records, regions, phrases, step=5)
    halves = [_batch(records, regions, phrases, 5, rows) for rows in (slice(0, 40), slice(40, 80))]
    for name, value in expected.items():
        np.testing.assert_array_equal(np.concatenate([half[name] for half in halves]), value)
    # The same phrases have other regions on the other host.
    assert (halves[0]["region_boxes"] != halves[1]["region_boxes"]).any()


def test_num_regions_limits_the_proposals():
    records, regions = _regions(num_regions=2)
    batch = _batch(records, regions)
    assert batch["region_mask"][:, 1:].sum(axis=1).tolist() == [1, 2, 1, 2]


def test_phrases_of_equal_words_and_of_one_chain_are_told():
    records, regions = _regions()
    batch = _batch(records, regions, np.array([0, 2, 1, 0]))
    assert batch["phrase_id"].tolist() == [0, 0, 1, 0]
    texts = batch["text_id"]
    assert texts[0] == texts[3] and len(set(texts.tolist())) == 3


@pytest.mark.parametrize("from_pixels", [False, True])
def test_batches_of_pixels_have_boxes_alone(from_pixels):
    records, regions = _regions(object_features=False, from_pixels=from_pixels)
    batch = _batch(records, regions)
    assert ("region_features" in batch) != from_pixels
    if from_pixels:
        np.testing.assert_array_equal(batch["region_boxes"][:, 0], records.phrase_boxes)
