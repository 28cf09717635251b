"""A split in TensorBoard's embedding projector, with photographs as points."""

import io
import pathlib

import numpy as np
from PIL import Image
from tensorboard.plugins import projector

from vsa_tf.reporting.printable import printable
from vsa_tf.reporting.projected_points import ProjectedPoints
from vsa_tf.reporting.sprite_sheet import TILE, sprite_sheet

_VECTORS, _METADATA, _SPRITES = "vectors.tsv", "metadata.tsv", "sprites.png"


def write_projector(projector_dir, model, evaluation, data):
    """Writes vectors.tsv, metadata.tsv, sprites.png and projector_config.pbtxt.

    Args:
        projector_dir: directory of a log: `tensorboard --logdir` of it shows them.
        model: the model.
        evaluation: its `Evaluation`.
        data: the `SplitData`; without stored images there are no sprites.
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
    print(f"embedding projector: tensorboard --logdir={folder}", flush=True)
