"""The loss of the embedding network (T eq. 6), a chain of small steps on a matrix of distances."""

import math

from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.pair_costs import (
    distillation_costs,
    mean_of_pairs,
    softmax_costs,
    sum_of_pairs,
)
from vsa_tf.models.two_branch.settings import SQUARE_OFFSET

NEGATIVES = ("top_k", "hardest", "softmax")
COUNTED_NEIGHBORS = ("furthest", "all")
REDUCTIONS = ("mean", "sum")


class TwoBranchLoss:
    """The loss of T eq. 6, of Euclidean distances d of images x and texts y in the joint space.

        L_st =   lambda1 sum [m + d(x_i, y_j) - d(x_i, y_k)]_+           image->text
               + lambda2 sum [m + d(x_j', y_i') - d(x_k', y_i')]_+       text->image
               + lambda3 sum [m + d(x_i, x_j) - d(x_i, x_k)]_+           images
               + lambda4 sum [m + d(y_i', y_j') - d(y_i', y_k')]_+       texts

    The first two terms are T eq. 3, over the triplets of T eq. 1 and 2: a target, a match j and a
    negative k. The last two are over those of T eq. 4 and 5: a target, a neighbour j and an item k
    that is none.

    A chain of transforms of a distance matrix: mask, take the K nearest negatives of each target,
    hinge them against each of its positives, average or sum. Every term is that chain:

    * image->text and text->image: over all positive pairs (x, y);
    * images and texts, the neighbourhood terms: over all targets that have a neighbour in their
      own modality; of their neighbours the furthest or all count (with `softmax`, all do). A batch
      without neighbours contributes 0.

    An image or text that stands in several rows counts once, as in the authors' code: the first of
    its embeddings (dropout makes them differ) is the one that learns. From teachers all rows do.

    The mean, as in the authors' code, divides a term by its number of pairs (or targets) times K,
    also where there are fewer negatives than K. The sum, as in the paper's equation, lets a term
    weigh more the more triplets of its kind a batch has.

    Args:
        margin: m. The paper's is .05.
        image_to_text_weight: lambda1; with lambda2 0 the loss is single-directional.
        text_to_image_weight: lambda2.
        image_neighborhood_weight: lambda3.
        text_neighborhood_weight: lambda4. The defaults are those of the image-sentence task; the
            region-phrase task has 1, 4, .1 and .1.
        num_hard_negatives: K. The paper's are 10, and 30 for the region-phrase task.
        negatives: `top_k` (the paper); `hardest`, K = 1 in the two cross-modal terms (VSE++); or
            `softmax`, in place of triplets the cross entropy over a target's negatives of cosine /
            temperature (InfoNCE).
        counted_neighbors: neighbours of a target that count: the `furthest` (authors' code) or
            `all` (the paper).
        reduction: of each term, `mean` (authors' code) or `sum` (the paper).
        teacher_weight: w, of `softmax`, where there are teachers: the first two terms are then
            (1 - w) of themselves and w of the mean, or sum, of `distillation_costs`.

    Raises:
        ValueError: for another choice than these, or K below 1.

    Example: two pairs, both with the wrong text nearer than the right one by .5 - .2.

    >>> import numpy as np
    >>> from vsa_tf.models.two_branch.pair_masks import image_sentence_masks
    >>> loss = TwoBranchLoss(
    ...     text_to_image_weight=0.0, text_neighborhood_weight=0.0, num_hard_negatives=1
    ... )
    >>> images, texts = np.float32([[0.0], [0.7]]), np.float32([[0.5], [0.2]])
    >>> round(float(loss(images, texts, image_sentence_masks(np.array([7, 8])))), 2)
    0.35
    """

    def __init__(
        self,
        margin=0.05,
        image_to_text_weight=1.0,
        text_to_image_weight=1.5,
        image_neighborhood_weight=0.0,
        text_neighborhood_weight=0.05,
        num_hard_negatives=10,
        negatives="top_k",
        counted_neighbors="furthest",
        reduction="mean",
        teacher_weight=0.5,
    ):
        for name, value, choices in (
            ("negatives", negatives, NEGATIVES),
            ("counted_neighbors", counted_neighbors, COUNTED_NEIGHBORS),
            ("reduction", reduction, REDUCTIONS),
        ):
            check_choice(name, value, choices)
        if num_hard_negatives < 1:
            raise ValueError(
                "Expected num_hard_negatives of 1 or more. Received: "
                f"num_hard_negatives={num_hard_negatives}"
            )
        self.margin = margin
        self.image_to_text_weight = image_to_text_weight
        self.text_to_image_weight = text_to_image_weight
        self.image_neighborhood_weight = image_neighborhood_weight
        self.text_neighborhood_weight = text_neighborhood_weight
        self.num_hard_negatives = num_hard_negatives
        self.negatives = negatives
        self.counted_neighbors = counted_neighbors
        self.reduction = reduction
        self.teacher_weight = teacher_weight

    def __call__(
        self, images, texts, masks, neighborhood=1.0, temperature=0.07, teacher_scores=None
    ):
        """Returns the loss of a batch, a scalar.

        Args:
            images: float `[N, D]`, rows of length 1.
            texts: float `[M, D]`, rows of length 1.
            masks: `PairMasks`.
            neighborhood: factor of the neighbourhood terms, 0 before they are switched on.
            temperature: of `softmax`.
            teacher_scores: float `[N, M]`, divided by the teachers' temperature; None: there are
                none. Of meaning for `softmax` alone.
        """
        masks = masks.of_distinct_items()
        if self.negatives == "softmax":
            scores, term = _cosines(images, texts) / temperature, self._softmax_term
        else:
            scores, term = pairwise_distances(images, texts), self._ranking_term
        loss = ops.zeros((), images.dtype)
        if self.image_to_text_weight:
            loss = loss + self.image_to_text_weight * self._taught(
                term(scores, masks.positive, masks.negative_texts), scores, teacher_scores
            )
        positive_images, negative_images, refusing_images = (
            ops.transpose(mask)
            for mask in (masks.positive, masks.negative_images, masks.negative_texts)
        )
        if self.text_to_image_weight:
            scores = ops.transpose(scores)
            loss = loss + self.text_to_image_weight * self._taught(
                term(scores, positive_images, negative_images),
                scores,
                None if teacher_scores is None else ops.transpose(teacher_scores),
            )
        if self.image_neighborhood_weight:
            neighbors = neighborhood_masks(masks.positive, masks.negative_images)
            term = self._neighborhood_term(images, *neighbors, temperature)
            loss = loss + neighborhood * self.image_neighborhood_weight * term
        if self.text_neighborhood_weight:
            neighbors = neighborhood_masks(positive_images, refusing_images)
            term = self._neighborhood_term(texts, *neighbors, temperature)
            loss = loss + neighborhood * self.text_neighborhood_weight * term
        return loss

    def _ranking_term(self, distances, positive, negative):
        num_hard_negatives = 1 if self.negatives == "hardest" else self.num_hard_negatives
        return self._triplet_term(distances, positive, negative, num_hard_negatives)

    def _triplet_term(self, distances, positive, negative, num_hard_negatives):
        nearest = nearest_negatives(distances, negative, num_hard_negatives)
        return self._reduced(
            triplet_costs(distances, nearest, self.margin), positive, num_hard_negatives
        )

    def _softmax_term(self, scores, positive, negative):
        return self._reduced(softmax_costs(scores, negative), positive)

    def _taught(self, term, scores, teacher_scores):
        if teacher_scores is None:
            return term
        reduced = ops.sum if self.reduction == "sum" else ops.mean
        learnt = reduced(distillation_costs(scores, teacher_scores))
        return (1.0 - self.teacher_weight) * term + self.teacher_weight * learnt

    def _reduced(self, costs, counted, costs_of_pair=1):
        if self.reduction == "sum":
            return sum_of_pairs(costs, counted)
        return mean_of_pairs(costs, counted) / costs_of_pair

    def _neighborhood_term(self, vectors, neighbors, outsiders, temperature):
        if self.negatives == "softmax":
            scores = _cosines(vectors, vectors) / temperature
            return self._softmax_term(scores, neighbors, outsiders)
        distances = pairwise_distances(vectors, vectors)
        if self.counted_neighbors == "all":
            return self._triplet_term(distances, neighbors, outsiders, self.num_hard_negatives)
        furthest, has_neighbor = furthest_neighbor(distances, neighbors)
        nearest = nearest_negatives(distances, outsiders, self.num_hard_negatives)
        costs = triplet_costs(ops.expand_dims(furthest, 1), nearest, self.margin)[:, 0]
        return self._reduced(costs, has_neighbor, self.num_hard_negatives)

    def get_config(self):
        return {
            "margin": self.margin,
            "image_to_text_weight": self.image_to_text_weight,
            "text_to_image_weight": self.text_to_image_weight,
            "image_neighborhood_weight": self.image_neighborhood_weight,
            "text_neighborhood_weight": self.text_neighborhood_weight,
            "num_hard_negatives": self.num_hard_negatives,
            "negatives": self.negatives,
            "counted_neighbors": self.counted_neighbors,
            "reduction": self.reduction,
            "teacher_weight": self.teacher_weight,
        }


