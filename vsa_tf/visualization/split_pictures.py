"""Pictures of sentences aligned with the regions of their images."""

import numpy as np

from vsa_tf.decoding.segment_alignment import segment_alignment, snippets
from vsa_tf.visualization.alignment_picture import alignment_picture

# Neighbouring words share a region unless another is better by this share of a word's best score.
SMOOTHNESS = 0.3


def aligned_pictures(embedded, data, count):
    """Draws the first caption of `count` images, spread over the split: its words or relations.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`; without stored images there are no pictures.
        count: number of pictures.

    Returns:
        A dict of file name to `(caption, uint8 [h, w, 3])`.
    """
    records = data.records
    if not records.info.contents["images_stored"]:
        return {}
    # Relations that stand side by side need not be about one thing.
    smoothness = SMOOTHNESS if data.text.relation_types is None else 0.0
    pictures = {}
    for image in np.linspace(0, records.num_images - 1, min(count, records.num_images)).astype(int):
        sentence = records.first_caption[image]
        if sentence == records.first_caption[image + 1] or not embedded.lengths[sentence]:
            continue
        mask = embedded.region_mask[image]
        boxes = records.region_boxes[image][: len(mask)]
        scores = embedded.words_of(sentence) @ embedded.regions[image].T
        beta = smoothness * float(np.abs(scores[:, mask].max(axis=1)).mean())
        assignment = segment_alignment(scores, beta, mask)
        picture = alignment_picture(
            records.read_image(image),
            data.fragment_names(sentence),
            snippets(assignment, scores, boxes),
        )
        pictures[records.filenames[image]] = (records.captions[sentence], np.asarray(picture))
    return pictures
