"""The nearest-neighbour captioner against plain loops and by hand."""

import numpy as np
import pytest

from vsa_tf.metrics.caption_similarity import KINDS, CaptionSimilarity
from vsa_tf.retrieval.nearest_neighbor_captions import nearest_neighbor_captions

_WORDS = "a a the dog cat runs sits on in grass".split()


@pytest.mark.parametrize("num_captions", [1, 4, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_the_definition(kind, num_captions):
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
def test_bad_arguments_are_errors(neighbors, num_captions):
    similarity = CaptionSimilarity([["a"], ["b"]], [0, 1])
    with pytest.raises(ValueError, match="Expected .* Received"):
        nearest_neighbor_captions(neighbors, similarity, num_captions)
