"""What is answered of each region of an image, from a model directory."""

import numpy as np


def live_region_answers(batch, answers):
    """Returns what `graph_region_answers` does, of the real regions' answers alone.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        answers: dict of arrays `[N, ...]`, a row for each of the N real regions of the batch.
    """
    mask = batch["region_mask"]
    whole = {}
    for name, values in answers.items():
        empty = "" if values.dtype == object else 0
        whole[name] = np.full((*mask.shape, *values.shape[1:]), empty, values.dtype)
        whole[name][mask] = values
    num_regions = mask.sum(axis=1, dtype=np.int32)
    return {**whole, "boxes": batch["region_boxes"], "num_regions": num_regions}
