"""The loss of the embedding network (T eq. 6)."""

from keras import ops

from vsa_tf.losses.furthest_neighbor import furthest_neighbor
from vsa_tf.losses.mean_of_pairs import mean_of_pairs
from vsa_tf.losses.nearest_negatives import nearest_negatives
from vsa_tf.losses.neighborhood_masks import neighborhood_masks
from vsa_tf.losses.pairwise_distances import pairwise_distances
from vsa_tf.losses.softmax_costs import softmax_costs
from vsa_tf.losses.triplet_costs import triplet_costs

NEGATIVES = ("top_k", "hardest", "softmax")
DISTANCES = ("euclidean", "cosine")


class TwoBranchLoss:
    """`lambda1 (image->text) + lambda2 (text->image) + lambda3 (images) + lambda4 (texts)`.

    A chain of transforms of a distance matrix: mask, take the K nearest negatives of each target,
    hinge them against each of its positives, average. Every term is that chain:

    * image->text and text->image: over all positive pairs (x, y);
    * images and texts, the neighbourhood terms: over all targets that have a neighbour in their
      own modality; of their neighbours the furthest counts, as in the authors' code (with
      `softmax`, each does). A batch without neighbours contributes 0.

    An image or text that stands in several rows counts once, as in the authors' code: the first of
    its embeddings (dropout makes them differ) is the one that learns.

    The mean, as in the authors' code, divides a term by its number of pairs (or targets) times K,
    also where there are fewer negatives than K; the paper's equation sums, which changes the scale.

    Args:
        margin: m. The paper's is .05.
        image_to_text: lambda1; with `text_to_image` 0 the loss is single-directional.
        text_to_image: lambda2.
        image_to_image: lambda3.
        text_to_text: lambda4. The defaults are those of the image-sentence task; the
            region-phrase task has 1, 4, .1 and .1.
        top_k: K. The paper's are 10, and 30 for the region-phrase task.
        negatives: `top_k` (the paper); `hardest`, K = 1 in the two cross-modal terms (VSE++); or
            `softmax`, in place of triplets the cross entropy over a target's negatives of cosine /
            temperature (InfoNCE).
        distance: d, `euclidean` as in the paper, or `cosine`, 1 - x.y.

    Raises:
        ValueError: for other `negatives` or another `distance`, or K below 1.

    Example: two pairs, both with the wrong text nearer than the right one by .5 - .2.

    >>> import numpy as np
    >>> from vsa_tf.losses.image_sentence_masks import image_sentence_masks
    >>> loss = TwoBranchLoss(text_to_image=0.0, text_to_text=0.0, top_k=1)
    >>> images, texts = np.float32([[0.0], [0.7]]), np.float32([[0.5], [0.2]])
    >>> round(float(loss(images, texts, image_sentence_masks(np.array([7, 8])))), 2)
    0.35
    """

    def __init__(
        self,
        margin=0.05,
        image_to_text=1.0,
        text_to_image=1.5,
        image_to_image=0.0,
        text_to_text=0.05,
        top_k=10,
        negatives="top_k",
        distance="euclidean",
    ):
        if negatives not in NEGATIVES:
            raise ValueError(
                f"Expected negatives to be one of {NEGATIVES}. Received: negatives={negatives!r}"
            )
        if distance not in DISTANCES:
            raise ValueError(
                f"Expected distance to be one of {DISTANCES}. Received: distance={distance!r}"
            )
        if top_k < 1:
            raise ValueError(f"Expected top_k of 1 or more. Received: top_k={top_k}")
        self.margin = margin
        self.image_to_text = image_to_text
        self.text_to_image = text_to_image
        self.image_to_image = image_to_image
        self.text_to_text = text_to_text
        self.top_k = top_k
        self.negatives = negatives
        self.distance = distance

    def __call__(self, images, texts, masks, neighborhood=1.0, temperature=0.07):
        """Returns the loss of a batch, a scalar.

        Args:
            images: float `[N, D]`, rows of length 1.
            texts: float `[M, D]`, rows of length 1.
            masks: `PairMasks`.
            neighborhood: factor of the neighbourhood terms, 0 before they are switched on.
            temperature: of `softmax`.
        """
        masks = masks.of_distinct_items()
        if self.negatives == "softmax":
            scores, term = _cosines(images, texts) / temperature, _softmax_term
        else:
            scores, term = self._distances(images, texts), self._ranking_term
        loss = ops.zeros((), images.dtype)
        if self.image_to_text:
            loss = loss + self.image_to_text * term(scores, masks.positive, masks.negative_texts)
        positive_images, negative_images, refusing_images = (
            ops.transpose(mask)
            for mask in (masks.positive, masks.negative_images, masks.negative_texts)
        )
        if self.text_to_image:
            loss = loss + self.text_to_image * term(
                ops.transpose(scores), positive_images, negative_images
            )
        if self.image_to_image:
            neighbors = neighborhood_masks(masks.positive, masks.negative_images)
            term = self._neighborhood_term(images, *neighbors, temperature)
            loss = loss + neighborhood * self.image_to_image * term
        if self.text_to_text:
            neighbors = neighborhood_masks(positive_images, refusing_images)
            term = self._neighborhood_term(texts, *neighbors, temperature)
            loss = loss + neighborhood * self.text_to_text * term
        return loss

    def _distances(self, x, y):
        if self.distance == "euclidean":
            return pairwise_distances(x, y)
        return 1.0 - _cosines(x, y)

    def _ranking_term(self, distances, positive, negative):
        top_k = 1 if self.negatives == "hardest" else self.top_k
        nearest = nearest_negatives(distances, negative, top_k)
        return mean_of_pairs(triplet_costs(distances, nearest, self.margin), positive) / top_k

    def _neighborhood_term(self, vectors, neighbors, outsiders, temperature):
        if self.negatives == "softmax":
            scores = _cosines(vectors, vectors) / temperature
            return _softmax_term(scores, neighbors, outsiders)
        distances = self._distances(vectors, vectors)
        furthest, has_neighbor = furthest_neighbor(distances, neighbors)
        nearest = nearest_negatives(distances, outsiders, self.top_k)
        costs = triplet_costs(ops.expand_dims(furthest, 1), nearest, self.margin)[:, 0]
        return mean_of_pairs(costs, has_neighbor) / self.top_k

    def get_config(self):
        return {
            "margin": self.margin,
            "image_to_text": self.image_to_text,
            "text_to_image": self.text_to_image,
            "image_to_image": self.image_to_image,
            "text_to_text": self.text_to_text,
            "top_k": self.top_k,
            "negatives": self.negatives,
            "distance": self.distance,
        }


def _cosines(x, y):
    return ops.matmul(x, ops.transpose(y))


def _softmax_term(scores, positive, negative):
    return mean_of_pairs(softmax_costs(scores, negative), positive)
