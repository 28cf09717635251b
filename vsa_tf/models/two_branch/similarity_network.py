"""The similarity network of Wang et al., and its loss (T eq. 7): does a pair match, yes or no?"""

import keras
from keras import ops

from vsa_tf.errors import check_choice
from vsa_tf.models.layers.pair_costs import mean_of_pairs, sum_of_pairs
from vsa_tf.models.two_branch.two_branch_loss import REDUCTIONS
from vsa_tf.models.two_branch.two_branch_network import TwoBranchNetwork

FUSIONS = ("product", "concatenation", "bilinear")
PAIR_NEGATIVES = ("random", "hardest")
_NO_LOGIT = -1e9
NUM_LAYERS = (1, 2, 3)


@keras.saving.register_keras_serializable("vsa_tf")
class SimilarityNetwork(TwoBranchNetwork):
    """Two branches, joined by their product, say, then FC layers to one logit (T section 3.3).

    The loss is `logistic_pair_loss` (T eq. 7).

    Every positive pair of a batch brings one negative pair: of image-sentence pairs (x, y) a
    sentence y' of another image (T section 5.1), of region-phrase pairs a region x' of the same
    image away from the phrase's (T Algorithm 1). A row with R regions has as many positives as of
    them match its phrase.

    Args:
        num_fusion_layers: 1, 2 or 3 (the paper's best), see `PairFusion`.
        fusion: `product` (the paper), `concatenation` or `bilinear`, see `PairFusion`.
        negatives: `random` (the paper) or `hardest`: those with the largest logits among
            `num_hard_negatives` random ones.
        num_hard_negatives: for `hardest`; each costs a pass through the fusion layers.
        reduction: over the pairs of a batch, `mean` or `sum` (the paper).
        **kwargs: settings of `TwoBranchNetwork`, which also says what a batch holds.

    Output: a dict of `images` `[N, joint_size]` and `sentences` `[B, joint_size]`, as of
        `EmbeddingNetwork`, and `logits` `[B, R]`, p of each row's regions with its text.

    Raises:
        ValueError: for other negatives or numbers.
    """

    has_joint_space = False

    def __init__(
        self,
        num_fusion_layers=3,
        fusion="product",
        negatives="random",
        num_hard_negatives=10,
        reduction="mean",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice("reduction", reduction, REDUCTIONS)
        check_choice("negatives", negatives, PAIR_NEGATIVES)
        if num_hard_negatives < 1:
            raise ValueError(
                "Expected num_hard_negatives of 1 or more. "
                f"Received: num_hard_negatives={num_hard_negatives}"
            )
        self.num_fusion_layers = num_fusion_layers
        self.negatives = negatives
        self.num_hard_negatives = num_hard_negatives
        self.reduction = reduction
        self.fusion = PairFusion(num_fusion_layers, fusion, name="fusion")
        # A variable of the model, saved with it: a resumed run draws what it would have drawn.
        self.seed_generator = keras.random.SeedGenerator()

    def score(self, images, sentences, block_pairs=16384):
        """Returns the logit p of every pair, float `[N, M]`, in blocks.

        Args:
            images: float `[N, joint_size]`, of `embed_images`; N and M must be known.
            sentences: float `[M, joint_size]`, of `embed_sentences`.
            block_pairs: pairs at a time; each holds a few `[block_pairs, joint_size]`.
        """
        columns = max(1, min(sentences.shape[0], block_pairs))
        rows = max(1, block_pairs // columns)
        images, sentences = ops.expand_dims(images, 1), ops.expand_dims(sentences, 0)
        row_starts = range(0, images.shape[0], rows)
        column_starts = range(0, sentences.shape[1], columns)
        return ops.concatenate(
            [
                ops.concatenate(
                    [
                        self.fusion(
                            images[row : row + rows], sentences[:, column : column + columns]
                        )
                        for column in column_starts
                    ],
                    axis=1,
                )
                for row in row_starts
            ],
            axis=0,
        )

    def call(self, batch, training=False):
        regions, texts = self.embed_batch(batch, training)
        return {
            "images": ops.reshape(regions, (-1, self.joint_size)),
            "sentences": texts,
            "logits": self.fusion(regions, ops.expand_dims(texts, 1)),
        }

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        masks, y_pred = self.masks(x), self.gather(y_pred)
        logits = y_pred["logits"]
        if self.task == "image_sentence":
            targets, others, negative = y_pred["images"], y_pred["sentences"], masks.negative_texts
        else:
            targets, others = y_pred["sentences"], y_pred["images"]
            negative = ops.transpose(masks.negative_images)
        negative_logits, negative = self._negative_pairs(targets, others, negative, logits.shape[1])
        return logistic_pair_loss(
            ops.cast(logits, "float32"),
            _of_own_row(masks.positive, logits.shape[1]),
            ops.cast(negative_logits, "float32"),
            negative,
            self.reduction,
        )

    def _negative_pairs(self, targets, others, negative, num_pairs):
        """Returns p of `num_pairs` drawn negatives of each target, and which there are."""
        num_drawn = num_pairs
        if self.negatives == "hardest":
            num_drawn = max(num_pairs, self.num_hard_negatives)
        columns, drawn = drawn_negatives(negative, num_drawn, self.seed_generator)
        pairs = ops.expand_dims(targets, 1), ops.take(others, columns, axis=0)
        logits = self.fusion(*(pairs if self.task == "image_sentence" else pairs[::-1]))
        if self.negatives == "hardest":
            logits, _ = ops.top_k(ops.where(drawn, logits, _NO_LOGIT), num_pairs)
            drawn = logits > _NO_LOGIT / 2
        return logits, drawn

    def get_config(self):
        return {
            **super().get_config(),
            "num_fusion_layers": self.num_fusion_layers,
            "fusion": self.fusion.fusion,
            "negatives": self.negatives,
            "num_hard_negatives": self.num_hard_negatives,
            "reduction": self.reduction,
        }


def _of_own_row(positive, num_regions):
    """Of `[B R, B]` matches those of each row's regions with its own text: bool `[B, R]`."""
    num_rows = ops.shape(positive)[1]
    row = ops.repeat(ops.arange(num_rows), num_regions)
    own = ops.equal(ops.expand_dims(row, 1), ops.expand_dims(ops.arange(num_rows), 0))
    return ops.reshape(ops.any(ops.logical_and(positive, own), axis=1), (-1, num_regions))


@keras.saving.register_keras_serializable("vsa_tf")
class PairFusion(keras.layers.Layer):
    """`p = FC(ReLU(FC(ReLU(FC(x * y)))))`, the fusion layers of the similarity network (T 3.3).

    For vectors of width H the three layers are H -> H, H -> H / 2, H / 2 -> 1: the paper's
    512-512, 512-256, 256-1. Of two layers, the paper gives no widths: here H -> H / 2 -> 1. One
    layer is H -> 1. In place of the product the first layer may read other fusions of Fukui et al.
    2016 (T section 3.3): both vectors end to end, 2 H numbers; or all products of a number of each,
    `x^T W_k y + b_k`, H^2 numbers: their full bilinear pooling, for which H is 128. That layer then
    has the cube of H in weights: 2 million, but 134 million of H = 512.

    Args:
        num_layers: 1, 2 or 3 (the paper's best).
        fusion: what the first layer reads: `product` (the paper), `concatenation`, `bilinear`.

    Call arguments: images and texts, float `[..., H]` of equal rank, of shapes that broadcast.
    Output shape: `[...]`, the logits p.
    """

    def __init__(self, num_layers=3, fusion="product", **kwargs):
        super().__init__(**kwargs)
        check_choice("num_layers", num_layers, NUM_LAYERS)
        check_choice("fusion", fusion, FUSIONS)
        self.num_layers = num_layers
        self.fusion = fusion

    def build(self, images_shape, texts_shape):
        size = images_shape[-1]
        hidden = [size, max(size // 2, 1)][3 - self.num_layers :]
        self.fusion_layers = [
            keras.layers.Dense(units, activation="relu", name=f"fusion_{index}")
            for index, units in enumerate(hidden)
        ]
        self.fusion_layers.append(keras.layers.Dense(1, name=f"fusion_{len(hidden)}"))
        size = {"product": size, "concatenation": 2 * size, "bilinear": size**2}[self.fusion]
        for layer in self.fusion_layers:
            layer.build((None, size))
            size = layer.units

    def call(self, images, texts):
        layers = self.fusion_layers
        if self.fusion == "product":
            joined = images * texts
        elif self.fusion == "concatenation":
            shape = _broadcast_shape(images, texts)
            pair = [ops.broadcast_to(each, shape) for each in (images, texts)]
            joined = ops.concatenate(pair, axis=-1)
        else:
            joined, layers = _bilinear(images, texts, layers[0]), layers[1:]
        # Of two axes: a layer is then one matrix product, and so is its gradient.
        outputs = ops.reshape(joined, (-1, joined.shape[-1]))
        for layer in layers:
            outputs = layer(outputs)
        return ops.reshape(outputs, ops.shape(joined)[:-1])

    def compute_output_shape(self, images_shape, texts_shape):
        sizes = zip(images_shape[:-1], texts_shape[:-1], strict=True)
        return tuple(other if size == 1 else size for size, other in sizes)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers, "fusion": self.fusion}


def _broadcast_shape(images, texts):
    """Returns the shape of their product; which axes are of 1 is known, others may not be."""
    sizes = zip(images.shape, ops.shape(images), ops.shape(texts), strict=True)
    return [other if known == 1 else size for known, size, other in sizes]


def _bilinear(images, texts, layer):
    """What a layer makes of the outer products of images and texts, which need not be written."""
    size, units = images.shape[-1], layer.units
    kernel = ops.reshape(layer.kernel, (size, size * units))
    maps = ops.reshape(ops.matmul(images, kernel), (*ops.shape(images), units))
    outputs = ops.matmul(ops.expand_dims(texts, -2), maps)
    return layer.activation(ops.squeeze(outputs, -2) + layer.bias)


def logistic_pair_loss(positive_logits, positive, negative_logits, negative, reduction="mean"):
    """`L = sum over i, j of log(1 + exp(-z_ij p_ij))` (T eq. 7), or its mean.

    Over as many positive as negative pairs.

    z is +1 for a pair that matches and -1 for one that does not. A row with more positives than
    negatives, or the other way round, counts the first of each, up to the smaller number: a row
    without negatives counts nothing. The paper's equation sums; the mean does not grow with the
    number of pairs, which differs from batch to batch.

    Args:
        positive_logits: float `[B, R]`, p of pairs that match.
        positive: bool `[B, R]`, which of them do.
        negative_logits: float `[B, C]`, p of pairs that do not.
        negative: bool `[B, C]`, which of them there are.
        reduction: `mean`, or `sum` as in the paper.

    Returns:
        A scalar, 0 where no pair is left.

    Example: logits of 0 say nothing, and cost log 2 each.

    >>> import math
    >>> import numpy as np
    >>> logits, mask = np.zeros((2, 1), "float32"), np.ones((2, 1), bool)
    >>> round(float(logistic_pair_loss(logits, mask, logits, mask)) / math.log(2), 6)
    1.0
    """
    positive, negative = _balanced(positive, negative), _balanced(negative, positive)
    costs = [ops.softplus(-positive_logits), ops.softplus(negative_logits)]
    if reduction == "sum":
        return sum_of_pairs(costs[0], positive) + sum_of_pairs(costs[1], negative)
    return (mean_of_pairs(costs[0], positive) + mean_of_pairs(costs[1], negative)) / 2.0


def _balanced(counted, others):
    """The first True of each row of `counted`, as many as the same row of `others` has."""
    limit = ops.sum(ops.cast(others, "int32"), axis=1, keepdims=True)
    position = ops.cumsum(ops.cast(counted, "int32"), axis=1)
    return ops.logical_and(counted, position <= limit)


def drawn_negatives(negative, num_drawn, seed):
    """Draws negatives of every target, all alike likely, none twice.

    Args:
        negative: bool `[P, Q]`, one row per target.
        num_drawn: C, how many of each.
        seed: a `keras.random.SeedGenerator`, or an int.

    Returns:
        `(columns, drawn)`, int `[P, C]` and bool `[P, C]`; where a target has fewer than C
        negatives, the last are not `drawn`, and their columns mean nothing (they exist).

    Example:

    >>> import numpy as np
    >>> columns, drawn = drawn_negatives(np.array([[False, False, True]]), 2, seed=0)
    >>> int(columns[0, 0]), np.array(drawn).tolist()
    (2, [[True, False]])
    """
    noise = keras.random.uniform(ops.shape(negative), seed=seed)
    noise = ops.where(negative, noise, -1.0)
    # C more columns: top_k takes no more than there are, a number that a graph may not know.
    noise = ops.pad(noise, [[0, 0], [0, num_drawn]], constant_values=-1.0)
    largest, columns = ops.top_k(noise, num_drawn)
    last = ops.cast(ops.shape(negative)[1] - 1, columns.dtype)
    return ops.minimum(columns, last), largest >= 0.0
