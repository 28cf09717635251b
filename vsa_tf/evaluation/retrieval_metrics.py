"""Recall of images, sentences and phrases' boxes, in the layout of `metrics.json`."""

import dataclasses
import math

import numpy as np

from vsa_tf.boxes import box_agreement
from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.metrics.bootstrap import bootstrap_intervals
from vsa_tf.metrics.phrase_localization import phrase_localization
from vsa_tf.metrics.retrieval import (
    RECALL_AT,
    RetrievalRanks,
    chance_recall,
    fold_summaries,
    recall_summary,
    retrieval_ranks,
)
from vsa_tf.metrics.shortlists import match_curve, match_ranks, recall_curve
from vsa_tf.scoring.combined_scores import (
    DEFAULT_NUM_NEIGHBORS,
    csls_hubness,
    inverted_softmax_hubness,
)
from vsa_tf.scoring.nearest_images import nearest_images

DIRECTIONS = ("image_to_sentence", "sentence_to_image")
# IAPR TC-12's.
SHORTLIST_SIZE = 100


def retrieval_metrics(scores, image_of_sentence, options=EvaluationOptions(), ranks=None):
    """Returns recall in both directions, in the layout of `metrics.json`.

    Args:
        scores: float `[N, M]`.
        image_of_sentence: int `[M]`.
        options: `EvaluationOptions`.
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
        if options.intervals:
            metrics[direction]["interval_95"] = bootstrap_intervals(
                rank, image_of_query, seed=options.seed
            )
    if options.fold_size:
        metrics["folds"] = {
            "fold_size": options.fold_size,
            **fold_summaries(scores, image_of_sentence, options.fold_size),
        }
    return metrics


def recall_sum(metrics):
    """Returns the sum of all six recalls, percent: by it checkpoints are chosen, as in VSE++.

    Args:
        metrics: dict of `retrieval_metrics`.
    """
    return sum(metrics[direction][f"R@{k}"] for direction in DIRECTIONS for k in (1, 5, 10))


def rescored_metrics(scores, image_of_sentence, retrieval, options):
    """Returns recall by scores that are corrected for hubs, candidates that are near all queries.

    Whoever ranks so has seen all queries of the split: it is no result of the model alone.

    Args:
        scores: float `[N, M]`.
        image_of_sentence: int `[M]`.
        retrieval: `RetrievalOptions`, with `rescoring`.
        options: `EvaluationOptions`.

    Returns:
        dict of `rescored`: of each method its setting, `num_neighbors` or `temperature`, and
        `image_to_sentence` and `sentence_to_image` as of `retrieval_metrics`; empty without any.
    """
    # The queries of a fold are others: there the correction would be another.
    options = dataclasses.replace(options, fold_size=0)
    temperature = retrieval.rescoring_temperature
    rescored = {}
    for method in dict.fromkeys(retrieval.rescoring):
        if method == "csls":
            setting = {"num_neighbors": DEFAULT_NUM_NEIGHBORS}
            of_images, of_sentences = csls_hubness(scores)
        else:
            setting = {"temperature": temperature}
            of_images, of_sentences = inverted_softmax_hubness(scores, temperature)
        # Candidates of images are sentences, and of sentences images.
        corrected = scores - of_sentences.astype(scores.dtype)
        for_images = retrieval_ranks(corrected, image_of_sentence).image_to_sentence
        np.subtract(scores, of_images.astype(scores.dtype)[:, None], out=corrected)
        ranks = RetrievalRanks(
            for_images, retrieval_ranks(corrected, image_of_sentence).sentence_to_image
        )
        found = retrieval_metrics(scores, image_of_sentence, options, ranks)
        rescored[method] = {**setting, **found}
    return {"rescored": rescored} if rescored else {}


def iapr_tc12_metrics(scores, ranks, records, options):
    """Returns recall curves, and recall among the sentences of similar images alone.

    Args:
        scores: float `[N, M]`, by which sentences are ranked for images.
        ranks: the `RetrievalRanks` of the split.
        records: the `RecordSplit`, which holds features.
        options: `EvaluationOptions`.

    Returns:
        dict of `image_to_sentence_shortlist`: as of `recall_summary`, with `shortlist_size`, the
        images whose sentences are candidates, and `mean_candidates`, how many these are; of
        `recall_curves`: of `image_to_sentence`, `image_to_sentence_shortlist` and
        `sentence_to_image` as of `recall_curve`, by the best match; and of `match_curves`, as of
        `match_curve`, of the first two (a sentence has one image: its matches are its recall).
    """
    image_of_caption = records.image_of_caption
    shortlists = similar_images(records)
    matches = {
        "image_to_sentence": match_ranks(scores, image_of_caption),
        "image_to_sentence_shortlist": match_ranks(scores, image_of_caption, shortlists),
    }
    shortlist = matches["image_to_sentence_shortlist"].best()
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
            "image_to_sentence_shortlist": recall_curve(shortlist.ranks, shortlist.num_candidates),
            "sentence_to_image": recall_curve(ranks.sentence_to_image, records.num_images),
        },
        "match_curves": {name: match_curve(found) for name, found in matches.items()},
    }


def similar_images(records):
    """Returns the images of the split nearest to each image, by features of the whole frames.

    Args:
        records: the `RecordSplit`, which holds features.

    Returns:
        int64 `[N, min(SHORTLIST_SIZE, N)]`, nearest first by Euclidean distance; an image, or its
        double, is nearest to itself.
    """
    frames = records.read_region_features(np.arange(records.num_images))[:, 0]
    return nearest_images(frames, frames, SHORTLIST_SIZE, "euclidean").images


def chance_recalls(report, k):
    """Returns the R@k, in percent, of answers in random order, a dict of either direction.

    Args:
        report: the content of `metrics.json`.
        k: how many answers come first.
    """
    num_images, num_sentences = report["num_images"], report["num_sentences"]
    return {
        # Of an image any of its sentences counts.
        "image_to_sentence": chance_recall(k, num_sentences, num_sentences / num_images),
        "sentence_to_image": chance_recall(k, num_images),
    }


def chance_line(report):
    """Returns a line where retrieval is no better than chance, else None.

    Args:
        report: the content of `metrics.json`.
    """
    metrics, num_images = report["metrics"], report["num_images"]
    k = next((k for k in (10, 5, 1) if 4 * k <= num_images), None)
    if k is None:
        return None
    chances = chance_recalls(report, k)
    if not all(f"R@{k}" in metrics.get(name, {}) for name in chances):
        return None
    for name, percent in chances.items():
        chance = percent / 100
        # Two standard deviations; sentences of one image are hardly more than one observation.
        above = chance + 2 * math.sqrt(chance * (1 - chance) / num_images)
        if metrics[name][f"R@{k}"] / 100 > above:
            return None
    return (
        f"This is chance level: R@{k} of {metrics['sentence_to_image'][f'R@{k}']:.1f} where "
        f"{chances['sentence_to_image']:.1f} is chance. See that captions belong to their "
        "photographs; then try more photographs, more --num_epochs, a lower --learning_rate, or "
        "--start_from"
    )


def ranked_regions(scores, boxes, power):
    """Ranks the regions of an image for phrases by their scores, and by what they agree with.

    Args:
        scores: float `[P, R]`.
        boxes: float `[R, 4]`.
        power: of the overlap, see `box_agreement`.

    Returns:
        Two arrays int `[P, R]`, best first; of equal regions the earlier is first.
    """
    agreement = box_agreement(scores, boxes[None], np.ones((1, len(boxes)), bool), power)
    return tuple(np.argsort(-each, axis=1, kind="stable") for each in (scores, agreement))


def localization_metrics(phrases):
    """Scores where phrases are found: by regions' own scores, as in the papers, and by agreement.

    Args:
        phrases: list of `(ranked_boxes, agreed_boxes, truth_boxes, phrase_type)`, of normalised
            boxes in both orders of `ranked_regions`.

    Returns:
        The metrics of `phrase_localization` by their scores, with the recalls and the pointing
        accuracy by agreement as `"agreed"`; and the phrases as `phrase_localization` takes them, by
        agreement, which is how `localize` answers.
    """
    ranked = [(boxes, *rest) for boxes, _, *rest in phrases]
    agreed = [(boxes, *rest) for _, boxes, *rest in phrases]
    # Ends of normalised boxes are pixel edges: the overlap is that of inclusive pixels.
    metrics = phrase_localization(ranked, inclusive_pixels=False)
    by_agreement = phrase_localization(agreed, inclusive_pixels=False)
    names = [*(f"R@{k}" for k in RECALL_AT), "pointing"]
    return {**metrics, "agreed": {name: by_agreement[name] for name in names}}, agreed
