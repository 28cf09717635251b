"""The distance of an image and a sentence, with that of the sentence's phrases."""

import numpy as np

# T section 5.6: "experimentally found to give the best results".
DEFAULT_PHRASE_WEIGHT = 0.2


def combined_distance(distances, phrase_distances, has_phrases, weight=DEFAULT_PHRASE_WEIGHT):
    """`(1 - a) d(x, y) + a d_rp(x, y)`, T eq. 8.

    A sentence without phrases has no d_rp: its distance is d alone.

    Args:
        distances: float `[N, M]`, d of every image x and sentence y.
        phrase_distances: float `[N, M]`, d_rp, see `phrase_distances`.
        has_phrases: bool `[M]`.
        weight: a, from 0 to 1.

    Returns:
        float `[N, M]`.

    Raises:
        ValueError: if shapes do not fit or the weight is out of range.

    Example:

    >>> d, d_rp = np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]])
    >>> combined_distance(d, d_rp, [True, False], weight=0.25).tolist()
    [[1.25, 1.0]]

    Reference: Wang et al., Two-Branch, 2018, section 5.6.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"Expected a weight from 0 to 1. Received: weight={weight}")
    if distances.shape != phrase_distances.shape or np.shape(has_phrases) != distances.shape[1:]:
        raise ValueError(
            "Expected both distances [N, M], and has_phrases [M]. Received: shapes "
            f"{distances.shape}, {phrase_distances.shape} and {np.shape(has_phrases)}"
        )
    weights = np.where(has_phrases, weight, 0.0).astype(distances.dtype)
    return (1 - weights) * distances + weights * phrase_distances
