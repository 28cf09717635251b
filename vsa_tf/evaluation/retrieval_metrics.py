"""Recall of images and sentences, in the layout of `metrics.json`."""

import numpy as np

from vsa_tf.metrics.bootstrap import bootstrap_intervals
from vsa_tf.metrics.retrieval import fold_summaries, recall_summary, retrieval_ranks


def retrieval_metrics(scores, image_of_sentence, intervals=True, fold_size=0, seed=0, ranks=None):
    """Returns recall in both directions, in the layout of `metrics.json`.

    Args:
        scores: float `[N, M]`.
        image_of_sentence: int `[M]`.
        intervals: add bootstrap intervals over images (95 %).
        fold_size: also give the mean over folds of this many images; 0: do not.
        seed: of the bootstrap.
        ranks: of `retrieval_ranks`, where they are known already.
    """
    ranks = ranks or retrieval_ranks(scores, image_of_sentence)
    queries = {
        "image_to_sentence": (ranks.image_to_sentence, np.unique(image_of_sentence)),
        "sentence_to_image": (ranks.sentence_to_image, image_of_sentence),
    }
    metrics = {}
    for direction, (rank, image_of_query) in queries.items():
        metrics[direction] = recall_summary(rank)
        if intervals:
            metrics[direction]["interval_95"] = bootstrap_intervals(rank, image_of_query, seed=seed)
    if fold_size:
        metrics["folds"] = {
            "fold_size": fold_size,
            **fold_summaries(scores, image_of_sentence, fold_size),
        }
    return metrics
