"""A split with phrases, made by hand."""

import types

import numpy as np

from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.parsed_record import annotated_chains
from vsa_tf.data.schema import AnnotatedBox, AnnotatedPhrase

# Two images of four regions; features are image + region / 8 in every number.
_BOXES = np.float32(
    [
        [[0, 0, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4], [0.5, 0.5, 1, 1]],
        [[0, 0, 1, 1], [0.5, 0, 1, 0.5], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]
)
_MASK = np.array([[True] * 4, [True, True, False, False]])
_OBJECTS = (
    # Chain 3 has two boxes, around which is the upper left quarter; chain 5 is in the lower right.
    (
        AnnotatedBox("3", (0.0, 0.0, 0.25, 0.5)),
        AnnotatedBox("3", (0.25, 0.0, 0.5, 0.25)),
        AnnotatedBox("5", (0.6, 0.6, 1.0, 1.0)),
    ),
    (AnnotatedBox("3", (0.0, 0.9, 0.1, 1.0)),),
)
_PHRASES = (
    (
        AnnotatedPhrase(0, 0, 2, "3", "people"),
        AnnotatedPhrase(0, 3, 1, "5", "animals"),
        AnnotatedPhrase(1, 0, 1, "9", "scene"),
        AnnotatedPhrase(1, 1, 2, "3", "people"),
    ),
    (AnnotatedPhrase(0, 1, 1, "3", "other"),),
)


def given_phrases(object_features=True, phrases=_PHRASES):
    """Stands for a `RecordSplit` of two images, three captions and five phrases."""
    chains = [annotated_chains(objects) for objects in _OBJECTS]
    features = np.float16(np.arange(2)[:, None, None] + np.arange(4)[:, None] / 8 + np.zeros(6))
    chain_features = np.repeat(np.float16([[10], [11], [12]]), 6, axis=1)
    return types.SimpleNamespace(
        split="train",
        num_images=2,
        filenames=["a.png", "b.png"],
        captions=["two men and dogs", "rain wets two men", "a kite"],
        image_of_caption=np.int32([0, 0, 1]),
        first_caption=np.int64([0, 2, 3]),
        region_boxes=_BOXES,
        region_mask=_MASK,
        objects=_OBJECTS,
        phrases=phrases,
        chains=chains,
        first_chain=np.int64([0, 2, 3]),
        info=DatasetInfo(
            data_dir="",
            dataset="given",
            splits={},
            num_regions=4,
            region_feature_size=6,
            image_feature_size=0,
            images_stored=False,
            object_features=object_features,
            encoder={},
            detector={},
            contents={},
        ),
        read_region_features=lambda images, num_regions=None: features[images, :num_regions],
        read_chain_features=lambda rows: chain_features[rows],
    )
