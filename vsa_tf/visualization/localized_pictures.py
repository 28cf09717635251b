"""Pictures of phrases and the boxes that were found for them."""

import numpy as np

from vsa_tf.decoding.segment_alignment import Snippet
from vsa_tf.visualization.alignment_picture import alignment_picture


def localized_pictures(found_boxes, records, count):
    """Draws `count` phrases, spread over the split: the true box dashed, the best one in colour.

    The whole frame is no place: where it is the best region, no box is drawn and words are grey.

    Args:
        found_boxes: float `[P, 4]`, the best region of each phrase.
        records: the `PhraseRecords`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of a name to `(phrase, uint8 [h, w, 3])`.
    """
    if not records.info.images_stored:
        return {}
    pictures = {}
    num_phrases = len(found_boxes)
    for phrase in np.linspace(0, num_phrases - 1, min(count, num_phrases)).astype(int):
        image, words = records.image_of_caption[phrase], records.captions[phrase].split()
        snippets = []
        if words:
            box = tuple(found_boxes[phrase].tolist())
            snippets = [Snippet(box, 0, 0, len(words) - 1, 0.0)]
        picture = alignment_picture(
            records.read_image(image), words, snippets, truth_boxes=[records.phrase_boxes[phrase]]
        )
        name = f"{records.filenames[image]}#{phrase}"
        pictures[name] = records.captions[phrase], np.asarray(picture)
    return pictures
