import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.boxes import box_overlap
from vsa_tf.models.two_branch.pair_masks import (
    NEGATIVE_PHRASES,
    PairMasks,
    image_sentence_masks,
    is_first_copy,
    region_phrase_masks,
)

POSITIVE = np.array([[True, True, False], [True, True, False]])
# In image 0 a man (chain 1, two phrases), his shirt (2) and a dog (3); in image 1 a dog (1).
IMAGE_ID = np.int32([0, 0, 0, 0, 1])
PHRASE_ID = np.int32([1, 1, 2, 3, 1])
MAN, SHIRT, DOG = [0, 0, 1, 0.5], [0.2, 0, 0.7, 0.5], [0.5, 0.6, 1, 1]
BOXES = np.float32([MAN, MAN, SHIRT, DOG, DOG])[:, None]


def test_without_copies_the_masks_stay():
    masks = PairMasks(POSITIVE, ~POSITIVE, ~POSITIVE).of_distinct_items()
    for mask, expected in zip(masks[:3], (POSITIVE, ~POSITIVE, ~POSITIVE)):
        np.testing.assert_array_equal(mask, expected)


def test_a_copy_is_no_positive_and_no_negative_of_others():
    masks = PairMasks(
        POSITIVE, ~POSITIVE, ~POSITIVE, np.array([True, False]), np.array([True, True, False])
    ).of_distinct_items()
    # Image 1 is a copy of 0, text 2 of another: neither stands on the other's side of a triplet.
    np.testing.assert_array_equal(masks.positive, [[True, True, False], [False] * 3])
    np.testing.assert_array_equal(masks.negative_texts, np.zeros((2, 3), bool))
    np.testing.assert_array_equal(
        masks.negative_images, [[False, False, True], [False, False, False]]
    )
    assert masks.first_image is masks.first_text is None


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_matches_or_not_by_its_image(seed):
    image_id = np.random.default_rng(seed).integers(0, 4, 9)
    masks = image_sentence_masks(image_id)
    for i in range(9):
        for j in range(9):
            assert masks.positive[i, j] == (image_id[i] == image_id[j])
            assert masks.negative_texts[i, j] == (image_id[i] != image_id[j])
            assert masks.negative_images[i, j] == (image_id[i] != image_id[j])


def test_copies_count_once():
    # Image 5 stands in three rows, with sentences 50, 51, and 50 again.
    masks = image_sentence_masks(np.array([5, 6, 5, 5]), np.array([50, 60, 51, 50]))
    np.testing.assert_array_equal(masks.first_image, [True, True, False, False])
    np.testing.assert_array_equal(masks.first_text, [True, True, True, False])
    distinct = masks.of_distinct_items()
    np.testing.assert_array_equal(
        distinct.positive,
        [[True, False, True, False], [False, True, False, False], [False] * 4, [False] * 4],
    )
    # Of image 6 three sentences are negatives, but one is a copy; of its sentence only one image.
    np.testing.assert_array_equal(distinct.negative_texts[1], [True, False, True, False])
    np.testing.assert_array_equal(distinct.negative_images[:, 1], [True, False, False, False])


def _bool(rows):
    return np.array([[entry == "x" for entry in row] for row in rows])


def _random_batch(seed, num_regions):
    rng = np.random.default_rng(seed)
    image_id, phrase_id = rng.integers(0, 3, 8), rng.integers(0, 3, 8)
    # Few different boxes, so that regions of an image coincide.
    corners = np.sort(rng.uniform(size=(6, 2, 2)), axis=1).reshape(6, 4).astype("float32")
    boxes = corners[rng.integers(0, 6, (8, num_regions))]
    truth = corners[(2 * image_id + phrase_id) % 6]
    return image_id, phrase_id, boxes, truth, rng.integers(0, 4, 8)


