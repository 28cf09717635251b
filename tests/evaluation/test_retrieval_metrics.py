import numpy as np

from vsa_tf.evaluation.retrieval_metrics import retrieval_metrics


def test_retrieval_metrics_have_the_layout_of_the_interface():
    image, sentence = np.arange(6)[:, None], np.arange(30)
    scores = np.sin(1.3 * image + 2.1 * sentence) + 0.8 * (image == sentence // 5)
    metrics = retrieval_metrics(scores, sentence // 5, fold_size=3)
    # spec/fixtures.md, retrieval ranks.
    assert metrics["image_to_sentence"]["R@1"] == 100
    assert metrics["image_to_sentence"]["mean_rank"] == 1
    assert metrics["sentence_to_image"]["R@1"] == 40
    assert metrics["sentence_to_image"]["R@5"] == 100
    np.testing.assert_allclose(metrics["sentence_to_image"]["mean_rank"], 2.6)
    for direction in ("image_to_sentence", "sentence_to_image"):
        assert metrics[direction].keys() == {
            "R@1",
            "R@5",
            "R@10",
            "median_rank",
            "mean_rank",
            "interval_95",
        }
        low, high = metrics[direction]["interval_95"]["R@1"]
        assert low <= metrics[direction]["R@1"] <= high
    assert metrics["folds"]["fold_size"] == 3
    assert metrics["folds"].keys() >= {"image_to_sentence", "sentence_to_image"}


def test_intervals_and_folds_may_be_left_out():
    metrics = retrieval_metrics(np.eye(4), np.arange(4), intervals=False)
    assert metrics.keys() == {"image_to_sentence", "sentence_to_image"}
    assert "interval_95" not in metrics["image_to_sentence"]
