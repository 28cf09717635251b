"""Blocked scores against the specification's fixture and against plain loops."""

import tracemalloc

import numpy as np
import pytest

from vsa_tf.models.alignment.scores import fragment_products, fragment_scores
from vsa_tf.models.two_branch.two_branch_loss import pairwise_distances
from vsa_tf.scoring import blocked_scores
from vsa_tf.scoring.blocked_scores import all_fragment_scores, max_sum_scores, phrase_distances


def wave(rows, columns, start):
    """f(n, m, s)[i, j] = sin(s + 3 i + 7 j) of docs/equations.md 6.2."""
    return np.sin(start + 3 * np.arange(rows)[:, None] + 7 * np.arange(columns)[None, :])


def random_problem(seed, num_images=7, num_regions=5, num_sentences=23, width=6, longest=9):
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest + 1, num_sentences)
    regions = random.standard_normal((num_images, num_regions, width)).astype(np.float32)
    mask = random.random((num_images, num_regions)) < 0.6
    mask[np.arange(num_images), random.integers(0, num_regions, num_images)] = True
    words = random.standard_normal((lengths.sum(), width)).astype(np.float32)
    return regions, mask, words, lengths


def max_sum_scores_by_definition(regions, mask, words, lengths):
    scores = np.zeros((len(regions), len(lengths)))
    ends = np.cumsum(lengths)
    for k, image in enumerate(regions.astype(np.float64)):
        for l, (end, length) in enumerate(zip(ends, lengths)):
            for word in words[end - length : end]:
                scores[k, l] += max(image[mask[k]] @ word)
    return scores


def test_scores_equal_the_specification_fixture():
    regions = wave(12, 5, 0.5).reshape(3, 4, 5)
    padded = wave(12, 5, 1.5).reshape(3, 4, 5)
    lengths = [4, 3, 2]
    words = np.concatenate([padded[l, :length] for l, length in enumerate(lengths)])
    expected = [
        [6.307547, 6.461447, 4.375406],
        [2.919729, 3.695298, 3.896284],
        [7.630335, 2.557729, 2.200382],
    ]
    np.testing.assert_allclose(max_sum_scores(regions, None, words, lengths), expected, atol=2e-6)


@pytest.mark.parametrize("block_bytes", [1, 1000, 5000, 1 << 26])
@pytest.mark.parametrize("seed", range(3))
def test_max_sum_scores_equal_the_definition_in_blocks_of_any_size(seed, block_bytes):
    problem = random_problem(seed)
    scores = max_sum_scores(*problem, block_bytes=block_bytes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, max_sum_scores_by_definition(*problem), atol=1e-5)


def test_products_of_the_backend_give_the_same_max_sum_scores(monkeypatch):
    problem = random_problem(8)
    expected = max_sum_scores(*problem)
    monkeypatch.setattr(blocked_scores, "_has_accelerator", lambda: True)
    np.testing.assert_allclose(
        max_sum_scores(*problem, block_bytes=5000), expected, rtol=1e-5, atol=1e-5
    )


def test_what_masked_regions_hold_does_not_matter_to_max_sum_scores():
    regions, mask, words, lengths = random_problem(1)
    expected = max_sum_scores(regions, mask, words, lengths)
    for junk in (np.nan, np.inf, 1e6):
        changed = np.where(mask[:, :, None], regions, np.float32(junk))
        np.testing.assert_array_equal(max_sum_scores(changed, mask, words, lengths), expected)


def test_added_padding_regions_change_nothing():
    regions, mask, words, lengths = random_problem(2)
    wider = np.concatenate([regions, np.ones_like(regions)], axis=1)
    wider_mask = np.concatenate([mask, np.zeros_like(mask)], axis=1)
    np.testing.assert_allclose(
        max_sum_scores(wider, wider_mask, words, lengths),
        max_sum_scores(regions, mask, words, lengths),
        rtol=1e-5,
        atol=1e-5,
    )


def test_empty_sentences_score_zero_wherever_they_stand():
    regions, mask, _, _ = random_problem(3)
    words = np.random.default_rng(3).standard_normal((5, 6)).astype(np.float32)
    lengths = np.array([0, 0, 2, 0, 3, 0])
    for block_bytes in (1, 1 << 26):
        scores = max_sum_scores(regions, mask, words, lengths, block_bytes=block_bytes)
        assert not scores[:, [0, 1, 3, 5]].any()
        np.testing.assert_allclose(
            scores, max_sum_scores_by_definition(regions, mask, words, lengths), atol=1e-5
        )


