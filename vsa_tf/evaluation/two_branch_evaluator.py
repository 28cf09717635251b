"""Evaluates two-branch networks, on images and sentences or on regions and phrases."""

import numpy as np

from vsa_tf.boxes import WITH_BOXES
from vsa_tf.evaluation.combined_retrieval import combined_retrieval
from vsa_tf.evaluation.evaluation import Evaluation, GivenSplits, RetrievalOptions
from vsa_tf.evaluation.generated_scenes import generated_ceiling
from vsa_tf.evaluation.retrieval_metrics import (
    iapr_tc12_metrics,
    localization_metrics,
    ranked_regions,
    recall_sum,
    rescored_metrics,
    retrieval_metrics,
)
from vsa_tf.metrics.bootstrap import bootstrap_intervals
from vsa_tf.metrics.retrieval import recall_summary, retrieval_ranks, sentence_to_sentence_ranks
from vsa_tf.scoring.embedded_split import EmbeddedPairs
from vsa_tf.visualization.split_pictures import localized_pictures, retrieved_pictures


class TwoBranchEvaluator:
    """Retrieval among images and sentences, or localization of phrases, as the task is.

    Args:
        settings: `EmbeddingSettings` or `SimilaritySettings`.
        retrieval: `RetrievalOptions`.
        splits: `GivenSplits` or `StoredSplits`.
    """

    def __init__(self, settings, retrieval=RetrievalOptions(), splits=GivenSplits()):
        self.task = settings.task
        self._retrieval = retrieval
        self._splits = splits

    def evaluate(self, model, data, options):
        """Returns the `Evaluation` of a model on `SplitData`; options: `EvaluationOptions`.

        Args:
            model: a `TwoBranchNetwork`, or a baseline with its `task`, `embed_images`,
                `embed_regions`, `embed_sentences` and `score`.
            data: `SplitData`; its records are `PhraseRecords` where the task is `region_phrase`.
            options: `EvaluationOptions`.
        """
        embedded = EmbeddedPairs.embed(model, data, progress=options.progress)
        if self.task == "region_phrase":
            return _localize(model, data, embedded, options)
        return self._retrieve(model, data, embedded, options)

    def _retrieve(self, model, data, embedded, options):
        records = data.records
        scores = embedded.scores(model, options.progress)
        ranks = retrieval_ranks(scores, records.image_of_caption)
        metrics = retrieval_metrics(scores, records.image_of_caption, options, ranks)
        # Nothing in the training of a similarity network makes its sentences comparable.
        if model.has_joint_space:
            metrics |= sentence_metrics(model, data, embedded, options)
        metrics |= rescored_metrics(scores, records.image_of_caption, self._retrieval, options)
        if self._retrieval.iapr_tc12:
            metrics |= iapr_tc12_metrics(scores, ranks, records, options)
        if self._splits.phrase_model is not None:
            metrics["combined_distance"] = combined_retrieval(
                model, data, scores, options, self._splits, self._retrieval.phrase_weight
            )
        if options.intervals:
            metrics |= generated_ceiling(records, ranks)
        pictures = retrieved_pictures(scores, records, options.num_pictures)
        return Evaluation(metrics, pictures, embedded=embedded, scores=scores)

    def selection_score(self, metrics):
        """The number by which checkpoints are chosen: R@1 of phrases, or the sum of all recalls."""
        if self.task == "region_phrase":
            return metrics["phrase_localization"]["R@1"]
        return recall_sum(metrics)

    def summary(self, metrics):
        """The few numbers that say how training goes, a dict."""
        names = ("image_to_sentence", "sentence_to_image", "sentence_to_sentence")
        if self.task == "region_phrase":
            names = ("phrase_localization",)
        return {f"{name} R@1": metrics[name]["R@1"] for name in names if name in metrics}


def sentence_metrics(model, data, embedded, options):
    """Returns recall among sentences, in the layout of `metrics.json`.

    Args:
        model: that embedded.
        data: `SplitData`.
        embedded: `EmbeddedPairs` of M sentences.
        options: `EvaluationOptions`.

    Returns:
        dict of `sentence_to_sentence`: as of `recall_summary`, with `num_queries`; empty where
        every sentence is the only one of its image.
    """
    image_of_sentence = data.records.image_of_caption
    ranks, queries = sentence_to_sentence_ranks(
        lambda first, last: embedded.sentence_scores(model, first, last), image_of_sentence
    )
    if not queries.size:
        return {}
    metrics = {**recall_summary(ranks), "num_queries": int(queries.size)}
    if options.intervals:
        metrics["interval_95"] = bootstrap_intervals(
            ranks, image_of_sentence[queries], seed=options.seed
        )
    return {"sentence_to_sentence": metrics}


def _localize(model, data, embedded, options):
    records = data.records
    boxes, images = records.region_boxes, records.image_of_caption
    rankings = phrase_rankings(model, embedded, images, boxes)
    phrases = [
        (*(boxes[image][order] for order in orders), truth[None], kind)
        for image, orders, truth, kind in zip(
            images, rankings, records.phrase_boxes, records.phrase_types
        )
    ]
    metrics, phrases = localization_metrics(phrases)
    metrics["num_dropped"] = records.num_dropped
    best = np.stack([ranked_boxes[0] for ranked_boxes, *_ in phrases])
    pictures = localized_pictures(best, records, options.num_pictures)
    return Evaluation(
        {"phrase_localization": metrics}, pictures, embedded=embedded, ranked_phrases=phrases
    )


def phrase_rankings(model, embedded, image_of_phrase, region_boxes):
    """Ranks the regions of each phrase's image by their similarity to the phrase.

    Args:
        model: the network, or another object with its `score`.
        embedded: `EmbeddedPairs` of regions and P phrases.
        image_of_phrase: int `[P]`.
        region_boxes: float `[N, R, 4]`.

    Returns:
        list of P pairs of int arrays, as of `ranked_regions`, each the real regions of the phrase's
        image, best first.
    """
    rankings = [None] * len(image_of_phrase)
    order = np.argsort(image_of_phrase, kind="stable")
    images, starts = np.unique(image_of_phrase[order], return_index=True)
    for image, phrases in zip(images, np.split(order, starts[1:])):
        real = np.flatnonzero(embedded.region_mask[image])
        scores = embedded.region_scores(model, image, phrases).T
        found = ranked_regions(scores, region_boxes[image][real], WITH_BOXES)
        for phrase, *orders in zip(phrases, *found):
            rankings[phrase] = tuple(real[order] for order in orders)
    return rankings
