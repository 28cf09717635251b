"""The evaluator of each model."""

from vsa_tf.evaluation.alignment_evaluator import AlignmentEvaluator
from vsa_tf.evaluation.caption_evaluator import CaptionEvaluator
from vsa_tf.evaluation.two_branch_evaluator import TwoBranchEvaluator

_EVALUATORS = {
    "alignment": AlignmentEvaluator,
    "defrag": AlignmentEvaluator,
    "dvsa_rnn": CaptionEvaluator,
    "m_rnn": CaptionEvaluator,
    "embedding": TwoBranchEvaluator,
    "similarity": TwoBranchEvaluator,
}


def make_evaluator(settings):
    """Returns the evaluator of the model of `settings` (`Settings`)."""
    return _EVALUATORS[settings.training.model](settings.model)
