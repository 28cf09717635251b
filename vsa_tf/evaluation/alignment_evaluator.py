"""Evaluates models of image regions and sentence fragments."""

from vsa_tf.evaluation.alignment_evaluation import evaluate_alignment
from vsa_tf.evaluation.iapr_tc12_metrics import iapr_tc12_metrics
from vsa_tf.evaluation.recall_sum import recall_sum
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.visualization.aligned_pictures import aligned_pictures

_DIRECTIONS = ("image_to_sentence", "sentence_to_image")


class AlignmentEvaluator:
    """Retrieval, phrase localization, pictures of aligned regions.

    Args:
        settings: `AlignmentSettings` or `DefragSettings`.
    """

    def __init__(self, settings):
        del settings

    def evaluate(self, model, data, options):
        """Returns the `Evaluation` of a model on `SplitData`; options: `EvaluationOptions`."""
        evaluation = evaluate_alignment(
            model, data, options.intervals, options.fold_size, options.seed
        )
        if options.iapr_tc12:
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
