import numpy as np
import pytest

from tests.inference.given_model import GivenModel
from tests.search_index.given_embeddings import images_with_regions, sentences_with_words, unit
from vsa_tf.errors import VsaTfError
from vsa_tf.search_index.embedded import Embedded, best_boxes, entry_scores


def test_images_of_regions_keep_boxes_and_counts():
    regions = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    model = GivenModel(
        {
            "embed_image": lambda image_bytes: {
                "regions": regions,
                "boxes": np.zeros((2, 3, 4)),
                "num_regions": np.array([3, 1]),
            }
        }
    )
    images = Embedded.of_images(model, [b"a", b"b"])
    assert (len(images), images.has_regions, images.has_words) == (2, True, False)
    np.testing.assert_array_equal(images.summaries(), regions[:, 0])
    np.testing.assert_array_equal(images.region_mask, [[True] * 3, [True, False, False]])
    np.testing.assert_array_equal(images.take([1]).vectors, regions[1:])


def test_words_are_packed_and_sum_to_the_summary():
    words = np.float32([[[1, 2], [3, 4], [9, 9]], [[5, 6], [7, 8], [10, 20]]])
    model = GivenModel(
        {
            "embed_sentence": lambda sentences: {
                "words": words,
                "tokens": None,
                "num_words": np.array([2, 3]),
            }
        }
    )
    sentences = Embedded.of_sentences(model, ["a b", "c d e"])
    assert (len(sentences), sentences.has_regions, sentences.has_words) == (2, False, True)
    np.testing.assert_array_equal(sentences.vectors, [[1, 2], [3, 4], [5, 6], [7, 8], [10, 20]])
    np.testing.assert_array_equal(sentences.summaries(), [[1 + 3, 2 + 4], [22, 34]])


def test_a_single_vector_is_its_own_summary():
    model = GivenModel({"embed_sentence": {"embedding": np.float32([[3, 4]])}})
    sentences = Embedded.of_sentences(model, ["a", "b"])
    assert (len(sentences), sentences.has_words, sentences.has_regions) == (2, False, False)
    np.testing.assert_array_equal(sentences.summaries(), [[3, 4], [3, 4]])


def test_a_diverged_model_is_refused():
    model = GivenModel({"embed_image": {"embedding": np.float32([[np.nan, 0]])}})
    with pytest.raises(VsaTfError, match="diverged"):
        Embedded.of_images(model, [b"a"])


def _words(sentences, row):
    ends = np.cumsum(sentences.counts)
    return sentences.vectors[ends[row] - sentences.counts[row] : ends[row]]


def _regions(images, row):
    return images.vectors[row, : images.counts[row]]


def _one_sentence(sentences, row):
    return Embedded("sentences", _words(sentences, row), sentences.counts[row : row + 1])


def _distance(x, y):
    """As of `two_branch_loss.pairwise_distances`."""
    return np.sqrt(np.square(x - y).sum(axis=-1) + 1e-4)


@pytest.mark.parametrize("score", ["max_sum", "max_mean"])
def test_images_and_sentences_score_by_the_best_region_of_each_word(score):
    rng = np.random.default_rng(0)
    images, sentences = images_with_regions(rng, 5), sentences_with_words(rng, 4)
    combine = np.sum if score == "max_sum" else np.mean
    expected = np.array(
        [
            [combine((_words(sentences, l) @ _regions(images, k).T).max(axis=1)) for l in range(4)]
            for k in range(5)
        ]
    )
    for l in range(4):
        np.testing.assert_allclose(
            entry_scores(_one_sentence(sentences, l), images, score), expected[:, l], rtol=1e-5
        )
    for k in range(5):
        np.testing.assert_allclose(
            entry_scores(images.take([k]), sentences, score), expected[k], rtol=1e-5
        )


