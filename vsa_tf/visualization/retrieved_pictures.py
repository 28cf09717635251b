"""Pictures of what a sentence retrieves."""

import numpy as np
from PIL import Image, ImageOps

from vsa_tf.visualization.alignment_picture import alignment_picture, contact_sheet

_NUM_RETRIEVED = 4
_WIDTH = 240
_FRAME = 6
# Heights of taller photographs are shown as so many widths.
_TALLEST = 4
# Okabe and Ito's bluish green: told from a photograph by all kinds of colour vision.
_RIGHT = (0, 158, 115)
_PAPER = (255, 255, 255)


def retrieved_pictures(scores, records, count):
    """Draws the images that `count` sentences, spread over the split, find first.

    Args:
        scores: float `[N, M]`, larger is more similar.
        records: the `RecordSplit`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of a name to `(caption, uint8 [h, w, 3])`: the best images from left to right, the
        right one in a green frame, below the sentence and the rank of its image.
    """
    if not records.info.images_stored:
        return {}
    pictures = {}
    num_sentences = scores.shape[1]
    for sentence in np.linspace(0, num_sentences - 1, min(count, num_sentences)).astype(int):
        column, right = scores[:, sentence], records.image_of_caption[sentence]
        rank = 1 + int(np.count_nonzero(np.delete(column, right) >= column[right]))
        caption = f"{records.captions[sentence]} (rank {rank})"
        photographs = [
            _framed(records.read_image(image), image == right)
            for image in np.argsort(-column, kind="stable")[:_NUM_RETRIEVED]
        ]
        sheet = contact_sheet(photographs, columns=_NUM_RETRIEVED)
        picture = alignment_picture(sheet, [], [], title=caption, width=sheet.width)
        pictures[f"{records.filenames[right]}#{sentence}"] = caption, np.asarray(picture)
    return pictures


def _framed(image, is_right):
    height = max(1, round(_WIDTH * min(image.shape[0] / image.shape[1], _TALLEST)))
    photograph = Image.fromarray(image).resize((_WIDTH, height), Image.Resampling.LANCZOS)
    return ImageOps.expand(photograph, _FRAME, _RIGHT if is_right else _PAPER)
