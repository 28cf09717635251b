"""Consensus scores against plain loops, and rankings by hand."""

import tracemalloc

import numpy as np
import pytest

from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity
from vsa_tf.scoring.caption_consensus import (
    closest_captions,
    consensus_choices,
    consensus_reranking,
    consensus_scores,
    nearest_neighbor_captions,
    oracle_reranking,
)

_WORDS = "a a the dog cat runs sits on in grass".split()


def random_captions(random, num_captions):
    return [random.choice(_WORDS, random.integers(0, 9)).tolist() for _ in range(num_captions)]


def random_problem(seed, kind, num_images=7, num_training=10):
    """Training captions in no order, hypotheses of several numbers, neighbours."""
    random = np.random.default_rng(seed)
    image_of_caption = random.permutation(np.arange(40) % num_training)
    training = random_captions(random, 40)
    similarity = CaptionSimilarity(training, image_of_caption, kind)
    hypotheses = [random_captions(random, random.integers(1, 6)) for _ in range(num_images)]
    neighbors = np.array([random.permutation(num_training)[:3] for _ in range(num_images)])
    return training, image_of_caption, similarity, hypotheses, neighbors


def test_scores_are_means_of_the_largest():
    similarities = [[0.0, 4.0, 2.0, 6.0], [1.0, 1.0, 1.0, 1.0]]
    assert consensus_scores(similarities, 1).tolist() == [6, 1]
    assert consensus_scores(similarities, 2).tolist() == [5, 1]
    assert consensus_scores(similarities, 4).tolist() == [3, 1]


def test_with_fewer_references_all_count():
    assert consensus_scores([[1.0, 2.0]], 125).tolist() == [1.5]


def test_the_order_of_the_references_does_not_change_a_bit_of_the_score():
    random = np.random.default_rng(0)
    row = random.random(300)
    scores = consensus_scores([random.permutation(row) for _ in range(20)], 125)
    assert len(set(scores.tolist())) == 1


@pytest.mark.parametrize("similarities, m", [(np.zeros((2, 0)), 1), (np.zeros(3), 1), ([[1]], 0)])
def test_no_reference_and_no_caption_to_count_are_errors(similarities, m):
    with pytest.raises(ValueError, match="Expected .* Received"):
        consensus_scores(similarities, m)


