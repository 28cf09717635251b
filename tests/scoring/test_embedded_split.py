import types

import numpy as np
import pytest

from tests.evaluation.given_vectors import GivenVectors, given_data
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.scoring.embedded_split import (
    EmbeddedPairs,
    EmbeddedSplit,
    aligned_snippets,
    embed_split,
)

RNG = np.random.default_rng(0)
REGIONS = RNG.normal(size=(5, 3, 4)).astype("float32")
SENTENCES = RNG.normal(size=(7, 4)).astype("float32")
MASK = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]], bool)
DATA = given_data(REGIONS, SENTENCES, [0, 0, 1, 2, 3, 4, 4], MASK)


def _distances(x, y):
    return np.sqrt(np.square(np.float64(x)[:, None] - y).sum(axis=-1) + 1e-4)


@pytest.mark.parametrize("batch_size", [2, 5, 100])
def test_images_are_their_whole_frames_in_the_order_of_the_split(batch_size):
    pairs = EmbeddedPairs.embed(GivenVectors(), DATA, batch_size, batch_size)
    np.testing.assert_array_equal(pairs.images, REGIONS[:, 0])
    np.testing.assert_array_equal(pairs.sentences, SENTENCES)
    assert pairs.regions is None and pairs.region_mask is None


@pytest.mark.parametrize("batch_size", [2, 5, 100])
def test_regions_are_kept_for_phrases(batch_size):
    pairs = EmbeddedPairs.embed(GivenVectors("region_phrase"), DATA, batch_size, batch_size)
    np.testing.assert_array_equal(pairs.regions, REGIONS)
    np.testing.assert_array_equal(pairs.region_mask, MASK)
    assert pairs.images is None


@pytest.mark.parametrize("pairs_at_a_time", [1, 14, 10**6])
def test_scores_are_those_of_the_model_whatever_the_block(pairs_at_a_time, monkeypatch):
    monkeypatch.setattr("vsa_tf.scoring.embedded_split._BLOCK_PAIRS", pairs_at_a_time)
    pairs = EmbeddedPairs.embed(GivenVectors(), DATA)
    scores = pairs.scores(GivenVectors())
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, -_distances(REGIONS[:, 0], SENTENCES), rtol=1e-5)


def test_how_much_is_done_is_told_after_every_batch_and_block(monkeypatch):
    monkeypatch.setattr("vsa_tf.scoring.embedded_split._BLOCK_PAIRS", 21)
    told, model = [], GivenVectors()
    pairs = EmbeddedPairs.embed(model, DATA, 4, 5, lambda *call: told.append(call))
    pairs.scores(model, lambda *call: told.append(call))
    assert told[:2] == [(5, 7, "sentences"), (7, 7, "sentences")]
    assert told[2:] == [(4, 5, "images"), (5, 5, "images"), (3, 5, "images"), (5, 5, "images")]
    words, lengths = SENTENCES[[0, 1, 2]], np.array([1, 2])
    for score, expected in (("words", (5, 5)), ("both", (2, 2, "sentences"))):
        told.clear()
        split = EmbeddedSplit(REGIONS, MASK, words, lengths)
        split.scores(AlignmentModel(9, 4, score=score), lambda *call: told.append(call))
        assert told == [expected]


def test_sentences_are_compared_a_block_of_rows_at_a_time():
    pairs = EmbeddedPairs.embed(GivenVectors(), DATA)
    rows = pairs.sentence_scores(GivenVectors(), 2, 4)
    np.testing.assert_allclose(rows[:, 4:], -_distances(SENTENCES[2:4], SENTENCES[4:]), rtol=1e-5)


def test_padding_is_no_region_of_a_phrase():
    model = GivenVectors("region_phrase")
    scores = EmbeddedPairs.embed(model, DATA).region_scores(model, 4, [6, 5])
    expected = -_distances(REGIONS[4][[0, 2]], SENTENCES[[6, 5]])
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize("products_at_a_time", [1, 40, 10**6])
@pytest.mark.parametrize(
    "options",
    [{}, {"length_normalization": True}, {"score": "both"}, {"region_pooling": "attention"}],
)
def test_a_split_is_scored_as_the_model_scores_a_batch(options, products_at_a_time, monkeypatch):
    monkeypatch.setattr("vsa_tf.scoring.embedded_split._BLOCK_PRODUCTS", products_at_a_time)
    monkeypatch.setattr("vsa_tf.scoring.embedded_split._SENTENCES_AT_A_TIME", 3)
    lengths = np.array([3, 1, 0, 2, 4, 1, 0])
    words = RNG.normal(size=(lengths.sum(), 4)).astype("float32")
    regions = REGIONS / np.linalg.norm(REGIONS, axis=-1, keepdims=True)
    word_mask = np.arange(4) < lengths[:, None]
    padded = np.zeros((7, 4, 4), np.float32)
    padded[word_mask] = words
    model = AlignmentModel(9, 4, **options)
    scores = EmbeddedSplit(regions, MASK, words, lengths).scores(model)
    expected = model.score(regions, MASK, padded, word_mask)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_scores_of_a_model_that_has_diverged_are_refused():
    words = np.full((2, 4), np.nan, np.float32)
    split = EmbeddedSplit(REGIONS, MASK, words, np.array([1, 1]))
    with pytest.raises(ValueError, match="the model has diverged"):
        split.scores(AlignmentModel(9, 4, score="both"))


