"""Writes small data sets of records whose every number follows from its position."""

import hashlib
import json
import os

import numpy as np
import tensorflow as tf

from vsa_tf.data import schema
from vsa_tf.files import read_sealed

NUM_REGIONS = 3
FEATURE_SIZE = 4
CAPTIONS_PER_IMAGE = 5
MAX_WORDS = 7


def caption_length(caption_index):
    """Number of words of a caption, 1 to `MAX_WORDS`; index through the split."""
    return 1 + (3 * caption_index) % MAX_WORDS


def caption_text(caption_index):
    """Words `w4 w5 ...` whose first number is 4 + the caption's index through the split."""
    first = 4 + caption_index
    return " ".join(f"w{word}" for word in range(first, first + caption_length(caption_index)))


def tokenise(captions):
    """The token of `w4` is 4."""
    return [[int(word[1:]) for word in caption.split()] for caption in captions]


def region_count(image_index):
    """Number of regions of an image, 1 to `NUM_REGIONS`."""
    return 1 + image_index % NUM_REGIONS


def region_features(image_index, num_regions=None, feature_size=FEATURE_SIZE):
    """float16 [regions, feature_size]: image + region / 8 + feature / 64, exact up to image 15."""
    rows = np.arange(num_regions or region_count(image_index))[:, None] / 8
    return (image_index + rows + np.arange(feature_size) / 64).astype("<f2")


def chain_features(image_index, num_chains=1):
    """float16 [num_chains, FEATURE_SIZE]: below zero, so that no region has them."""
    rows = np.arange(num_chains)[:, None] / 8
    return -(1 + image_index + rows + np.arange(FEATURE_SIZE) / 64).astype("<f2")


def region_boxes(image_index, num_regions=None):
    """float32 [regions, 4]: the whole frame, then boxes whose top is region / 8."""
    num_regions = num_regions or region_count(image_index)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), [num_regions, 1])
    boxes[:, 0] = np.arange(len(boxes)) / 8
    return boxes


def png_image(image_index, height=6, width=4):
    """A PNG of one grey level: 10 times the index of the image."""
    pixels = np.full([height, width, 3], 10 * image_index, np.uint8)
    return tf.io.encode_png(pixels).numpy()


def record_values(image_index, images_stored=False, object_features=False):
    """The values of one record by key, for `serialize`; lists may be edited."""
    boxes = region_boxes(image_index)
    values = {
        schema.IMAGE_SOURCE_ID: [f"image{image_index}"],
        schema.IMAGE_FILENAME: [f"image{image_index}.png"],
        schema.IMAGE_HEIGHT: [6],
        schema.IMAGE_WIDTH: [4],
        schema.REGION_SCORE: [1.0] * len(boxes),
        schema.REGION_FEATURE: [region_features(image_index).tobytes()],
        schema.CAPTION_RAW: [
            caption_text(CAPTIONS_PER_IMAGE * image_index + caption)
            for caption in range(CAPTIONS_PER_IMAGE)
        ],
        schema.OBJECT_CHAIN: ["7"],
        schema.PHRASE_CAPTION_INDEX: [2],
        schema.PHRASE_FIRST_WORD: [0],
        schema.PHRASE_NUM_WORDS: [1],
        schema.PHRASE_CHAIN: ["7"],
        schema.PHRASE_TYPE: ["people"],
    }
    for axis, (region_key, object_key) in enumerate(
        zip(schema.REGION_BOX, schema.OBJECT_BOX, strict=True)
    ):
        values[region_key] = boxes[:, axis].tolist()
        values[object_key] = [(0.25, 0.0, 0.75, 0.5)[axis]]
    if object_features:
        values[schema.OBJECT_CHAIN_FEATURE] = [chain_features(image_index).tobytes()]
    if images_stored:
        values[schema.IMAGE_ENCODED] = [png_image(image_index)]
        values[schema.IMAGE_FORMAT] = ["png"]
    return values


