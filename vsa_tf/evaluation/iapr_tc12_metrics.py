"""What papers on IAPR TC-12 print besides recall at 1, 5 and 10 (M section 10.2)."""

import numpy as np

from vsa_tf.evaluation.similar_images import similar_images
from vsa_tf.metrics.bootstrap import bootstrap_intervals
from vsa_tf.metrics.retrieval import recall_summary
from vsa_tf.metrics.shortlists import recall_curve, shortlist_ranks


def iapr_tc12_metrics(scores, ranks, records, options):
    """Returns recall curves, and recall among the sentences of similar images alone.

    Args:
        scores: float `[N, M]`, by which sentences are ranked for images.
        ranks: the `RetrievalRanks` of the split.
        records: the `RecordSplit`, which holds features.
        options: `EvaluationOptions`.

    Returns:
        dict of `image_to_sentence_shortlist`: as of `recall_summary`, with `shortlist_size`, the
        images whose sentences are candidates, and `mean_candidates`, how many these are; and of
        `recall_curves`: of `image_to_sentence`, `image_to_sentence_shortlist` and
        `sentence_to_image` as of `recall_curve`.
    """
    image_of_caption = records.image_of_caption
    shortlists = similar_images(records)
    shortlist = shortlist_ranks(scores, image_of_caption, shortlists)
    metrics = {
        **recall_summary(shortlist.ranks),
        "shortlist_size": shortlists.shape[1],
        "mean_candidates": float(shortlist.num_candidates.mean()),
    }
    if options.intervals:
        metrics["interval_95"] = bootstrap_intervals(
            shortlist.ranks, np.unique(image_of_caption), seed=options.seed
        )
    return {
        "image_to_sentence_shortlist": metrics,
        "recall_curves": {
            "image_to_sentence": recall_curve(ranks.image_to_sentence, records.num_captions),
            "image_to_sentence_shortlist": recall_curve(*shortlist),
            "sentence_to_image": recall_curve(ranks.sentence_to_image, records.num_images),
        },
    }
