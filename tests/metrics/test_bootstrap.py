"""Bootstrap intervals against theory and against a plain loop."""

import numpy as np
import pytest

from vsa_tf.metrics.bootstrap import bootstrap_intervals
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
