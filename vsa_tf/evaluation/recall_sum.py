"""One number for retrieval in both directions."""

_DIRECTIONS = ("image_to_sentence", "sentence_to_image")


def recall_sum(metrics):
    """Returns the sum of all six recalls, percent: by it checkpoints are chosen, as in VSE++.

    Args:
        metrics: dict of `retrieval_metrics`.
    """
    return sum(metrics[direction][f"R@{k}"] for direction in _DIRECTIONS for k in (1, 5, 10))
