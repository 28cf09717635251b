"""A split in TensorBoard's embedding projector, with photographs as points."""

import dataclasses
import io
import math
import pathlib

import keras
import numpy as np
from PIL import Image, ImageOps
from tensorboard.plugins import projector

from vsa_tf.evaluation.probability_retrieval import encode_images
from vsa_tf.program import silent
from vsa_tf.reporting.report_page import printable
from vsa_tf.visualization.split_pictures import spread

_VECTORS, _METADATA, _SPRITES = "vectors.tsv", "metadata.tsv", "sprites.png"
# Images of a split; with a sentence each there are twice as many points.
_MOST_IMAGES = 4096
TILE = 64
# The projector draws no larger picture.
_LARGEST_SIDE = 8192
MOST_TILES = (_LARGEST_SIDE // TILE) ** 2


def write_projector(projector_dir, model, evaluation, data, say=silent):
    """Writes vectors.tsv, metadata.tsv, sprites.png and projector_config.pbtxt.

    Args:
        projector_dir: directory of a log: `tensorboard --logdir` of it shows them.
        model: the model.
        evaluation: its `Evaluation`.
        data: the `SplitData`; without stored images there are no sprites.
        say: called with the command that shows them.
    """
    folder, records = pathlib.Path(projector_dir), data.records
    folder.mkdir(parents=True, exist_ok=True)
    points = ProjectedPoints.of_evaluation(model, evaluation, data)
    content = io.BytesIO()
    np.savetxt(content, points.vectors, fmt="%.5g", delimiter="\t")
    (folder / _VECTORS).write_bytes(content.getvalue())
    lines = ["text\tkind\tfile"] + [
        f"{printable(text)}\t{kind}\t{printable(records.filenames[image])}"
        for text, kind, image in zip(points.texts, points.kinds, points.images)
    ]
    (folder / _METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(
        tensor_name=f"{records.info.dataset} {records.split}",
        tensor_path=_VECTORS,
        metadata_path=_METADATA,
    )
    if records.info.images_stored:
        photographs = (records.read_image(image) for image in points.images)
        picture = Image.fromarray(sprite_sheet(photographs, len(points.images)))
        picture.save(folder / _SPRITES)
        embedding.sprite.image_path = _SPRITES
        embedding.sprite.single_image_dim.extend([TILE, TILE])
    projector.visualize_embeddings(str(folder), config)
    say(f"embedding projector: tensorboard --logdir={folder}")


@dataclasses.dataclass
class ProjectedPoints:
    """P points.

    Attributes:
        vectors: float `[P, H]`, of length 1: models compare by angle.
        kinds: list of P str, such as `image`.
        texts: list of P str.
        images: int `[P]`, whose photograph stands for each point.
    """

    vectors: np.ndarray
    kinds: list
    texts: list
    images: np.ndarray

    @classmethod
    def of_evaluation(cls, model, evaluation, data):
        """Takes images, spread over the split, and the first sentence of each.

        An alignment model's image is its whole frame, its sentence the sum of its words. Of
        phrases, each is a point; of a caption generator, what each image hands to it.

        Args:
            model: the model.
            evaluation: its `Evaluation`.
            data: the `SplitData`.
        """
        records, embedded = data.records, evaluation.embedded
        if evaluation.captions is not None:
            images = encode_images(model, data)
            # What words attend to has no place of its own.
            images.pop("regions", None)
            parts = keras.tree.flatten(images)
            vectors = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
            return cls._of(vectors, None, records)
        if evaluation.scores is None:
            chosen = spread(records.num_captions, _MOST_IMAGES)
            return cls(
                _unit(embedded.sentences[chosen]),
                ["phrase"] * len(chosen),
                [records.captions[phrase] for phrase in chosen],
                records.image_of_caption[chosen],
            )
        if embedded.regions is None:
            return cls._of(embedded.images, embedded.sentences, records)
        # Every sentence has a word at least, see TokenStore.
        sentences = np.add.reduceat(embedded.words, embedded.starts)
        return cls._of(embedded.regions[:, 0], sentences, records)

    @classmethod
    def _of(cls, images, sentences, records):
        chosen = spread(len(images), _MOST_IMAGES)
        points = cls(
            _unit(images[chosen]),
            ["image"] * len(chosen),
            [records.filenames[image] for image in chosen],
            chosen,
        )
        if sentences is None:
            return points
        captioned = chosen[np.diff(records.first_caption)[chosen] > 0]
        first = records.first_caption[captioned]
        return cls(
            np.concatenate([points.vectors, _unit(sentences[first])]),
            points.kinds + ["sentence"] * len(first),
            points.texts + [records.captions[sentence] for sentence in first],
            np.concatenate([chosen, captioned]),
        )


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def sprite_sheet(photographs, count):
    """Returns photographs, each cut to a square, row by row in a square picture.

    Args:
        photographs: iterable of uint8 `[h, w, 3]`.
        count: their number, at most `MOST_TILES`.

    Returns:
        uint8 `[side, side, 3]`, side a multiple of `TILE`; white where there is no photograph.

    Raises:
        ValueError: there are none, or too many.
    """
    if not 1 <= count <= MOST_TILES:
        raise ValueError(f"Expected 1 to {MOST_TILES} photographs. Received: {count}")
    columns = math.isqrt(count - 1) + 1
    sheet = np.full((columns * TILE, columns * TILE, 3), 255, np.uint8)
    for place, photograph in enumerate(photographs):
        row, column = divmod(place, columns)
        tile = ImageOps.fit(Image.fromarray(photograph), (TILE, TILE))
        sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = np.asarray(tile)
    return sheet
