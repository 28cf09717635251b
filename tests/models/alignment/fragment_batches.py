"""Small batches for the models of regions and fragments."""

import numpy as np

VOCABULARY_SIZE = 9
NUM_RELATIONS = 4


def word_batch(seed=0, size=5, num_regions=4, num_words=6):
    """Returns a batch of images, of one to all regions, with sentences of a word or more."""
    rng = np.random.default_rng(seed)
    real = np.arange(num_words) < rng.integers(1, num_words + 1, size)[:, None]
    return {
        **_regions(rng, size, num_regions),
        "token_ids": (rng.integers(1, VOCABULARY_SIZE, real.shape) * real).astype("int32"),
        "image_id": np.arange(size, dtype="int32"),
    }


def relation_batch(seed=0, size=5, num_regions=4, num_fragments=6):
    """Returns such a batch with relations; the second sentence has none."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, num_fragments + 1, size)
    lengths[1] = 0
    real = np.arange(num_fragments) < lengths[:, None]
    relations, heads, dependents = (
        (rng.integers(1, limit, real.shape) * real).astype("int32")
        for limit in (NUM_RELATIONS, VOCABULARY_SIZE, VOCABULARY_SIZE)
    )
    return {
        **_regions(rng, size, num_regions),
        "relations": relations,
        "heads": heads,
        "dependents": dependents,
        "image_id": np.arange(size, dtype="int32"),
    }


def in_pixels(batch):
    """Returns a batch with images of 10 x 10 pixels in place of features."""
    shape = (len(batch["image_id"]), 10, 10, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    rest = {name: value for name, value in batch.items() if name != "region_features"}
    return {**rest, "images": images}


def padded_further(batch):
    """Returns a batch of 3 more regions and 4 more words or relations, all of them padding."""
    longer = {"image_id": batch["image_id"]}
    for name in batch.keys() - longer.keys():
        count = 3 if name.startswith("region_") else 4
        axes = [(0, 0), (0, count)] + [(0, 0)] * (batch[name].ndim - 2)
        longer[name] = np.pad(batch[name], axes)
    return longer


def with_noise_in_padding(batch):
    """Returns a batch with other features where there is no region."""
    mask = batch["region_mask"][..., None]
    return {**batch, "region_features": np.where(mask, batch["region_features"], np.float16(50))}


def _regions(rng, size, num_regions):
    corners = np.sort(rng.uniform(size=(size, num_regions, 2, 2)), axis=2)
    boxes = corners.reshape(size, num_regions, 4).astype("float32")
    boxes[:, 0] = 0, 0, 1, 1
    lengths = rng.integers(1, num_regions + 1, size)
    return {
        "region_features": rng.normal(size=(size, num_regions, 3)).astype("float16"),
        "region_boxes": boxes,
        "region_mask": np.arange(num_regions) < lengths[:, None],
    }
