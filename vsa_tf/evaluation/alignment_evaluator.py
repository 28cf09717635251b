"""Evaluates models of image regions and sentence fragments by the protocols of the papers."""

import numpy as np

from vsa_tf.evaluation.evaluation import Evaluation, RetrievalOptions
from vsa_tf.evaluation.generated_scenes import generated_ceiling
from vsa_tf.evaluation.retrieval_metrics import iapr_tc12_metrics, recall_sum, retrieval_metrics
from vsa_tf.metrics.phrase_localization import phrase_localization
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.scoring.blocked_scores import all_fragment_scores, max_sum_scores
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.visualization.split_pictures import aligned_pictures

_SCORES = {"max_sum": max_sum_scores, "fragments": all_fragment_scores}
_DIRECTIONS = ("image_to_sentence", "sentence_to_image")


class AlignmentEvaluator:
    """Retrieval, phrase localization, pictures of aligned regions.

    Args:
        retrieval: `RetrievalOptions`.
    """

    def __init__(self, retrieval=RetrievalOptions()):
        self._retrieval = retrieval

    def evaluate(self, model, data, options):
        """Returns the `Evaluation` of a model on `SplitData`; options: `EvaluationOptions`."""
        evaluation = evaluate_alignment(
            model, data, options.intervals, options.fold_size, options.seed
        )
        if self._retrieval.iapr_tc12:
            scores, records = evaluation.scores, data.records
            ranks = retrieval_ranks(scores, records.image_of_caption)
            evaluation.metrics |= iapr_tc12_metrics(scores, ranks, records, options)
        evaluation.pictures = aligned_pictures(evaluation.embedded, data, options.num_pictures)
        return evaluation

    def selection_score(self, metrics):
        """The number by which checkpoints are chosen: the sum of all six recalls, as VSE++."""
        return recall_sum(metrics)

    def summary(self, metrics):
        """The few numbers that say how training goes, a dict."""
        return {f"{direction} R@1": metrics[direction]["R@1"] for direction in _DIRECTIONS}


def score_split(model, embedded):
    """Returns `S` of all images and sentences of a split, float32 `[N, M]`."""
    parts = embedded.regions, embedded.region_mask, embedded.words, embedded.lengths
    return _SCORES[model.score_name](*parts, **model.score_options)


def ranked_phrases(embedded, data):
    """Ranks the regions of its image for every annotated phrase, in the order of the records.

    A region's score for a phrase is the sum over the phrase's words of `v_i . s_t`.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.

    Yields:
        `(ranked_boxes, truth_boxes, phrase_type)`, as of `phrase_localization`.
    """
    records, starts = data.records, embedded.starts
    for image, phrases in enumerate(records.phrases):
        mask = embedded.region_mask[image]
        regions, boxes = embedded.regions[image][mask], records.region_boxes[image]
        boxes = boxes[: len(mask)][mask]
        chains = {}
        for annotated in records.objects[image]:
            chains.setdefault(annotated.chain, []).append(annotated.box)
        boundaries = {}
        for phrase in phrases:
            sentence = records.first_caption[image] + phrase.caption_index
            if sentence not in boundaries:
                boundaries[sentence] = data.text.token_boundaries(records.captions[sentence])
            first, last = (
                min(boundaries[sentence][word], embedded.lengths[sentence])
                for word in (phrase.first_word, phrase.first_word + phrase.num_words)
            )
            words = embedded.words[starts[sentence] + first : starts[sentence] + last]
            order = np.argsort(-(regions @ words.sum(axis=0)), kind="stable")
            yield boxes[order], np.array(chains.get(phrase.chain, ())).reshape(-1, 4), phrase.type


def localization_metrics(phrases):
    """Returns the metrics of `ranked_phrases`, as of `phrase_localization`.

    Boxes are compared in normalised coordinates whose ends are pixel edges, which gives the same
    overlap as inclusive pixels of the annotation.
    """
    return phrase_localization(phrases, inclusive_pixels=False)


def evaluate_alignment(model, data, intervals=True, fold_size=0, seed=0):
    """Evaluates a model of regions and fragments on a split.

    A model that reads dependency relations has no words in their order: phrases are not localized.

    Args:
        model: a `FragmentModel`.
        data: `SplitData`.
        intervals, fold_size, seed: see `retrieval_metrics`.

    Returns:
        The `Evaluation`, without pictures.
    """
    embedded = EmbeddedSplit.embed(model, data)
    scores = score_split(model, embedded)
    image_of_caption = data.records.image_of_caption
    ranks = retrieval_ranks(scores, image_of_caption)
    metrics = retrieval_metrics(scores, image_of_caption, intervals, fold_size, seed, ranks)
    phrases = [] if model.num_relations else list(ranked_phrases(embedded, data))
    if phrases:
        metrics["phrase_localization"] = localization_metrics(phrases)
    if intervals:
        info, split = data.records.info, data.records.split
        ceiling = generated_ceiling(info, split, ranks.sentence_to_image)
        metrics |= {"ceiling": ceiling} if ceiling else {}
    return Evaluation(metrics, embedded=embedded, scores=scores, ranked_phrases=phrases)
