"""Two-branch evaluation without a network: the vectors are given."""

import types

import numpy as np

from vsa_tf.models.two_branch.two_branch_loss import pairwise_distances


class GivenVectors:
    """Stands for a two-branch network: what the batches hold is already embedded."""

    has_joint_space = True

    def __init__(self, task="image_sentence"):
        self.task = task

    def embed_images(self, batch):
        return batch["region_features"][:, 0]

    def embed_regions(self, batch):
        return batch["region_features"]

    def embed_sentences(self, batch):
        return batch["sentence_features"]

    def score(self, images, sentences):
        return -pairwise_distances(images, sentences)


def given_data(regions, sentences, image_of_sentence, region_mask=None, **records):
    """Returns `SplitData` of vectors, in batches of any size.

    Args:
        regions: float `[N, R, H]`.
        sentences: float `[M, H]`.
        image_of_sentence: int `[M]`.
        region_mask: bool `[N, R]`.
        **records: what else the records have.
    """
    regions, sentences = np.float32(regions), np.float32(sentences)
    if region_mask is None:
        region_mask = np.ones(regions.shape[:2], bool)

    def image_batches(size, images=None):
        images = np.arange(len(regions)) if images is None else images
        for first in range(0, len(images), size):
            rows = images[first : first + size]
            yield {"region_features": regions[rows], "region_mask": np.array(region_mask)[rows]}

    def sentence_batches(size, captions=None):
        rows = sentences if captions is None else sentences[captions]
        for first in range(0, len(rows), size):
            yield {"sentence_features": rows[first : first + size]}

    return types.SimpleNamespace(
        image_batches=image_batches,
        sentence_batches=sentence_batches,
        num_regions=regions.shape[1],
        records=types.SimpleNamespace(
            **{
                "num_images": len(regions),
                "num_captions": len(sentences),
                "image_of_caption": np.array(image_of_sentence, np.int32),
                "info": types.SimpleNamespace(dataset="small", images_stored=False),
                "split": "dev",
                **records,
            }
        ),
    )


def unit_vectors(angles):
    """Returns float32 `[..., 2]`: the points at these angles, in degrees."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)
