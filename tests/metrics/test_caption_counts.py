"""Novel and distinct captions by hand."""

import pytest

from vsa_tf.metrics.novelty import novelty


def test_novel_and_distinct_captions_are_counted():
    training = [["a", "dog"], ["two", "cats"]]
    found = novelty([["a", "dog"], ("a", "dog"), ["dog"], ["dog", "a"], ["a dog"]], training)
    # "a dog" twice is known; other words, another order or another tokenisation are not.
    assert found == (5, 3, 4)
    assert found.novel_share == 0.6 and found.distinct_share == 0.8


def test_without_training_captions_all_are_novel():
    assert novelty([["a"], ["a"]], []) == (2, 2, 1)


def test_an_empty_caption_is_novel_unless_there_is_one_in_training():
    assert novelty([[]], [["a"]]).num_novel == 1
    assert novelty([[]], [[]]).num_novel == 0


def test_a_model_that_says_one_caption_is_seen():
    assert novelty([["a", "dog"]] * 7, [["cat"]]).num_distinct == 1


@pytest.mark.parametrize("captions, training", [([], [["a"]]), (["a dog"], []), ([["a"]], ["a"])])
def test_bad_captions_are_errors(captions, training):
    with pytest.raises(ValueError, match="Expected .* Received"):
        novelty(captions, training)
