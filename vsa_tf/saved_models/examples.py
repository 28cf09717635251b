"""Photographs and sentences that an exported model is tried on."""

import pathlib
from typing import NamedTuple

from vsa_tf.data.record_split import RecordSplit
from vsa_tf.program import ProgramError


class Examples(NamedTuple):
    """N photographs with a sentence each.

    Attributes:
        image_bytes: list of N bytes.
        sentences: list of N str: plain text, or the relations of `LiveRelations`.
    """

    image_bytes: list
    sentences: list


def read_examples(data_dir, split, count, image_files=(), reads_dependencies=False):
    """Reads examples of a split.

    Args:
        data_dir: directory of records.
        split: name of the split.
        count: N, at most.
        image_files: photographs to take in the place of the records' own.
        reads_dependencies: whether the model reads dependency relations, not plain text.

    Returns:
        `Examples`.

    Raises:
        ProgramError: records or photographs cannot be read, or there are none.
    """
    try:
        records = RecordSplit(data_dir, split, feature_cache_bytes=0)
        images = [pathlib.Path(file).read_bytes() for file in image_files]
    except (OSError, ValueError) as error:
        raise ProgramError(f"no examples to check the export with: {error}") from error
    # An image without captions shows nothing of the text side.
    captioned = sorted(set(records.image_of_caption.tolist()))[: len(images) or count]
    if not images:
        if not records.info.contents["images_stored"]:
            raise ProgramError(
                f"{data_dir} holds no images to check the export with: give --example_image=FILE"
            )
        images = records.read_encoded_images(captioned)
    captions = [records.captions[records.first_caption[image]] for image in captioned]
    if reads_dependencies:
        if not any(records.dependencies):
            raise ProgramError(
                f"{data_dir} holds no parses to check the export with: give --data_dir of records "
                "with dependency relations"
            )
        parses = [records.dependencies[records.first_caption[image]] for image in captioned]
        captions = ["\n".join("\t".join(relation) for relation in parse) for parse in parses]
    images = images[:count]
    return Examples(images, [captions[i % len(captions)] for i in range(len(images))])
