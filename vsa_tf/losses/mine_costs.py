"""How many of a row's negatives count."""

from keras import ops

NEGATIVES = ("sum", "hardest", "top_k")


def mine_costs(costs, negatives, top_k=10):
    """Reduces each row of non-negative costs to one number.

    Args:
        costs: float `[B, B]`, one row per pair, masked entries 0.
        negatives: `sum` of all (D eq. 2), the `hardest` one (VSE++), or the `top_k` largest.
        top_k: how many for `top_k`; fewer where the batch is smaller.

    Returns:
        float `[B]`.

    Raises:
        ValueError: for another `negatives`.
    """
    if negatives == "sum":
        return ops.sum(costs, axis=1)
    if negatives == "hardest":
        return ops.max(costs, axis=1)
    if negatives == "top_k":
        # Sorting, unlike ops.top_k, needs no batch size that is known when a graph is built.
        largest = -ops.sort(-costs, axis=1)[:, :top_k]
        return ops.sum(largest, axis=1)
    raise ValueError(f"Expected negatives to be one of {NEGATIVES}. Received: {negatives!r}")
