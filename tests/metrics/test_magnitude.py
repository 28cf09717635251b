"""Word magnitudes by hand."""

import numpy as np
import pytest

from vsa_tf.metrics.magnitude import WordMagnitudes, word_magnitude_table


def filled():
    """Lengths: word 1 has 5 and 1, word 2 has 3 twice, word 4 has 10."""
    magnitudes = WordMagnitudes(5)
    magnitudes.add(np.array([[3, 4], [0, 3]], np.float32), [1, 2])
    magnitudes.add(np.array([[1, 0], [6, 8], [3, 0]], np.float32), [1, 4, 2])
    return magnitudes


def test_averages_accumulate_over_batches():
    np.testing.assert_allclose(filled().averages(), [np.nan, 3, 3, np.nan, 10])
    assert filled().counts.tolist() == [0, 2, 2, 0, 1]


def test_smallest_and_largest_skip_unseen_and_rare_words():
    assert [word.word_id for word in filled().smallest(5)] == [1, 2, 4]
    assert [word.word_id for word in filled().largest(2)] == [4, 1]
    assert [word.word_id for word in filled().largest(5, min_count=2)] == [1, 2]
    assert filled().largest(1)[0] == (4, 10.0, 1)


def test_an_empty_batch_changes_nothing():
    magnitudes = filled()
    magnitudes.add(np.zeros((0, 2), np.float32), [])
    np.testing.assert_array_equal(magnitudes.averages(), filled().averages())


def test_half_precision_vectors_do_not_overflow():
    magnitudes = WordMagnitudes(1)
    magnitudes.add(np.full((1, 4), 500, np.float16), [0])
    assert magnitudes.averages()[0] == pytest.approx(1000)


@pytest.mark.parametrize(
    "vectors, word_ids",
    [([[1.0, 2.0]], [5]), ([[1.0, 2.0]], [-1]), ([[1.0, 2.0]], [1, 2]), ([[np.nan, 2.0]], [1])],
)
def test_bad_batches_are_errors_and_leave_the_sums_alone(vectors, word_ids):
    magnitudes = filled()
    with pytest.raises(ValueError, match="Expected .* Received"):
        magnitudes.add(vectors, word_ids)
    assert magnitudes.counts.sum() == 5


def test_the_table_names_words_that_are_not_rare():
    lengths, word_ids = [1.0] * 5 + [9.0] * 4 + [3.0] * 5 + [4.0], [2] * 5 + [1] * 4 + [0] * 6
    table = word_magnitude_table(np.array(lengths)[:, None], word_ids, ["dog", "rare", "a"])
    # "dog" has five of length 3 and one of 4; "rare" occurs four times.
    dog = {"word": "dog", "magnitude": pytest.approx(19 / 6), "count": 6}
    assert table == {
        "smallest": [{"word": "a", "magnitude": 1.0, "count": 5}, dog],
        "largest": [dog, {"word": "a", "magnitude": 1.0, "count": 5}],
    }


def test_the_table_holds_forty_words():
    word_ids = np.repeat(np.arange(50), 5)
    table = word_magnitude_table(1.0 + word_ids[:, None], word_ids, [f"w{i}" for i in range(50)])
    assert [row["word"] for row in table["smallest"]] == [f"w{i}" for i in range(40)]
    assert [row["word"] for row in table["largest"]] == [f"w{i}" for i in range(49, 9, -1)]