@pytest.mark.parametrize("block_images", [1, 3, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_reranking_is_that_of_the_definition(kind, block_images, monkeypatch):
    monkeypatch.setattr("vsa_tf.scoring.caption_consensus._BLOCK_IMAGES", block_images)
    training, image_of_caption, similarity, hypotheses, neighbors = random_problem(1, kind)
    found = consensus_reranking(hypotheses, neighbors, similarity, num_captions=5)
    for image, (own, near) in enumerate(zip(hypotheses, neighbors, strict=True)):
        references = [training[row] for row in range(40) if image_of_caption[row] in near]
        scores = [
            np.mean(
                sorted(
                    (
                        similarity.between([hypothesis], [reference])[0, 0]
                        for reference in references
                    ),
                    reverse=True,
                )[:5]
            )
            for hypothesis in own
        ]
        np.testing.assert_allclose(found.scores[image], scores, atol=1e-12)
        ranked = found.scores[image][found.order[image]]
        assert (np.diff(ranked) <= 0).all()
        assert sorted(found.order[image].tolist()) == list(range(len(own)))


def test_the_caption_on_which_neighbours_agree_comes_first():
    training = [
        "a dog runs on the grass",
        "the dog runs on grass",
        "a cat sits in a tree",
        "two men ride a bus",
        "a red bus in the city",
    ]
    training = [caption.split() for caption in training]
    for kind in KINDS:
        similarity = CaptionSimilarity(training, range(5), kind)
        hypotheses = [["a cat sits in a tree".split(), "a dog runs on grass".split()]] * 2
        found = consensus_reranking(hypotheses, [[0, 1], [2]], similarity)
        assert [order.tolist() for order in found.order] == [[1, 0], [0, 1]]


def test_equal_hypotheses_keep_the_models_order_and_empty_ones_come_last():
    similarity = CaptionSimilarity([["a", "dog"], ["a", "cat"]], [0, 1])
    hypotheses = [[[], ["a", "dog"], ["cat"], ["a", "dog"]]]
    found = consensus_reranking(hypotheses, [[0]], similarity)
    assert found.order[0].tolist() == [1, 3, 0, 2]
    assert found.scores[0][0] == found.scores[0][2] == 0


def test_default_numbers_of_captions_are_those_of_the_paper():
    # 200 captions of one image: 130 of them equal the hypothesis, the others share nothing.
    training = [["a", "dog", "runs", "home"]] * 130 + [["x"]] * 70 + [["cat"]]
    images = [0] * 200 + [1]
    hypotheses = [[["a", "dog", "runs", "home"]]]
    cider = consensus_reranking(hypotheses, [[0]], CaptionSimilarity(training, images))
    bleu = consensus_reranking(hypotheses, [[0]], CaptionSimilarity(training, images, "bleu"))
    f1 = consensus_reranking(hypotheses, [[0]], CaptionSimilarity(training, images, "f1"))
    assert cider.scores[0][0] == pytest.approx(10.0)  # m = 125
    assert bleu.scores[0][0] == f1.scores[0][0] == pytest.approx(130 / 175)


@pytest.mark.parametrize("kind", KINDS)
def test_choices_are_the_first_of_each_reranking(kind):
    _, _, similarity, hypotheses, neighbors = random_problem(4, kind)
    neighbors = [*neighbors[:-1], neighbors[-1][:2]]
    choices = consensus_choices(hypotheses, neighbors, similarity, (1, 2, 9), (1, 4))
    assert list(choices) == [(k, m) for k in (1, 2, 9) for m in (1, 4)]
    for (k, m), chosen in choices.items():
        near = [own[:k] for own in neighbors]
        ranking = consensus_reranking(hypotheses, near, similarity, m)
        assert chosen.tolist() == [order[0] for order in ranking.order]
    assert len({tuple(chosen) for chosen in choices.values()}) > 1


@pytest.mark.parametrize("block_images", [2, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_ranks_by_the_mean_similarity_to_the_true_captions(
    kind, block_images, monkeypatch
):
    monkeypatch.setattr("vsa_tf.scoring.caption_consensus._BLOCK_IMAGES", block_images)
    _, _, similarity, hypotheses, _ = random_problem(2, kind)
    random = np.random.default_rng(3)
    # Words that no training caption holds, shared by hypothesis and reference, count too.
    hypotheses[3].append("zebra zebra crossing here".split())
    references = [random_captions(random, random.integers(1, 7)) for _ in hypotheses]
    references[3].append("a zebra crossing here".split())
    found = oracle_reranking(hypotheses, references, similarity)
    for image, (own, true) in enumerate(zip(hypotheses, references, strict=True)):
        expected = similarity.between(own, true).mean(axis=1)
        np.testing.assert_allclose(found.scores[image], expected, atol=1e-12)
        assert found.order[image][0] == np.argmax(found.scores[image])
    assert found.scores[3][-1] > 0


def test_no_image_gives_no_ranking():
    similarity = CaptionSimilarity([["a"]], [0])
    assert consensus_reranking([], [], similarity) == ([], [])
    assert oracle_reranking([], [], similarity) == ([], [])


@pytest.mark.parametrize(
    "hypotheses, neighbors, message",
    [
        ([[["a"]]], [[0], [0]], "of 1 images, neighbours of 2"),
        ([[["a"]], []], [[0], [0]], "0 hypotheses .* image 1"),
        ([[["a"]]], [[]], "0 neighbours for image 0"),
        ([[["a"]]], [[2]], "training images from 0 to 1"),
        ([["a"]], [[0]], "lists of tokens"),
    ],
)
def test_reranking_needs_hypotheses_and_known_neighbors_of_every_image(
    hypotheses, neighbors, message
):
    similarity = CaptionSimilarity([["a"], ["b"]], [0, 1])
    with pytest.raises(ValueError, match=message):
        consensus_reranking(hypotheses, neighbors, similarity)


def test_an_image_without_true_captions_is_an_error():
    with pytest.raises(ValueError, match="0 true captions for image 0"):
        oracle_reranking([[["a"]]], [[]], CaptionSimilarity([["a"]], [0]))


@pytest.mark.parametrize("num_captions", [1, 4, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_nearest_captions_are_those_of_the_definition(kind, num_captions):
    random = np.random.default_rng(0)
    training = [random.choice(_WORDS, random.integers(1, 9)).tolist() for _ in range(30)]
    image_of_caption = random.permutation(np.arange(30) % 8)
    similarity = CaptionSimilarity(training, image_of_caption, kind)
    neighbors = np.array([random.permutation(8)[:3] for _ in range(6)])
    found = nearest_neighbor_captions(neighbors, similarity, num_captions)
    for image, near in enumerate(neighbors):
        rows = [row for neighbor in near for row in np.flatnonzero(image_of_caption == neighbor)]
        scores = {}
        for row in rows:
            others = [
                similarity.between([training[row]], [training[other]])[0, 0]
                for other in rows
                if other != row
            ]
            scores[row] = np.mean(sorted(others, reverse=True)[:num_captions])
        assert found.scores[image] == pytest.approx(max(scores.values()))
        assert scores[found.captions[image]] == pytest.approx(max(scores.values()))


def test_a_caption_does_not_agree_with_itself_but_with_its_repetition():
    training = [
        "a man rides a bus",
        "two red dogs run home",
        "two red dogs run home",
        "a cat sits in a tree",
    ]
    similarity = CaptionSimilarity([caption.split() for caption in training], [0, 1, 2, 3])
    # Alone every caption agrees best with itself: that says nothing. Said twice it does.
    assert nearest_neighbor_captions([[0, 3]], similarity, 1).captions.tolist() == [0]
    found = nearest_neighbor_captions([[0, 1, 2, 3]], similarity, 1)
    assert found.captions.tolist() == [1]
    assert found.scores[0] == pytest.approx(10.0)


def test_of_equal_captions_that_of_the_nearer_image_is_the_answer():
    similarity = CaptionSimilarity([["a", "dog"], ["a", "dog"], ["cat"]], [0, 1, 2])
    assert nearest_neighbor_captions([[1, 0], [0, 1]], similarity).captions.tolist() == [1, 0]


def test_a_single_caption_is_the_answer_with_score_zero():
    similarity = CaptionSimilarity([["a", "dog"], ["cat"]], [0, 1])
    found = nearest_neighbor_captions([[1]], similarity)
    assert found.captions.tolist() == [1] and found.scores.tolist() == [0.0]


@pytest.mark.parametrize("neighbors, num_captions", [([[]], 1), ([[2]], 1), ([[0, 1]], 0)])
def test_nearest_captions_need_neighbors_among_the_training_images_and_an_m(
    neighbors, num_captions
):
    similarity = CaptionSimilarity([["a"], ["b"]], [0, 1])
    with pytest.raises(ValueError, match="Expected .* Received"):
        nearest_neighbor_captions(neighbors, similarity, num_captions)


@pytest.mark.parametrize("block_bytes", [1, 20_000, 1 << 26])
@pytest.mark.parametrize("kind", KINDS)
def test_the_closest_caption_has_the_largest_similarity(kind, block_bytes):
    training = random_captions(np.random.default_rng(0), 50)
    similarity = CaptionSimilarity(training, np.arange(50) // 5, kind)
    captions = random_captions(np.random.default_rng(1), 20)
    expected = similarity.between(captions, training)
    found = closest_captions(captions, similarity, block_bytes)
    np.testing.assert_allclose(found.similarities, expected.max(axis=1), atol=1e-12)
    np.testing.assert_allclose(
        expected[np.arange(20), found.captions], found.similarities, atol=1e-12
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_caption_finds_itself_or_its_first_repetition(kind):
    training = [
        caption for caption in random_captions(np.random.default_rng(2), 60) if len(caption) > 3
    ]
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
    similarity = CaptionSimilarity(
        random_captions(np.random.default_rng(3), 3000), np.arange(3000), kind
    )
    captions = random_captions(np.random.default_rng(4), 300)
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
