"""A small data set as tensorflow-datasets prepares it."""

import io

import numpy as np
import pytest
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets", reason="tensorflow-datasets is an extra")


def jpeg(number, side=24):
    """Returns a photograph as JPEG bytes that no encoder gives again: they have a comment."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side + 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=37, comment=f"photograph {number}".encode())
    return file.getvalue()


def coco_like_features():
    """Returns the features of tfds's coco_captions, with two classes."""
    return {
        "image": tfds.features.Image(encoding_format="jpeg"),
        "image/filename": tfds.features.Text(),
        "image/id": np.int64,
        "captions": tfds.features.Sequence({"text": np.str_, "id": np.int64}),
        "objects": tfds.features.Sequence(
            {
                "area": np.int64,
                "bbox": tfds.features.BBoxFeature(),
                "id": np.int64,
                "is_crowd": np.bool_,
                "label": tfds.features.ClassLabel(names=["person", "dog"]),
            }
        ),
    }


def coco_like_example(number, captions, objects=()):
    """Returns an example of those features.

    Args:
        number: of the photograph.
        captions: list of str.
        objects: list of `((ymin, xmin, ymax, xmax), label, is_crowd)`.
    """
    return {
        "image": io.BytesIO(jpeg(number)),
        "image/filename": f"{number:012d}.jpg",
        "image/id": number,
        "captions": [{"text": text, "id": 10 * number + k} for k, text in enumerate(captions)],
        "objects": [
            {
                "area": 1,
                "bbox": tfds.features.BBox(*box),
                "id": 100 * number + k,
                "is_crowd": is_crowd,
                "label": label,
            }
            for k, (box, label, is_crowd) in enumerate(objects)
        ],
    }


def prepare(data_dir, features, splits, **options):
    """Prepares a data set `small_captions`, version 1.2.0.

    Args:
        data_dir: directory of tensorflow-datasets.
        features: dict of features.
        splits: `{split: list of examples}`.
        options: of `tfds.download.DownloadConfig`.

    Returns:
        The directory of the prepared files.
    """

    class SmallCaptions(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Photographs with captions."""

        name = "small_captions"
        VERSION = tfds.core.Version("1.2.0")

        def _info(self):
            # Shuffled, they would be stored in the order of a hash.
            return tfds.core.DatasetInfo(
                builder=self,
                description="Small.",
                disable_shuffling=True,
                features=tfds.features.FeaturesDict(features),
            )

        def _split_generators(self, dl_manager):
            return {split: iter(enumerate(examples)) for split, examples in splits.items()}

        def _generate_examples(self):
            raise NotImplementedError

    builder = SmallCaptions(data_dir=data_dir)
    config = tfds.download.DownloadConfig(try_download_gcs=False, **options)
    builder.download_and_prepare(download_config=config)
    return builder.data_path
