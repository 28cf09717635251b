"""What is a match and what is not among the images and texts of a batch."""

from typing import Any, NamedTuple

from keras import ops


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