class TestRegionPhraseMasks:
    def test_hand_made_masks(self):
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, BOXES)
        positive = _bool(["xx...", "xx...", "..x..", "...x.", "....x"])
        np.testing.assert_array_equal(masks.positive, positive)
        # Phrases of every other chain and image are wrong for a region.
        np.testing.assert_array_equal(masks.negative_texts, ~positive)
        # The shirt covers .25 of .5: half of the man, no negative. The dog overlaps neither.
        np.testing.assert_array_equal(
            masks.negative_images, _bool(["...x.", "...x.", "...x.", "xxx..", "....."])
        )
        np.testing.assert_array_equal(masks.first_image, [True, False, True, True, True])
        assert masks.first_text is None

    def test_a_box_named_by_two_chains_refuses_neither_phrase(self):
        boxes = BOXES.copy()
        boxes[2] = boxes[0]
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, boxes)
        # The one region, in three rows, matches the phrases of both chains.
        for row in range(3):
            np.testing.assert_array_equal(masks.positive[row], _bool(["xxx.."])[0])
            np.testing.assert_array_equal(masks.negative_texts[row], _bool(["...xx"])[0])

    def test_phrases_of_the_same_words_are_no_negatives(self):
        # "a dog" in both images; the man is "a man" and "him".
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, BOXES, text_id=np.int32([7, 8, 9, 4, 4]))
        for row in (3, 4):
            np.testing.assert_array_equal(masks.negative_texts[row], _bool(["xxx.."])[0])
        assert np.array(masks.first_text).all()

    def test_of_other_chains_the_same_words_are_negatives(self):
        texts = np.int32([7, 8, 9, 4, 4])
        masks = region_phrase_masks(
            IMAGE_ID, PHRASE_ID, BOXES, text_id=texts, negative_phrases="other_chains"
        )
        np.testing.assert_array_equal(masks.negative_texts[3], _bool(["xxx.x"])[0])

    def test_a_phrase_said_twice_is_one_phrase(self):
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, BOXES, text_id=np.int32([7, 7, 9, 4, 4]))
        # Not so the dogs: two animals.
        np.testing.assert_array_equal(masks.first_text, [True, False, True, True, True])

    def test_further_regions_of_a_row_are_negatives_of_its_image(self):
        corner = [0, 0.9, 0.1, 1]
        boxes = np.concatenate([BOXES, np.tile(np.float32(corner), (5, 1, 1))], axis=1)
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, boxes)
        assert masks.positive.shape == (10, 5)
        np.testing.assert_array_equal(
            masks.positive[::2], _bool(["xx...", "xx...", "..x..", "...x.", "....x"])
        )
        assert not np.array(masks.positive[1::2]).any()
        np.testing.assert_array_equal(masks.negative_images[1], _bool(["xxxx."])[0])
        np.testing.assert_array_equal(masks.negative_images[9], _bool(["....x"])[0])

    def test_close_regions_are_positive_where_asked_for(self):
        # .45 of .5 of the man's box: an overlap of .9; of .3 of it: .6, neither.
        near, half = [0, 0, 0.9, 0.5], [0, 0, 0.6, 0.5]
        boxes = np.float32([[MAN, near, half]])
        ids = np.int32([0]), np.int32([1])
        masks = region_phrase_masks(*ids, boxes, positive_overlap=0.7)
        np.testing.assert_array_equal(masks.positive, [[True], [True], [False]])
        assert not np.array(masks.negative_images).any()
        masks = region_phrase_masks(*ids, boxes)
        np.testing.assert_array_equal(masks.positive, [[True], [False], [False]])

    def test_padding_is_neither(self):
        boxes = np.concatenate([BOXES, np.zeros_like(BOXES)], axis=1)
        mask = np.tile([True, False], (5, 1))
        masks = region_phrase_masks(IMAGE_ID, PHRASE_ID, boxes, region_mask=mask)
        assert not np.array(masks.positive[1::2]).any()
        assert not np.array(masks.negative_images[1::2]).any()

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("positive_overlap", [None, 0.7])
    @pytest.mark.parametrize("negative_phrases", NEGATIVE_PHRASES)
    def test_masks_are_those_of_the_definition(self, seed, positive_overlap, negative_phrases):
        num_regions = 3
        image_id, phrase_id, boxes, truth, text_id = _random_batch(seed, num_regions)
        masks = region_phrase_masks(
            image_id,
            phrase_id,
            boxes,
            phrase_boxes=truth,
            text_id=text_id,
            positive_overlap=positive_overlap,
            negative_phrases=negative_phrases,
        )
        regions = [(image_id[i], tuple(boxes[i, r])) for i in range(8) for r in range(num_regions)]
        matched = {region: set() for region in regions}
        for i in range(8):
            for j in range(8):
                if image_id[i] != image_id[j]:
                    continue
                if phrase_id[i] == phrase_id[j]:
                    matched[image_id[i], tuple(boxes[i, 0])].add(j)
                for box in boxes[i]:
                    overlap = box_overlap(box[None], truth[j])[0]
                    if positive_overlap and overlap >= positive_overlap:
                        matched[image_id[i], tuple(box)].add(j)
        for i, (image, box) in enumerate(regions):
            texts = {text_id[j] for j in matched[image, box]}
            chains = {(image_id[j], phrase_id[j]) for j in matched[image, box]}
            for j in range(8):
                positive = j in matched[image, box]
                assert masks.positive[i, j] == positive
                if negative_phrases == "other_chains":
                    refused = (image_id[j], phrase_id[j]) not in chains
                else:
                    own_box = image_id[j] == image and tuple(truth[j]) == box
                    refused = text_id[j] not in texts and not own_box
                assert masks.negative_texts[i, j] == refused
                overlap = box_overlap(np.array([box]), truth[j])[0]
                far = image_id[j] == image and overlap < 0.3
                assert masks.negative_images[i, j] == (far and not positive)
            assert masks.first_image[i] == ((image, box) not in regions[:i])


@pytest.mark.parametrize("seed", range(3))
def test_one_of_every_set_is_marked_the_first(seed):
    ids = np.random.default_rng(seed).integers(0, 4, 9)
    marked = np.flatnonzero(is_first_copy(ids[:, None] == ids))
    np.testing.assert_array_equal(marked, np.sort(np.unique(ids, return_index=True)[1]))


def test_first_copies_need_no_batch_size():
    function = tf.function(
        is_first_copy, input_signature=[tf.TensorSpec([None, None], tf.bool)], autograph=False
    )
    assert np.array(function(np.eye(3, dtype=bool))).all()
