"""The images of a split that are hardest to tell from one another."""

import numpy as np

from vsa_tf.scoring.nearest_images import nearest_images

# IAPR TC-12's.
SHORTLIST_SIZE = 100


def similar_images(records):
    """Returns the images of the split nearest to each image, by features of the whole frames.

    Args:
        records: the `RecordSplit`, which holds features.

    Returns:
        int64 `[N, min(SHORTLIST_SIZE, N)]`, nearest first by Euclidean distance; an image, or its
        double, is nearest to itself.
    """
    frames = records.read_region_features(np.arange(records.num_images))[:, 0]
    return nearest_images(frames, frames, SHORTLIST_SIZE, "euclidean").images
