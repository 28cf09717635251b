from vsa_tf.evaluation.recall_sum import recall_sum


def test_all_six_recalls_count():
    first = {"R@1": 1.0, "R@5": 2.0, "R@10": 4.0, "mean_rank": 99.0}
    second = {"R@1": 8.0, "R@5": 16.0, "R@10": 32.0}
    metrics = {
        "image_to_sentence": first,
        "sentence_to_image": second,
        "sentence_to_sentence": second,
    }
    assert recall_sum(metrics) == 63