def test_what_is_taken_is_scored_as_in_the_split():
    images, sentences = np.array([3, 0, 3]), np.array([6, 1, 4, 4, 2])
    chosen, model = np.ix_(images, sentences), AlignmentModel(9, 4)
    lengths = np.array([3, 1, 0, 2, 4, 1, 0])
    words = RNG.normal(size=(lengths.sum(), 4)).astype("float32")
    split = EmbeddedSplit(REGIONS, MASK, words, lengths)
    taken = split.take(images, sentences).scores(model)
    np.testing.assert_allclose(taken, split.scores(model)[chosen], rtol=1e-6)
    pairs = EmbeddedPairs.embed(GivenVectors(), DATA)
    taken = pairs.take(images, sentences).scores(GivenVectors())
    np.testing.assert_allclose(taken, pairs.scores(GivenVectors())[chosen], rtol=1e-6)


def test_vectors_of_half_the_size_are_scored_in_float32():
    pairs = embed_split(GivenVectors(), DATA, dtype=np.float16)
    assert pairs.images.dtype == pairs.sentences.dtype == np.float16
    every = pairs.take(np.arange(5), np.arange(7))
    assert every.images.dtype == every.sentences.dtype == np.float32
    expected = -_distances(np.float16(REGIONS[:, 0]), np.float16(SENTENCES))
    np.testing.assert_allclose(every.scores(GivenVectors()), expected, rtol=1e-5)


def test_a_sentence_is_aligned_with_any_image():
    # Of both images the vectors of regions 1 and 2 are swapped; the third sentence has no part.
    regions = np.stack([np.eye(3), np.eye(3)[[0, 2, 1]]]).astype("float32")
    words = np.eye(3, dtype=np.float32)[[1, 1, 2, 0, 1]]
    embedded = EmbeddedSplit(regions, np.ones((2, 3), bool), words, np.array([3, 1, 1]))
    own = aligned_snippets(embedded, np.array([0, 0, 1]), 0.0)
    assert own.tolist() == [[0, 1, 0, 2], [0, 2, 2, 3], [1, 0, 0, 1], [2, 2, 0, 1]]
    pairs = aligned_snippets(embedded, np.array([1, 0, 1]), 0.0, np.array([0, 1, 0]))
    expected = [[0, 2, 0, 2], [0, 1, 2, 3]]
    assert pairs.tolist() == [*expected, [1, 0, 0, 1], *([2, *row[1:]] for row in expected)]


def test_sentences_are_embedded_by_their_lengths_and_stand_in_the_order_of_the_split():
    sentences, widths = [[5, 6, 7, 8], [1], [2, 3, 4], [9]], []

    def sentence_batches(batch_size, captions):
        for rows in np.split(captions, range(batch_size, len(captions), batch_size)):
            widths.append(max(len(sentences[row]) for row in rows))
            padded = [(sentences[row] + [0] * 3)[: widths[-1]] for row in rows]
            yield {"token_ids": np.array(padded), "sentence_id": rows}

    model = types.SimpleNamespace(
        embed_images=lambda batch: REGIONS,
        embed_sentences=lambda batch: batch["token_ids"][..., None],
        sentence_mask=lambda batch: batch["token_ids"] > 0,
    )
    data = types.SimpleNamespace(
        records=types.SimpleNamespace(num_images=5),
        tokens=types.SimpleNamespace(lengths=np.array([4, 1, 3, 1])),
        image_batches=lambda batch_size: [{"region_mask": MASK}],
        sentence_batches=sentence_batches,
    )
    told = []
    embedded = EmbeddedSplit.embed(
        model, data, sentence_batch_size=2, progress=lambda *call: told.append(call)
    )
    assert told == [(5, 5, "images"), (2, 4, "sentences"), (4, 4, "sentences")]
    assert embedded.words[:, 0].tolist() == [5, 6, 7, 8, 1, 2, 3, 4, 9]
    assert widths == [1, 4]
