"""A batch of images as a batch of their regions."""

import numpy as np


def region_batch(batch, whole_frame=False):
    """Returns a batch with a row for each real region, as the region captioner reads them.

    Args:
        batch: dict of region_boxes `[B, R, 4]`, region_mask `[B, R]`, and region_features
            `[B, R, D]` or images `[B, S, S, 3]`.
        whole_frame: each region is followed by the whole frame, region 0, as a second one.

    Returns:
        dict of the same keys; region_... with one region a row, or two.
    """
    image, region = np.nonzero(batch["region_mask"])
    regions = np.stack([region, np.zeros_like(region)], 1) if whole_frame else region[:, None]
    return {
        name: value[image[:, None], regions] if name.startswith("region_") else value[image]
        for name, value in batch.items()
    }