def test_no_words_or_no_sentences_at_all():
    regions = random_problem(0)[0]
    none = np.zeros((0, 6), np.float32)
    np.testing.assert_array_equal(max_sum_scores(regions, None, none, [0, 0]), np.zeros((7, 2)))
    assert max_sum_scores(regions, None, none, []).shape == (7, 0)


def test_length_normalisation_divides_by_the_number_of_words():
    regions, mask, words, lengths = random_problem(4)
    scores = max_sum_scores(regions, mask, words, lengths)
    normalised = max_sum_scores(regions, mask, words, lengths, normalize_by_length=True)
    np.testing.assert_allclose(normalised, scores / np.maximum(lengths, 1), rtol=1e-6)


def test_half_precision_arguments_are_scored_in_single_precision():
    regions, mask, words, lengths = random_problem(5)
    halves = regions.astype(np.float16), mask, words.astype(np.float16), lengths
    np.testing.assert_allclose(
        max_sum_scores(*halves), max_sum_scores_by_definition(*halves), atol=1e-5
    )


def test_blocks_respect_the_memory_bound(monkeypatch):
    regions, mask, words, lengths = random_problem(6, 200, 20, 400, 32, 30)
    products = []
    pooled_products = blocked_scores._pooled_products

    def recorded(word_block, region_block, buffer, pooling):
        products.append(4 * len(word_block) * region_block.shape[0] * region_block.shape[1])
        return pooled_products(word_block, region_block, buffer, pooling)

    monkeypatch.setattr(blocked_scores, "_pooled_products", recorded)
    block_bytes = 1 << 20
    # Once before, so that what the backend keeps is not counted.
    max_sum_scores(regions, mask, words, lengths)
    products.clear()
    tracemalloc.start()
    max_sum_scores(regions, mask, words, lengths, block_bytes=block_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = 4 * len(regions) * len(lengths)
    assert max(products) <= block_bytes
    # All products would take 4 * 200 * 20 * ~6000 bytes, a hundred times the bound.
    assert peak <= block_bytes + result + (1 << 18)
    # The bound is used, not undercut: most blocks are of its order.
    assert np.median(products) > block_bytes / 8


def test_a_sentence_longer_than_a_block_is_scored_whole():
    problem = random_problem(7, num_sentences=2, longest=500)
    np.testing.assert_allclose(
        max_sum_scores(*problem, block_bytes=2000),
        max_sum_scores_by_definition(*problem),
        atol=1e-3,
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lengths": [1, 1]}, "sum to the number"),
        ({"lengths": [4, -1]}, "sum to the number"),
        ({"lengths": [1.5, 1.5]}, "sum to the number"),
        ({"words": np.zeros((3, 5))}, "one width"),
        ({"words": np.full((3, 2), np.nan)}, "finite word vectors"),
        ({"regions": np.full((2, 2, 2), np.inf)}, "finite region vectors"),
        ({"region_mask": np.ones((2, 3), bool)}, "region mask of shape"),
        ({"region_mask": np.array([[True, True], [False, False]])}, "none in image 1"),
        ({"block_bytes": 0}, "block_bytes"),
    ],
)
def test_bad_arguments_are_errors(change, message):
    arguments = {
        "regions": np.zeros((2, 2, 2)),
        "region_mask": None,
        "words": np.zeros((3, 2)),
        "lengths": [1, 2],
    }
    with pytest.raises(ValueError, match=message):
        max_sum_scores(**{**arguments, **change})


def fragment_scores_by_definition(regions, mask, fragments, lengths, smoothing):
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
def test_fragment_scores_equal_the_definition_in_blocks_of_any_size(seed, block_bytes):
    problem = random_problem(seed)
    scores = all_fragment_scores(*problem, block_bytes=block_bytes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, fragment_scores_by_definition(*problem, 5.0), atol=1e-6)


def test_fragment_scores_are_those_that_training_sees():
    regions, mask, fragments, lengths = random_problem(4)
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


def test_products_of_the_backend_give_the_same_fragment_scores(monkeypatch):
    problem = random_problem(8)
    expected = all_fragment_scores(*problem)
    monkeypatch.setattr(blocked_scores, "_has_accelerator", lambda: True)
    np.testing.assert_allclose(
        all_fragment_scores(*problem, block_bytes=5000), expected, rtol=1e-5, atol=1e-6
    )


def test_what_masked_regions_hold_does_not_matter_to_fragment_scores():
    regions, mask, *fragments = random_problem(1)
    expected = all_fragment_scores(regions, mask, *fragments)
    for junk in (np.nan, np.inf, 1e6):
        changed = np.where(mask[:, :, None], regions, np.float32(junk))
        np.testing.assert_array_equal(all_fragment_scores(changed, mask, *fragments), expected)


