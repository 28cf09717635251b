"""Score matrices of several models: brought to one scale, weighted, and corrected for hubs."""

import numpy as np

DEFAULT_NUM_NEIGHBORS = 10
DEFAULT_TEMPERATURE = 0.5

# Numbers of a matrix that are worked on at a time, 8 MiB as float64.
_BLOCK_VALUES = 1 << 20


def standardize(scores, covered=None):
    """Brings the scores of all pairs to mean 0 and standard deviation 1, in place.

    Models score by sums over words, distances, logits or log probabilities: on one scale their
    weights mean the same. The map is linear, and one for all pairs: no query's ranking changes, and
    of the other queries it reads two numbers, of which only one matters, how far this model's
    deviation is from another's. A matrix of one value becomes 0.

    Args:
        scores: float `[N, M]`, changed.
        covered: bool `[M]`, the sentences that the model can score: mean and deviation are of
            these; None: all.

    Returns:
        `scores`.

    Raises:
        ValueError: a score is NaN or infinite.

    Example:

    >>> standardize(np.array([[1.0, 5.0], [5.0, 1.0]])).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """
    mean, deviation = _moments(scores, covered)
    scores -= scores.dtype.type(mean)
    if deviation:
        scores /= scores.dtype.type(deviation)
    return scores


def sentence_weights(weights, covered):
    """Returns the weight of each model for each sentence; of a sentence they sum to 1.

    Where models cannot score a sentence, the others share their weights, as theirs are to one
    another; alike if theirs are 0.

    Args:
        weights: K numbers, none below 0, not all 0.
        covered: bool `[K, M]`, the sentences that each model can score.

    Returns:
        float32 `[K, M]`.

    Raises:
        ValueError: the weights are others, or not one for each model.

    Example:

    >>> sentence_weights([3, 1], [[True, True], [True, False]]).tolist()
    [[0.75, 1.0], [0.25, 0.0]]
    """
    weights, covered = np.asarray(weights, np.float64), np.asarray(covered, bool)
    if (
        covered.ndim != 2
        or weights.shape != covered.shape[:1]
        or not np.isfinite(weights).all()
        or weights.min() < 0
        or weights.sum() == 0
    ):
        raise ValueError(
            "Expected a weight for each model, none below 0, not all 0, and which of the sentences "
            f"each covers. Received: weights={weights.tolist()}, covered of shape {covered.shape}"
        )
    shares = np.where(covered, (weights / weights.sum())[:, None], 0.0)
    alike = np.where(covered.any(axis=0), covered, 1.0)
    shares = np.where(shares.sum(axis=0) == 0, alike, shares)
    part = ~covered.all(axis=0)
    shares[:, part] /= shares[:, part].sum(axis=0)
    shares = shares.astype(np.float32)
    # Of two models (T eq. 8) they are 1 - a and a in float32, too.
    rest = np.maximum(np.float32(1) - shares[1:].sum(axis=0), np.float32(0))
    shares[0] = np.where(shares[0] > 0, rest, np.float32(0))
    return shares


def add_weighted(total, scores, weights):
    """Adds the weighted scores of one model to those of others, in place.

    Args:
        total: float `[N, M]`, changed.
        scores: float `[N, M]`.
        weights: float32 `[M]`, a row of `sentence_weights`.

    Returns:
        `total`.
    """
    if total.shape != scores.shape or np.shape(weights) != scores.shape[1:]:
        raise ValueError(
            "Expected scores of the same pairs, [N, M], and weights [M]. Received: shapes "
            f"{total.shape}, {scores.shape} and {np.shape(weights)}"
        )
    if np.any(weights):
        for rows in _blocks(scores):
            total[rows] += weights * scores[rows]
    return total


def combined_scores(scores, covered, weights, out=None):
    """Returns the weighted sum of the scores of K models.

    Of two models with the weights `1 - a` and `a`, and minus their distances for scores, it is
    minus `D(x, y) = (1 - a) d(x, y) + a d_rp(x, y)` (T eq. 8), and of a sentence without phrases
    minus d alone.

    Args:
        scores: K arrays float `[N, M]`.
        covered: bool `[K, M]`, the sentences that each model can score.
        weights: K numbers, see `sentence_weights`.
        out: float32 `[N, M]` to write to; None: a new one.

    Returns:
        float32 `[N, M]`.

    Example:

    >>> d, d_rp = np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]])
    >>> combined_scores([-d, -d_rp], [[True, True], [True, False]], [0.75, 0.25]).tolist()
    [[-1.25, -1.0]]
    """
    total = np.empty(scores[0].shape, np.float32) if out is None else out
    total.fill(0)
    for each, row in zip(scores, sentence_weights(weights, covered), strict=True):
        add_weighted(total, each, row)
    return total


