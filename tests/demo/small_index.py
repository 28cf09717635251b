"""An index of few photographs, made without a model."""

import numpy as np
from PIL import Image

from tests.demo.small_demo_models import BOXES
from vsa_tf.search_index.embedded import Embedded
from vsa_tf.search_index.index_directory import IndexManifest, IndexShard

# What small_demo_models embeds any sentence without "red" as; "red" is in that of `model_probe`.
_RED, _OTHER = (0.0, 1.0), (1.0, 0.0)


def write_small_index(folder, probe=_RED):
    """Writes three photographs and their index.

    Args:
        folder: `pathlib.Path`; it gets `photographs` and `index`.
        probe: what the model of the index makes of the probe's sentence.

    Returns:
        The index's directory. "red" finds red.png first, by its box 2; other texts grey.png, by
        box 1; sub/gone.png is the last of both, and its file is missing.
    """
    photographs, index_dir = folder / "photographs", folder / "index"
    photographs.mkdir(parents=True)
    index_dir.mkdir()
    for name, color in (("red.png", (255, 0, 0)), ("grey.png", (128, 128, 128))):
        Image.new("RGB", (640, 320), color).save(photographs / name)
    manifest = IndexManifest(
        {"saved_model": "elsewhere"},
        "distance",
        "float32",
        {"images": list(_OTHER), "sentences": list(probe)},
    )
    manifest.save(index_dir)
    # The whole frames, which are compared with photographs, answer no text best.
    gone = (-1.0, 0.0)
    vectors = [
        [(-0.8, 0.6), (-0.6, 0.8), _RED],
        [(-0.8, -0.6), _OTHER, (0.8, -0.6)],
        [gone, gone, gone],
    ]
    names = ("red.png", "grey.png", "sub/gone.png")
    columns = {
        "path": [str(photographs / name) for name in names],
        "size": [1] * 3,
        "mtime_ns": [1] * 3,
    }
    embedded = Embedded(
        "images", np.float32(vectors), np.full(3, 3, np.int32), np.float32([BOXES] * 3)
    )
    IndexShard.write(index_dir, columns, embedded)
    return index_dir
