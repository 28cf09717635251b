"""What is a match and what is not among the images and texts of a batch (T Algorithm 1)."""

from typing import Any, NamedTuple

from keras import ops

from vsa_tf.boxes import box_overlap
from vsa_tf.models.layers.pair_costs import negative_mask

NEGATIVE_PHRASES = ("unmatched", "other_chains")


class PairMasks(NamedTuple):
    """Which of N images (or regions) and M texts match: what every two-branch loss reads.

    A pair may be neither: then it is left out. The two directions have negatives of their own,
    since the paper draws them from different sets (T Algorithm 1).

    Attributes:
        positive: bool `[N, M]`, text j matches image i: y_j in Y+_i, x_i in X+_j.
        negative_texts: bool `[N, M]`, text j is a wrong answer for image i: y_j in Y-_i.
        negative_images: bool `[N, M]`, image i is a wrong answer for text j: x_i in X-_j.
        first_image: bool `[N]`, False for an image that stands in the batch before; None: all
            differ.
        first_text: bool `[M]`, the same of texts.
    """

    positive: Any
    negative_texts: Any
    negative_images: Any
    first_image: Any = None
    first_text: Any = None

    def of_distinct_items(self):
        """Returns the masks with every image and every text counted once."""
        positive, negative_texts, negative_images = self[:3]
        if self.first_image is not None:
            first_image = ops.expand_dims(self.first_image, 1)
            positive = ops.logical_and(positive, first_image)
            negative_images = ops.logical_and(negative_images, first_image)
        if self.first_text is not None:
            first_text = ops.expand_dims(self.first_text, 0)
            positive = ops.logical_and(positive, first_text)
            negative_texts = ops.logical_and(negative_texts, first_text)
        return PairMasks(positive, negative_texts, negative_images)


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
    different = negative_mask(image_id)
    same_image = ops.logical_not(different)
    first_text = None if sentence_id is None else is_first_copy(_same(sentence_id))
    return PairMasks(same_image, different, different, is_first_copy(same_image), first_text)


def _same(ids):
    return ops.equal(ops.expand_dims(ids, 1), ops.expand_dims(ids, 0))


def region_phrase_masks(
    image_id,
    phrase_id,
    region_boxes,
    region_mask=None,
    phrase_boxes=None,
    text_id=None,
    negative_overlap=0.3,
    positive_overlap=None,
    negative_phrases="unmatched",
):
    """Returns the `PairMasks` of B rows of regions, each with a phrase.

    A row holds R regions of one image and one phrase. Region 0 is the phrase's: its ground truth,
    or a proposal close to it. The others, if any, are proposals of the same image: without them
    a phrase finds negatives only where its image stands in several rows. Over the R B regions,
    row after row, and the B phrases:

    * positive: region 0 of a row with the same image and coreference chain as the phrase; with
      `positive_overlap`, also every region of the image that overlaps the phrase's box so much;
    * negative texts of a region: every phrase of the batch of another chain than the phrases that
      match it (step 3a). With `negative_phrases="unmatched"` not so a phrase whose box is that very
      region (a box may be named by two chains), nor one with the text of a phrase that matches it
      (`text_id`);
    * negative images of a phrase: regions of its image whose overlap with its box is smaller than
      `negative_overlap` (step 3b). Regions between the two overlaps are neither, and so are
      regions of other images.

    One image's regions with equal boxes are copies of one region, and all match what one of them
    matches; phrases of one chain with the same text are copies of one phrase.

    Args:
        image_id: int `[B]`, the image of each row.
        phrase_id: int `[B]`, the coreference chain of each row's phrase, told apart within an
            image.
        region_boxes: float `[B, R, 4]`, normalised `ymin, xmin, ymax, xmax`.
        region_mask: bool `[B, R]`, False for padding; None: none is.
        phrase_boxes: float `[B, 4]`, the ground truth of each phrase; None: that of region 0.
        text_id: int `[B]`, equal for phrases of equal words; None: unknown, all differ.
        negative_overlap: intersection over union below which a region is negative.
        positive_overlap: intersection over union from which a region is positive; None: by
            chains alone.
        negative_phrases: `unmatched`, or all of `other_chains`, as in the paper.
    """
    num_regions = region_boxes.shape[1]
    phrase_boxes = region_boxes[:, 0] if phrase_boxes is None else phrase_boxes
    boxes = ops.reshape(region_boxes, (-1, 4))
    region_image = ops.repeat(image_id, num_regions)
    real = None if region_mask is None else ops.reshape(region_mask, (-1,))

    same_image = _equal(region_image, image_id)
    same_chain = ops.logical_and(_equal(image_id, image_id), _equal(phrase_id, phrase_id))
    overlaps = box_overlap(ops.expand_dims(boxes, 1), phrase_boxes, xp=ops)
    same_region = _same_boxes(region_image, boxes, region_image, boxes)

    own = ops.reshape(ops.arange(num_regions) == 0, (1, -1, 1))
    positive = ops.logical_and(own, ops.expand_dims(same_chain, 1))
    positive = ops.reshape(positive, ops.shape(same_image))
    if positive_overlap is not None:
        close = ops.logical_and(same_image, overlaps >= positive_overlap)
        positive = ops.logical_or(positive, close)
    positive = _any_of(same_region, positive)

    first_text, same_text = None, None
    if text_id is not None:
        same_text = _equal(text_id, text_id)
        first_text = is_first_copy(ops.logical_and(same_chain, same_text))
    if negative_phrases == "other_chains":
        matching = _any_of(positive, same_chain)
    else:
        own_boxes = _same_boxes(region_image, boxes, image_id, phrase_boxes)
        matching = ops.logical_or(positive, own_boxes)
        if same_text is not None:
            matching = ops.logical_or(matching, _any_of(positive, same_text))
    negative_texts = ops.logical_not(matching)

    far = ops.logical_and(same_image, overlaps < negative_overlap)
    negative_images = ops.logical_and(far, ops.logical_not(positive))
    first_image = is_first_copy(same_region)
    if real is not None:
        real = ops.expand_dims(real, 1)
        positive = ops.logical_and(positive, real)
        negative_images = ops.logical_and(negative_images, real)
    return PairMasks(positive, negative_texts, negative_images, first_image, first_text)


def _equal(ids, others):
    return ops.equal(ops.expand_dims(ids, 1), ops.expand_dims(others, 0))


def _same_boxes(image_id, boxes, other_image_id, other_boxes):
    same = _equal(image_id, other_image_id)
    for side in range(4):
        same = ops.logical_and(same, _equal(boxes[:, side], other_boxes[:, side]))
    return same


def _any_of(left, right):
    """The product of two bool matrices, with "and" and "or" for times and plus."""
    return ops.matmul(ops.cast(left, "float32"), ops.cast(right, "float32")) > 0.5


def is_first_copy(same):
    """Marks every item that no item before it equals.

    Args:
        same: bool `[N, N]`, True where two items are the same (an equivalence).

    Returns:
        bool `[N]`: exactly one item of every set of copies.

    Example:

    >>> import numpy as np
    >>> ids = np.array([7, 3, 7])
    >>> np.array(is_first_copy(ids[:, None] == ids)).tolist()
    [True, True, False]
    """
    # The position of the first True of each row.
    first = ops.argmax(ops.cast(same, "int32"), axis=1)
    return ops.equal(first, ops.arange(ops.shape(same)[0], dtype=first.dtype))