def csls_hubness(scores, num_neighbors=DEFAULT_NUM_NEIGHBORS):
    """Returns what cross-domain similarity local scaling takes off the score of each candidate.

        CSLS(x, y) = 2 s(x, y) - r(x) - r(y);  r: the mean of the k best scores

    A query ranks its candidates y by `s(x, y) - r(y) / 2`: its own r is the same for all of them.

    Args:
        scores: float `[N, M]`.
        num_neighbors: k; where there are fewer, all.

    Returns:
        `r / 2` of the images, float64 `[N]`, and of the sentences, float64 `[M]`.

    Raises:
        ValueError: a score is NaN.

    Example:

    >>> images, sentences = csls_hubness(np.array([[4.0, 2.0], [0.0, 2.0]]), num_neighbors=1)
    >>> images.tolist(), sentences.tolist()
    ([2.0, 1.0], [2.0, 1.0])

    Reference: Conneau et al., 2018, Word translation without parallel data, section 2.3.
    """

    def half_mean_of_best(block):
        count = min(num_neighbors, block.shape[1])
        # In place of a sort; NaN stands last, as if it were best.
        return np.partition(block, -count, axis=1)[:, -count:].mean(axis=1) / 2

    return _of_both(scores, half_mean_of_best)


def inverted_softmax_hubness(scores, temperature=DEFAULT_TEMPERATURE):
    """Returns what the inverted softmax takes off the score of each candidate.

        P(y | x) ~ exp(s(x, y) / T) / sum over queries x' of exp(s(x', y) / T)

    A query ranks its candidates y by `s(x, y) - T log sum over x' of exp(s(x', y) / T)`.

    Args:
        scores: float `[N, M]`.
        temperature: T above 0, in standard deviations of all scores: 1 / beta of the paper.

    Returns:
        That of the images, float64 `[N]`, whose queries are the sentences, and of the sentences,
        float64 `[M]`, whose queries are the images.

    Raises:
        ValueError: a score is NaN or infinite.

    Reference: Smith et al., 2017, Offline bilingual word vectors, orthogonal transformations and
    the inverted softmax, section 2.3.
    """
    scale = temperature * (_moments(scores)[1] or 1.0)

    def log_sum_exp(block):
        highest = block.max(axis=1)
        return highest + scale * np.log(np.exp((block - highest[:, None]) / scale).sum(axis=1))

    return _of_both(scores, log_sum_exp)


def _of_both(scores, summary):
    """Returns a summary of each row, float64 `[N]`, and of each column, float64 `[M]`."""
    found = tuple(
        np.concatenate([summary(np.asarray(each[rows], np.float64)) for rows in _blocks(each)])
        for each in (scores, scores.T)
    )
    if any(np.isnan(each).any() for each in found):
        raise ValueError(
            "Expected scores without NaN: the model has diverged or a feature is not finite"
        )
    return found


def _moments(scores, covered=None):
    """Returns mean and standard deviation, in float64, of the columns that are covered."""
    columns = slice(None) if covered is None or np.all(covered) else np.flatnonzero(covered)
    count = len(scores) * np.arange(scores.shape[1])[columns].size
    if not count:
        return 0.0, 0.0
    mean = sum(scores[rows][:, columns].sum(dtype=np.float64) for rows in _blocks(scores)) / count
    if not np.isfinite(mean):
        raise ValueError(
            "Expected finite scores: the model has diverged or a feature is not finite. Received: "
            "NaN or infinity"
        )
    squares = 0.0
    for rows in _blocks(scores):
        squares += np.square(scores[rows][:, columns] - mean, dtype=np.float64).sum()
    return mean, float(np.sqrt(squares / count))


def _blocks(scores):
    """Yields slices of rows that hold about `_BLOCK_VALUES`."""
    rows = max(1, _BLOCK_VALUES // max(1, scores.shape[1]))
    for first in range(0, len(scores), rows):
        yield slice(first, first + rows)
