"""Matches among the image-sentence pairs of a batch."""

from keras import ops

from vsa_tf.losses.is_first_copy import is_first_copy
from vsa_tf.losses.pair_masks import PairMasks


def image_sentence_masks(image_id, sentence_id=None):
    """Returns the `PairMasks` of B image-sentence pairs (T section 5.1).

    Every sentence of a photograph matches it, whichever row it stands in; all others do not. A
    photograph that stands in several rows, one for each of its sentences, counts once.

    Args:
        image_id: int `[B]`, the image of each pair.
        sentence_id: int `[B]`, the sentence of each pair; None: all differ.

    Example:

    >>> import numpy as np
    >>> masks = image_sentence_masks(np.array([7, 3, 7]))
    >>> np.array(masks.positive).tolist()
    [[True, False, True], [False, True, False], [True, False, True]]
    >>> np.array(masks.of_distinct_items().positive).tolist()
    [[True, False, True], [False, True, False], [False, False, False]]
    """
    same_image = _same(image_id)
    different = ops.logical_not(same_image)
    first_text = None if sentence_id is None else is_first_copy(_same(sentence_id))
    return PairMasks(same_image, different, different, is_first_copy(same_image), first_text)


def _same(ids):
    return ops.equal(ops.expand_dims(ids, 1), ops.expand_dims(ids, 0))
