"""Blocked scores against plain loops, and against the scores that training sees."""

import numpy as np
import pytest

from vsa_tf.models.alignment.scores import fragment_products, fragment_scores
from vsa_tf.retrieval import blocked_scoring
from vsa_tf.retrieval.fragment_scoring import all_fragment_scores


def _random_problem(seed, num_images=7, num_regions=5, num_sentences=23, width=6, longest=9):
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest + 1, num_sentences)
    regions = random.standard_normal((num_images, num_regions, width)).astype(np.float32)
    mask = random.random((num_images, num_regions)) < 0.6
    mask[np.arange(num_images), random.integers(0, num_regions, num_images)] = True
    fragments = random.standard_normal((lengths.sum(), width)).astype(np.float32)
    return regions, mask, fragments, lengths


def _by_definition(regions, mask, fragments, lengths, smoothing):
    scores = np.zeros((len(regions), len(lengths)))
    ends = np.cumsum(lengths)
    for k, image in enumerate(regions.astype(np.float64)):
        for l, (end, length) in enumerate(zip(ends, lengths)):
            for fragment in fragments[end - length : end]:
                scores[k, l] += sum(max(0, product) for product in image[mask[k]] @ fragment)
            scores[k, l] /= mask[k].sum() * (length + smoothing)
    return scores


@pytest.mark.parametrize("block_bytes", [1, 1000, 5000, 1 << 26])
@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_the_definition_in_blocks_of_any_size(seed, block_bytes):
    problem = _random_problem(seed)
    scores = all_fragment_scores(*problem, block_bytes=block_bytes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, _by_definition(*problem, 5.0), atol=1e-6)


def test_scores_are_those_that_training_sees():
    regions, mask, fragments, lengths = _random_problem(4)
    real = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros((*real.shape, 6), np.float32)
    padded[real] = fragments
    products = fragment_products(regions, padded)
    for smoothing in (0.0, 5.0):
        np.testing.assert_allclose(
            all_fragment_scores(regions, mask, fragments, lengths, smoothing),
            fragment_scores(products, mask, real, smoothing),
            rtol=1e-5,
            atol=1e-6,
        )


def test_products_of_the_backend_give_the_same_scores(monkeypatch):
    problem = _random_problem(8)
    expected = all_fragment_scores(*problem)
    monkeypatch.setattr(blocked_scoring, "_has_accelerator", lambda: True)
    np.testing.assert_allclose(
        all_fragment_scores(*problem, block_bytes=5000), expected, rtol=1e-5, atol=1e-6
    )


def test_what_masked_regions_hold_does_not_matter():
    regions, mask, *fragments = _random_problem(1)
    expected = all_fragment_scores(regions, mask, *fragments)
    for junk in (np.nan, np.inf, 1e6):
        changed = np.where(mask[:, :, None], regions, np.float32(junk))
        np.testing.assert_array_equal(all_fragment_scores(changed, mask, *fragments), expected)


def test_without_a_mask_all_regions_count():
    regions, _, *fragments = _random_problem(2)
    np.testing.assert_array_equal(
        all_fragment_scores(regions, None, *fragments),
        all_fragment_scores(regions, np.ones(regions.shape[:2], bool), *fragments),
    )


@pytest.mark.parametrize("smoothing", [0.0, 5.0])
def test_sentences_without_fragments_score_zero_wherever_they_stand(smoothing):
    regions, mask, _, _ = _random_problem(3)
    fragments = np.random.default_rng(3).standard_normal((5, 6)).astype(np.float32)
    lengths = np.array([0, 0, 2, 0, 3, 0])
    scores = all_fragment_scores(regions, mask, fragments, lengths, smoothing)
    assert not scores[:, [0, 1, 3, 5]].any()
    nothing = all_fragment_scores(regions, mask, fragments[:0], np.zeros(4, int), smoothing)
    np.testing.assert_array_equal(nothing, np.zeros((7, 4)))
    np.testing.assert_allclose(
        scores[:, [2, 4]],
        _by_definition(regions, mask, fragments, lengths[[2, 4]], smoothing),
        atol=1e-6,
    )