def test_without_a_mask_all_regions_count():
    regions, _, *fragments = random_problem(2)
    np.testing.assert_array_equal(
        all_fragment_scores(regions, None, *fragments),
        all_fragment_scores(regions, np.ones(regions.shape[:2], bool), *fragments),
    )


@pytest.mark.parametrize("smoothing", [0.0, 5.0])
def test_sentences_without_fragments_score_zero_wherever_they_stand(smoothing):
    regions, mask, _, _ = random_problem(3)
    fragments = np.random.default_rng(3).standard_normal((5, 6)).astype(np.float32)
    lengths = np.array([0, 0, 2, 0, 3, 0])
    scores = all_fragment_scores(regions, mask, fragments, lengths, smoothing)
    assert not scores[:, [0, 1, 3, 5]].any()
    nothing = all_fragment_scores(regions, mask, fragments[:0], np.zeros(4, int), smoothing)
    np.testing.assert_array_equal(nothing, np.zeros((7, 4)))
    np.testing.assert_allclose(
        scores[:, [2, 4]],
        fragment_scores_by_definition(regions, mask, fragments, lengths[[2, 4]], smoothing),
        atol=1e-6,
    )


def phrase_distances_by_definition(
    regions, region_mask, phrases, sentence_of_phrase, num_sentences
):
    result = np.zeros((len(regions), num_sentences))
    for image, (vectors, mask) in enumerate(zip(np.float64(regions), region_mask)):
        for sentence in range(num_sentences):
            own = np.flatnonzero(np.array(sentence_of_phrase) == sentence)
            smallest = [
                min(np.sqrt(np.sum((vector - phrases[p]) ** 2) + 1e-4) for vector in vectors[mask])
                for p in own
            ]
            result[image, sentence] = np.mean(smallest) if smallest else 0.0
    return result


@pytest.mark.parametrize("block_bytes", [1, 3000, 64 << 20])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_phrase_distances_equal_the_definition_whatever_the_block(block_bytes, scale):
    rng = np.random.default_rng(3)
    # Of different lengths, so that the largest product is not the nearest region.
    regions = scale * rng.normal(size=(5, 4, 6)).astype("float32")
    mask = rng.random((5, 4)) < 0.7
    mask[:, 0] = True
    phrases = scale * rng.normal(size=(11, 6)).astype("float32")
    # In no order; the sentences 2 and 6 have no phrase.
    sentence_of_phrase = [5, 0, 1, 5, 3, 4, 0, 5, 3, 1, 1]
    distances = phrase_distances(regions, mask, phrases, sentence_of_phrase, 7, block_bytes)
    assert distances.dtype == np.float32
    expected = phrase_distances_by_definition(regions, mask, phrases, sentence_of_phrase, 7)
    np.testing.assert_allclose(distances, expected, rtol=1e-4)
    assert (distances[:, [2, 6]] == 0).all()


def test_a_region_and_a_phrase_are_as_far_as_the_network_says():
    rng = np.random.default_rng(0)
    regions, phrases = rng.normal(size=(4, 1, 8)), rng.normal(size=(3, 8))
    regions, phrases = (
        (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype("float32")
        for x in (regions, phrases)
    )
    phrases[0] = regions[1, 0]  # equal: a distance of .01
    distances = phrase_distances(regions, None, phrases, [0, 1, 2], 3)
    np.testing.assert_allclose(
        distances, pairwise_distances(regions[:, 0], phrases), rtol=1e-3, atol=1e-5
    )


def test_padding_is_never_the_nearest_region():
    regions = np.zeros((1, 2, 2))
    regions[0, 0] = 3, 4
    # The phrase is at the padded region's zeros.
    distances = phrase_distances(regions, [[True, False]], np.zeros((1, 2)), [0], 1)
    np.testing.assert_allclose(distances, [[5]], rtol=1e-5)


def test_without_any_phrase_there_are_no_distances():
    distances = phrase_distances(np.ones((2, 1, 3)), None, np.zeros((0, 3)), [], 4)
    np.testing.assert_array_equal(distances, np.zeros((2, 4)))


@pytest.mark.parametrize(
    ("phrases", "sentences"),
    [
        (np.zeros((2, 3)), [0]),
        (np.zeros((1, 2)), [0]),
        (np.zeros((1, 3)), [4]),
        (np.zeros((1, 3)), [-1]),
        (np.full((1, 3), np.nan), [0]),
    ],
)
def test_phrases_that_do_not_fit_are_an_error(phrases, sentences):
    with pytest.raises(ValueError, match="Expected .* Received"):
        phrase_distances(np.ones((2, 1, 3)), None, phrases, sentences, 4)
