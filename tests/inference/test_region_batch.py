import numpy as np

from vsa_tf.inference.region_batch import region_batch

_BATCH = {
    "region_features": np.arange(12).reshape(2, 3, 2),
    "region_boxes": np.arange(24).reshape(2, 3, 4),
    "region_mask": np.array([[True, True, False], [True, False, False]]),
}


def test_every_real_region_is_a_row():
    regions = region_batch(_BATCH)
    np.testing.assert_array_equal(regions["region_features"], [[[0, 1]], [[2, 3]], [[6, 7]]])
    assert regions["region_boxes"].shape == (3, 1, 4)
    assert regions["region_mask"].all()


def test_the_whole_frame_follows_each_region():
    regions = region_batch(_BATCH, whole_frame=True)
    np.testing.assert_array_equal(
        regions["region_features"], [[[0, 1], [0, 1]], [[2, 3], [0, 1]], [[6, 7], [6, 7]]]
    )


def test_images_are_repeated_for_their_regions():
    batch = {key: _BATCH[key] for key in ("region_boxes", "region_mask")}
    regions = region_batch({**batch, "images": np.array([[5], [8]])})
    np.testing.assert_array_equal(regions["images"], [[5], [5], [8]])