def set_dependencies(values, dependencies):
    """Gives the captions of a record their relations, as of `ParsedRecord.dependencies`."""
    rows = [
        (index, *relation) for index, relations in enumerate(dependencies) for relation in relations
    ]
    keys = (
        schema.DEPENDENCY_CAPTION_INDEX,
        schema.DEPENDENCY_RELATION,
        schema.DEPENDENCY_HEAD,
        schema.DEPENDENCY_DEPENDENT,
    )
    for place, key in enumerate(keys):
        values[key] = [row[place] for row in rows]


def serialize(values):
    """Returns the bytes of the `tf.train.Example` of `{key: list}`."""
    features = {}
    for key, column in values.items():
        if column and isinstance(column[0], float):
            features[key] = tf.train.Feature(float_list=tf.train.FloatList(value=column))
        elif column and isinstance(column[0], int):
            features[key] = tf.train.Feature(int64_list=tf.train.Int64List(value=column))
        else:
            column = [text.encode() if isinstance(text, str) else text for text in column]
            features[key] = tf.train.Feature(bytes_list=tf.train.BytesList(value=column))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_records(
    data_dir,
    num_images=8,
    num_shards=2,
    split="train",
    images_stored=False,
    object_features=False,
    edit=None,
):
    """Writes one split and its `dataset_info.json`.

    Args:
        data_dir: an existing directory.
        num_images: records; they go to the shards in turn of equal runs.
        num_shards: files.
        split: name.
        images_stored: whether records hold a PNG.
        object_features: whether records hold features of their chain.
        edit: `edit(image_index, values)` may change a record before it is written.

    Returns:
        Paths of the shards.
    """
    shards, paths, num_captions, num_phrases, parsed = [], [], 0, 0, {}
    for shard in range(num_shards):
        images = range(shard * num_images // num_shards, (shard + 1) * num_images // num_shards)
        name = schema.shard_name(split, shard, num_shards)
        paths.append(os.path.join(data_dir, name))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for image in images:
                values = record_values(image, images_stored, object_features)
                if edit:
                    edit(image, values)
                num_captions += len(values[schema.CAPTION_RAW])
                num_phrases += len(values[schema.PHRASE_CHAIN])
                if schema.DEPENDENCY_CAPTION_INDEX in values:
                    indices = values[schema.DEPENDENCY_CAPTION_INDEX]
                    for key, count in (
                        ("num_parsed_sentences", len(set(indices))),
                        ("num_dependencies", len(indices)),
                    ):
                        parsed[key] = parsed.get(key, 0) + count
                writer.write(serialize(values))
        with open(paths[-1], "rb") as file:
            sha256 = hashlib.sha256(file.read()).hexdigest()
        shards.append({"file": name, "num_records": len(images), "sha256": sha256})
    write_info(
        data_dir,
        splits={
            split: {
                "num_images": num_images,
                "num_sentences": num_captions,
                "num_phrases": num_phrases,
                "shards": shards,
                **parsed,
            }
        },
        images_stored=images_stored,
        object_features=object_features,
    )
    return paths


def write_info(data_dir, **changes):
    """Writes `dataset_info.json`; `changes` replace its entries."""
    info = {
        "schema_version": schema.SCHEMA_VERSION,
        "dataset": "small",
        "splits": {},
        "num_regions": NUM_REGIONS,
        "region_feature_size": FEATURE_SIZE,
        "image_feature_size": 0,
        "images_stored": False,
        "object_features": False,
        "encoder": {"kind": "test"},
        "detector": {"kind": "none"},
        "settings": {},
        "sources": {},
        "skipped": [],
        "num_skipped": 0,
    }
    with open(os.path.join(data_dir, schema.DATASET_INFO), "w", encoding="utf-8") as file:
        json.dump(info | changes, file)


def change_info(data_dir, **changes):
    """Replaces entries of an existing `dataset_info.json`."""
    info = read_sealed(os.path.join(data_dir, schema.DATASET_INFO))
    write_info(data_dir, **(info | changes))