def _cosines(x, y):
    return ops.matmul(x, ops.transpose(y))


def furthest_neighbor(distances, neighbors):
    """Returns the distance of each target's furthest neighbour, as in the authors' code.

    There the target is a neighbour of its own, at the smallest distance there is: with another
    neighbour it is never the furthest.

    Args:
        distances: float `[N, N]`, not negative.
        neighbors: bool `[N, N]`.

    Returns:
        `(distance, has_neighbor)`, float `[N]`, 0 where there is none, and bool `[N]`.

    Example:

    >>> import numpy as np
    >>> distances = np.float32([[0.01, 0.4, 0.7], [0.4, 0.01, 0.5], [0.7, 0.5, 0.01]])
    >>> neighbors = np.array([[False, True, True], [True, False, False], [False] * 3])
    >>> distance, has_neighbor = furthest_neighbor(distances, neighbors)
    >>> print(np.array(distance), np.array(has_neighbor))
    [0.7 0.4 0. ] [ True  True False]
    """
    return ops.max(ops.where(neighbors, distances, 0.0), axis=1), ops.any(neighbors, axis=1)


def nearest_negatives(distances, negative, num_hard_negatives):
    """Returns the distances of each target's K nearest negatives, ascending.

    With `m + d(x, y) - d(x, y')` these are, whatever y, the K triplets with the largest loss.

    Args:
        distances: float `[N, M]`, one row per target.
        negative: bool `[N, M]`.
        num_hard_negatives: K.

    Returns:
        float `[N, K]`; infinite where a target has fewer negatives.

    Example:

    >>> import numpy as np
    >>> distances = np.float32([[0.4, 0.1, 0.3]])
    >>> nearest = nearest_negatives(distances, np.array([[True, False, True]]), 3)
    >>> print(np.array(nearest))
    [[0.3 0.4 inf]]
    """
    far = ops.where(negative, distances, math.inf)
    # K more columns: top_k takes no more than there are, a number that a graph may not know.
    far = ops.pad(far, [[0, 0], [0, num_hard_negatives]], constant_values=math.inf)
    return -ops.top_k(-far, num_hard_negatives)[0]


