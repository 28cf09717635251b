import numpy as np
import pytest

from tests.inference.given_model import GivenModel
from vsa_tf.errors import VsaTfError
from vsa_tf.search_index.embedded import Embedded


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
