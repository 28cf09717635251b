"""Test images, and what its features of them tell of an encoder before anything is written."""

import numpy as np
from PIL import Image

from vsa_tf.boxes import WHOLE_FRAME

_NUM_IMAGES = 6
# Mean cosine of features of different test images: a sound network is far below (0.8 and less),
# one that is given pixels on a much smaller scale than it expects is above (0.9999).
_ALIKE = 0.99
# Share of a feature's numbers that never vary: of a sound network of this kind up to a half.
_DEAD = 0.95


def probe_image(height, width, seed=0):
    """Returns a test image with the contrasts of a photograph, uint8 `[height, width, 3]`.

    Blotches of every size in random colours, and a few things with edges.
    """
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for octave in range(1, 8):
        blotches = rng.normal(size=(2**octave, 2**octave, 3)) * 0.6
        blotches += rng.normal(size=(2**octave, 2**octave, 1))
        for channel in range(3):
            layer = Image.fromarray(blotches[..., channel].astype(np.float32))
            layer = layer.resize((width, height), Image.Resampling.BICUBIC)
            image[..., channel] += np.asarray(layer) / octave
    image = 128 + 64 * (image - image.mean()) / image.std()
    for _ in range(4):
        top, left = (int(rng.integers(0, side * 3 // 4)) for side in (height, width))
        image[top : top + height // 3, left : left + width // 4] = rng.integers(0, 256, 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def feature_warnings(encoder, takes_encoder_input):
    """Looks at an encoder's features of test images.

    Args:
        encoder: see `tfrecords_tools.encoders`.
        takes_encoder_input: whether `--encoder_input` may be what is wrong.

    Returns:
        list of str: what looks wrong.

    Raises:
        ValueError: they are no numbers, or too large for records, which hold half precision.
    """
    images = [probe_image(192, 288, seed) for seed in range(_NUM_IMAGES)]
    features = np.concatenate(encoder.encode(images, [WHOLE_FRAME] * _NUM_IMAGES))
    spec = encoder.describe()["spec"]
    with np.errstate(over="ignore"):
        stored = features.astype(np.float16)
    if not np.isfinite(stored).all():
        wrong = features[~np.isfinite(stored)]
        raise ValueError(
            f"Expected features of half precision, up to 65504. Received: {spec}, whose features "
            f"of a test image hold {wrong[0]:.4g} ({len(wrong)} of {features.size} numbers)"
        )
    constant = np.ptp(stored, axis=1).max() == 0
    unvaried = np.mean(np.ptp(stored, axis=0) == 0)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    directions = features / np.maximum(lengths, 1e-12)
    cosine = (directions @ directions.T)[~np.eye(_NUM_IMAGES, dtype=bool)].mean()
    if constant:
        found = "all numbers of a feature are the same"
    elif cosine > _ALIKE:
        found = f"features of different test images are nearly the same (mean cosine {cosine:.4f})"
    elif unvaried > _DEAD:
        found = f"{unvaried:.0%} of a feature's numbers are the same for all test images"
    else:
        return []
    question = "Has it weights that were trained, and is it the network that you meant?"
    if takes_encoder_input:
        question = "Does it expect other pixels (--encoder_input), or is it another network?"
    return [f"warning: {spec} makes little difference between photographs: {found}. {question}"]
