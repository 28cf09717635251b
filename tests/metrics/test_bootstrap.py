"""Bootstrap intervals against theory and against a plain loop."""

import numpy as np
import pytest

from vsa_tf.metrics.bootstrap import (
    bootstrap_intervals,
    paired_difference,
    percentile_intervals,
    resampled_sums,
)
from vsa_tf.metrics.retrieval import recall_summary


def test_same_seed_same_intervals():
    ranks = np.random.default_rng(0).integers(1, 30, 200)
    first = bootstrap_intervals(ranks, np.arange(200), seed=3)
    assert bootstrap_intervals(ranks, np.arange(200), seed=3) == first
    assert bootstrap_intervals(ranks, np.arange(200), seed=4) != first


def test_interval_has_the_width_of_the_normal_approximation():
    # Half of 1000 independent hits: standard error sqrt(.25 / 1000) = 1.581 %, times 1.96 = 3.1.
    ranks = np.where(np.arange(1000) % 2, 1, 100)
    low, high = bootstrap_intervals(ranks, np.arange(1000), num_resamples=4000)["R@1"]
    assert low == pytest.approx(50.0 - 3.1, abs=0.3)
    assert high == pytest.approx(50.0 + 3.1, abs=0.3)


def test_sentences_of_an_image_come_together():
    # Five sentences of an image all hit or all miss: 200 images are the sample, not 1000 sentences,
    # so the interval is as wide as that of the 200 (1.96 sqrt(.25 / 200) = 6.9 %).
    image_of_sentence = np.arange(1000) // 5
    ranks = np.where(image_of_sentence % 2, 1, 100)
    low, high = bootstrap_intervals(ranks, image_of_sentence, num_resamples=4000)["R@1"]
    assert low == pytest.approx(50.0 - 6.9, abs=0.8)
    assert high == pytest.approx(50.0 + 6.9, abs=0.8)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_equal_repeated_queries_summarised_one_by_one(seed):
    random = np.random.default_rng(seed)
    image_of_query = random.integers(0, 9, 40) * 7
    ranks = random.integers(1, 25, 40)
    images = np.unique(image_of_query)
    drawn = np.random.default_rng(5).multinomial(
        len(images), np.full(len(images), 1 / len(images)), size=50
    )
    samples = []
    for counts in drawn:
        repeats = counts[np.searchsorted(images, image_of_query)]
        samples.append(recall_summary(np.repeat(ranks, repeats)))
    intervals = bootstrap_intervals(ranks, image_of_query, num_resamples=50, seed=5, level=0.9)
    for name, interval in intervals.items():
        expected = np.percentile([sample[name] for sample in samples], [5, 95])
        np.testing.assert_allclose(interval, expected, rtol=1e-12)


def test_every_metric_of_the_summary_has_an_interval_around_it():
    ranks = np.random.default_rng(1).geometric(0.2, 300)
    summary, intervals = recall_summary(ranks), bootstrap_intervals(ranks, np.arange(300))
    assert list(intervals) == list(summary)
    for name, (low, high) in intervals.items():
        assert low <= summary[name] <= high


@pytest.mark.parametrize(
    "settings", [{"image_of_query": [0, 1]}, {"num_resamples": 0}, {"level": 1.0}]
)
def test_bad_arguments_are_errors(settings):
    with pytest.raises(ValueError, match="Expected .* Received"):
        bootstrap_intervals(**{"ranks": [1, 2, 3], "image_of_query": [0, 1, 2], **settings})


def test_sums_of_a_resample_are_of_the_drawn_images_in_every_column():
    values = np.random.default_rng(0).normal(size=(7, 3))
    drawn = np.random.default_rng(4).multinomial(7, np.full(7, 1 / 7), size=20)
    expected = [np.repeat(values, counts, axis=0).sum(axis=0) for counts in drawn]
    np.testing.assert_allclose(resampled_sums(values, num_resamples=20, seed=4), expected)
    with pytest.raises(ValueError, match="Received: 0 images, num_resamples=20"):
        resampled_sums(np.zeros((0, 3)), num_resamples=20)


def test_p_is_that_of_the_normal_test_where_that_holds():
    # 400 differences of mean .1 and deviation 1: z = .1 sqrt(400) = 2, p = .0455.
    differences = np.random.default_rng(0).normal(size=400)
    differences = (differences - differences.mean()) / differences.std() + 0.1
    sums = resampled_sums(np.stack([np.zeros(400), differences], axis=1), num_resamples=20000)
    found = paired_difference(*sums.T / 400)
    assert found["p"] == pytest.approx(0.0455, abs=0.006)
    assert found["interval"] == pytest.approx([0.1 - 0.098, 0.1 + 0.098], abs=0.004)
    other = paired_difference(*sums.T[::-1] / 400)
    assert other["p"] == found["p"]
    assert other["interval"] == pytest.approx([-value for value in reversed(found["interval"])])


def test_rounding_is_no_difference():
    assert paired_difference(np.ones(9), np.ones(9) + 1e-15)["p"] == 1.0


def test_a_level_is_a_share():
    with pytest.raises(ValueError, match="level=1.5"):
        percentile_intervals(np.ones((3, 1)), level=1.5)
