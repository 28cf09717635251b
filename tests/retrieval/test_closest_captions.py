"""The closest training caption against all similarities at once."""

import tracemalloc

import numpy as np
import pytest

from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity
from vsa_tf.retrieval.closest_captions import closest_captions

_WORDS = "a a the dog cat runs sits on in grass".split()


def random_captions(seed, num_captions):
    random = np.random.default_rng(seed)
    return [random.choice(_WORDS, random.integers(0, 9)).tolist() for _ in range(num_captions)]


@pytest.mark.parametrize("block_bytes", [1, 20_000, 1 << 26])
@pytest.mark.parametrize("kind", KINDS)
def test_the_closest_caption_has_the_largest_similarity(kind, block_bytes):
    training = random_captions(0, 50)
    similarity = CaptionSimilarity(training, np.arange(50) // 5, kind)
    captions = random_captions(1, 20)
    expected = similarity.between(captions, training)
    found = closest_captions(captions, similarity, block_bytes)
    np.testing.assert_allclose(found.similarities, expected.max(axis=1), atol=1e-12)
    np.testing.assert_allclose(
        expected[np.arange(20), found.captions], found.similarities, atol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_caption_finds_itself_or_its_first_repetition(kind):
    training = [caption for caption in random_captions(2, 60) if len(caption) > 3]
    similarity = CaptionSimilarity(training, np.arange(len(training)), kind)
    found = closest_captions(training, similarity)
    assert found.captions.tolist() == [training.index(caption) for caption in training]


def test_nothing_in_common_is_similarity_zero():
    similarity = CaptionSimilarity([["a"], ["b"]], [0, 1])
    found = closest_captions([["x"], []], similarity)
    assert found.similarities.tolist() == [0.0, 0.0]
    assert closest_captions([], similarity).captions.shape == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_respect_the_memory_bound(kind):
    similarity = CaptionSimilarity(random_captions(3, 3000), np.arange(3000), kind)
    captions = random_captions(4, 300)
    block_bytes = 1 << 20
    tracemalloc.start()
    closest_captions(captions, similarity, block_bytes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All similarities alone take 7.2 MB; the training captions, transposed, up to 1 MB.
    assert peak < block_bytes + (2 << 20)


def test_a_block_without_bytes_is_an_error():
    with pytest.raises(ValueError, match="block_bytes=0"):
        closest_captions([["a"]], CaptionSimilarity([["a"]], [0]), block_bytes=0)
