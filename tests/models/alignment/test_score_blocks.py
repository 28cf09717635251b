import numpy as np
import pytest
import tensorflow as tf

from tests.models.alignment.fragment_batches import VOCABULARY_SIZE, word_batch
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.alignment.score_blocks import BLOCK_BYTES, num_blocks
from vsa_tf.models.alignment.scores import AlignmentScore, max_sum_score

SCORES = {
    "the paper's": {},
    "means over words": {"length_normalization": True},
    "both": {"score": "both"},
    "log_sum_exp": {"region_pooling": "log_sum_exp"},
    "attention": {"score": "both", "region_pooling": "attention"},
    "words' log_sum_exp": {"word_pooling": "log_sum_exp"},
}


def _sides(size=13, num_regions=4, num_words=5):
    """Images and sentences, one image without regions and one sentence without words."""
    rng = np.random.default_rng(0)
    regions = rng.normal(size=(size, num_regions, 3)).astype("float32")
    words = rng.normal(size=(size, num_words, 3)).astype("float32")
    region_mask = np.arange(num_regions) < rng.integers(1, num_regions + 1, (size, 1))
    word_mask = np.arange(num_words) < rng.integers(1, num_words + 1, (size, 1))
    region_mask[2], word_mask[3] = False, False
    return regions, region_mask, words, word_mask


def _scores_and_gradients(score, regions, region_mask, words, word_mask, **options):
    regions, words = tf.constant(regions), tf.constant(words)
    # So that every pair counts, each differently.
    upstream = np.random.default_rng(1).normal(size=(len(regions), len(words))).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch([regions, words])
        scores = score(regions, region_mask, words, word_mask, **options)
    return scores, *tape.gradient(scores, [regions, words], upstream)


# Of five images one each; of eleven four blocks of three, with an image that is none.
@pytest.mark.parametrize(("size", "block_bytes", "count"), [(5, 1, 5), (11, 2640, 4)])
@pytest.mark.parametrize("name", SCORES)
def test_scores_and_gradients_in_blocks_are_those_of_all_at_once(name, size, block_bytes, count):
    score, sides = AlignmentScore(**SCORES[name]), _sides(size)
    expected = _scores_and_gradients(score, *sides)
    score.block_bytes = block_bytes
    assert num_blocks(*sides[::2], block_bytes) == (count, count)
    for received, value in zip(_scores_and_gradients(score, *sides), expected):
        np.testing.assert_allclose(received, value, rtol=1e-5, atol=2e-5)


def test_a_graph_that_does_not_know_its_sizes_trains_in_blocks():
    sides = _sides()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 4, 3]),
            tf.TensorSpec([None, 4], tf.bool),
            tf.TensorSpec([None, None, 3]),
            tf.TensorSpec([None, None], tf.bool),
        ],
        autograph=False,
    )
    def score(*given):
        with tf.GradientTape() as tape:
            tape.watch([given[0], given[2]])
            scores = max_sum_score(*given, block_bytes=3200, training=True)
        return scores, *tape.gradient(scores, [given[0], given[2]])

    with tf.GradientTape() as tape:
        regions, words = tf.constant(sides[0]), tf.constant(sides[2])
        tape.watch([regions, words])
        scores = max_sum_score(regions, sides[1], words, sides[3])
    expected = scores, *tape.gradient(scores, [regions, words])
    for received, value in zip(score(*map(tf.constant, sides)), expected):
        np.testing.assert_allclose(received, value, rtol=1e-5, atol=2e-5)


def test_all_products_of_a_block_are_never_there_at_once(monkeypatch):
    sizes = []
    matmul = tf.matmul
    monkeypatch.setattr(
        tf, "matmul", lambda *args, **kwargs: _noted(sizes, matmul(*args, **kwargs))
    )
    _scores_and_gradients(lambda *given: max_sum_score(*given, block_bytes=3200), *_sides())
    # 13 x 4 regions times 13 x 5 words are 3380 products.
    assert sizes and max(sizes) <= 3200 / 4


def _noted(sizes, product):
    sizes.append(int(np.prod(product.shape)))
    return product


def test_blocks_are_as_large_as_they_may_be():
    def blocks(size):
        return num_blocks(np.empty((size, 20, 1)), np.empty((size, 30, 1)))

    # 4 x 20 x 30 x 200^2 are 96 MB, below 128 MiB; of 1024 it is 2.3 GiB, 19 blocks at least.
    assert BLOCK_BYTES == 128 * 2**20
    assert blocks(200) == (1, 1)
    assert blocks(1024) == (32, 32)
    # Of 1009 images, a prime, 19 blocks of 54, with images that are none.
    assert blocks(1009) == (19, 19)


def test_a_model_scores_the_same_in_blocks():
    batch = word_batch(size=7)
    nothing_left_out = {"dropout": 0.0, "region_dropping": 0.0, "word_dropping": 0.0}
    model = AlignmentModel(VOCABULARY_SIZE, joint_size=4, word_embedding_size=3, **nothing_left_out)
    expected = model(batch, training=True)
    model.alignment_score.block_bytes = 400
    np.testing.assert_allclose(model(batch, training=True), expected, rtol=1e-5, atol=1e-6)