def neighborhood_masks(positive, negative):
    """Returns which items are neighbours, and which are to stay outside the neighbourhood.

    N(y) are the descriptions of the same visual data as y: texts that match a common image (T eq.
    5). Outside stand the negatives of an image that y matches. An item that is neither, and the
    item itself, is left out. For N(x), T eq. 4, images and texts change places.

    Args:
        positive: bool `[N, M]`, True where the target matches an item of the other modality.
        negative: bool `[N, M]`, True where the target is a negative of that item; of texts
            (N texts, M images) the transposed `negative_texts` of `PairMasks`.

    Returns:
        `(neighbors, outsiders)`, bool `[N, N]`, one row per target.

    Example: targets 0 and 1 match the same item, target 2 another.

    >>> import numpy as np
    >>> positive = np.array([[True, False], [True, False], [False, True]])
    >>> neighbors, outsiders = neighborhood_masks(positive, ~positive)
    >>> np.array(neighbors).tolist()
    [[False, True, False], [True, False, False], [False, False, False]]
    >>> np.array(outsiders).tolist()
    [[False, False, True], [False, False, True], [True, True, False]]
    """
    matches = ops.cast(positive, "float32")
    shared = ops.matmul(matches, ops.transpose(matches)) > 0.5
    refused = ops.matmul(matches, ops.transpose(ops.cast(negative, "float32"))) > 0.5
    positions = ops.arange(ops.shape(matches)[0])
    itself = ops.equal(ops.expand_dims(positions, 1), ops.expand_dims(positions, 0))
    neighbors = ops.logical_and(shared, ops.logical_not(itself))
    return neighbors, ops.logical_and(refused, ops.logical_not(shared))


def pairwise_distances(x, y):
    """`d(x, y) = sqrt(|x|^2 - 2 x.y + |y|^2 + 1e-4)` of every x with every y.

    Args:
        x: float `[N, D]`.
        y: float `[M, D]`.

    Returns:
        float `[N, M]`, in units of x, never below .01.

    Example:

    >>> import numpy as np
    >>> distances = pairwise_distances(np.float32([[0, 0]]), np.float32([[0, 0], [3, 4]]))
    >>> print(np.array(distances).round(2))
    [[0.01 5.  ]]
    """
    squares = (
        ops.sum(ops.square(x), axis=1, keepdims=True)
        - 2.0 * ops.matmul(x, ops.transpose(y))
        + ops.expand_dims(ops.sum(ops.square(y), axis=1), 0)
    )
    # Rounding can make the square of a vanishing distance negative.
    return ops.sqrt(ops.maximum(squares, 0.0) + SQUARE_OFFSET)


def triplet_costs(positive_distances, nearest, margin):
    """Computes `sum_k [m + d(x, y) - d(x, y'_k)]_+` for every target x and positive y.

    Args:
        positive_distances: float `[N, P]`, d(x, y).
        nearest: float `[N, K]`, d(x, y') of the K nearest negatives; infinite: none.
        margin: m.

    Returns:
        float `[N, P]`.

    Example: the triplets cost .05 + .5 - .3 and .05 + .5 - .5.

    >>> import numpy as np
    >>> costs = triplet_costs(np.float32([[0.5]]), np.float32([[0.3, 0.5, 0.9]]), 0.05)
    >>> round(float(costs[0, 0]), 6)
    0.3
    """
    costs = margin + ops.expand_dims(positive_distances, 2) - ops.expand_dims(nearest, 1)
    return ops.sum(ops.relu(costs), axis=2)
