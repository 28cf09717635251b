from vsa_tf.evaluation.alignment_evaluator import AlignmentEvaluator
from vsa_tf.models.captioning.settings import AlignmentSettings

RECALLS = {"R@1": 10.0, "R@5": 11.0, "R@10": 12.0, "mean_rank": 99.0}
METRICS = {
    "image_to_sentence": RECALLS,
    "sentence_to_image": {**RECALLS, "R@1": 5.0},
    "phrase_localization": {"R@1": 50.0},
}


def test_selection_is_by_the_sum_of_all_six_recalls():
    evaluator = AlignmentEvaluator(AlignmentSettings())
    assert evaluator.selection_score(METRICS) == (10 + 11 + 12) + (5 + 11 + 12)


def test_summary_is_the_recall_of_both_directions():
    summary = AlignmentEvaluator(AlignmentSettings()).summary(METRICS)
    assert summary == {"image_to_sentence R@1": 10.0, "sentence_to_image R@1": 5.0}