def test_two_of_a_kind_score_by_the_cosine_of_frames_or_of_summed_words():
    rng = np.random.default_rng(1)
    images, sentences = images_with_regions(rng, 5), sentences_with_words(rng, 4)

    def cosine(x, y):
        return x @ y / np.sqrt((x @ x) * (y @ y))

    frames = images.vectors[:, 0]
    np.testing.assert_allclose(
        entry_scores(images.take([2]), images, "max_sum"),
        [cosine(frames[2], frame) for frame in frames],
        rtol=1e-5,
    )
    sums = [_words(sentences, row).sum(axis=0) for row in range(4)]
    np.testing.assert_allclose(
        entry_scores(_one_sentence(sentences, 1), sentences, "max_mean"),
        [cosine(sums[1], other) for other in sums],
        rtol=1e-5,
    )


def test_single_vectors_score_by_their_distance_whatever_they_are():
    rng = np.random.default_rng(2)
    vectors, query = unit(rng, 7), unit(rng, 1)
    for kinds in (("images", "sentences"), ("sentences", "images"), ("images", "images")):
        scores = entry_scores(Embedded(kinds[0], query), Embedded(kinds[1], vectors), "distance")
        np.testing.assert_allclose(scores, -_distance(query, vectors), atol=1e-5)


def test_phrases_score_by_the_nearest_region():
    rng = np.random.default_rng(3)
    counts = np.int32([3, 1])
    images = Embedded("images", unit(rng, 2, 3), counts, np.zeros((2, 3, 4), np.float32))
    phrases = Embedded("sentences", unit(rng, 4))
    expected = np.array(
        [
            [
                -min(_distance(region, phrase) for region in _regions(images, k))
                for phrase in phrases.vectors
            ]
            for k in range(2)
        ]
    )
    for l in range(4):
        query = Embedded("sentences", phrases.vectors[l : l + 1])
        np.testing.assert_allclose(
            entry_scores(query, images, "distance"), expected[:, l], atol=1e-5
        )
    for k in range(2):
        np.testing.assert_allclose(
            entry_scores(images.take([k]), phrases, "distance"), expected[k], atol=1e-5
        )


def test_equal_vectors_rounded_to_float16_are_at_the_smallest_distance():
    vectors = unit(np.random.default_rng(4), 50)
    for row in range(50):
        scores = entry_scores(
            Embedded("images", vectors[row : row + 1]),
            Embedded("images", vectors.astype(np.float16)),
            "distance",
        )
        assert scores[row] == pytest.approx(-0.01, abs=0.04)
        assert scores.argmax() == row


def test_the_box_is_of_the_one_region_for_all_words():
    # Word by word regions 0 and 1 win, 3 + 3; for both together region 2, 2 + 2, beats 3 + 0. No
    # two overlap.
    regions = np.float32([[[3, 0], [0, 3], [2, 2], [9, 9]]])
    boxes = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    images = Embedded("images", regions, np.int32([3]), boxes)
    query = Embedded("sentences", np.float32([[1, 0], [0, 1]]), np.int32([2]))
    assert entry_scores(query, images, "max_sum").tolist() == [6]
    np.testing.assert_array_equal(best_boxes(query, images, "max_sum"), boxes[:, 2])


def test_the_box_agrees_with_those_that_fit():
    # A face fits best, then the body, then the man about both; the last is another man.
    vectors = np.float32([[[5], [4], [3.5], [0]]])
    boxes = [[0.1, 0.4, 0.3, 0.6], [0.3, 0.3, 0.8, 0.7], [0.1, 0.3, 0.8, 0.7], [0, 0.8, 0.8, 1]]
    boxes = np.float32([boxes])
    images = Embedded("images", vectors, np.int32([4]), boxes)
    query = Embedded("sentences", np.float32([[1]]), np.int32([1]))
    for score, region in (("max_sum", 2), ("distance", 0)):
        np.testing.assert_array_equal(best_boxes(query, images, score)[0], boxes[0, region])
