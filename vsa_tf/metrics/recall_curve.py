"""Recall against the share of the candidates that is retrieved."""

import numpy as np

# Percent; the far left says most, hence equal steps of the logarithm.
RETRIEVED = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def recall_curve(ranks, num_candidates):
    """Percent of the queries that are answered within each of the `RETRIEVED` shares.

    A query of rank r among n candidates is answered by the best p percent of them where
    `100 r / n <= p`.

    Args:
        ranks: int `[Q]`; 1-based ranks, of `RetrievalRanks` or `ShortlistRanks`.
        num_candidates: int, or int `[Q]`; the items that were ranked for each query.

    Returns:
        A dict of a share as text, percent, to the recall, percent: never decreasing, at last 100.

    Raises:
        ValueError: if there is no query, or a rank is not one among the candidates.

    Example:

    >>> curve = recall_curve([1, 30, 200, 700], 1000)
    >>> curve["0.05"], curve["5"], curve["20"]
    (0.0, 50.0, 75.0)

    Reference: Mao et al., Deep Captioning with m-RNN, 2015, section 10.2.
    """
    ranks, num_candidates = np.asarray(ranks), np.asarray(num_candidates)
    if num_candidates.shape not in ((), ranks.shape) or ranks.ndim != 1 or not ranks.size:
        raise ValueError(
            "Expected a non-empty vector of ranks, and one number of candidates for all or each. "
            f"Received: ranks of shape {ranks.shape}, num_candidates of shape "
            f"{num_candidates.shape}"
        )
    if ranks.min() < 1 or (ranks > num_candidates).any():
        raise ValueError(
            "Expected ranks from 1 to the number of candidates. Received: ranks from "
            f"{ranks.min()} to {ranks.max()}, num_candidates={num_candidates}"
        )
    # The product is exact and the quotient rounded once, so that 3 of 1000 are within 0.3 percent.
    percent = 100 * ranks / num_candidates
    return {f"{share:g}": 100.0 * float(np.mean(percent <= share)) for share in RETRIEVED}
