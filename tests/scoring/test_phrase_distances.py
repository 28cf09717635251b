"""Phrase distances against the definition, one phrase and one region at a time."""

import numpy as np
import pytest

from vsa_tf.models.two_branch.two_branch_loss import pairwise_distances
from vsa_tf.scoring.phrase_distances import phrase_distances


def by_definition(regions, region_mask, phrases, sentence_of_phrase, num_sentences):
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
def test_distances_equal_the_definition_whatever_the_block(block_bytes, scale):
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
    expected = by_definition(regions, mask, phrases, sentence_of_phrase, 7)
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
def test_what_does_not_fit_is_an_error(phrases, sentences):
    with pytest.raises(ValueError, match="Expected .* Received"):
        phrase_distances(np.ones((2, 1, 3)), None, phrases, sentences, 4)
