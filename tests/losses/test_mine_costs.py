import numpy as np
import pytest
import tensorflow as tf

from vsa_tf.losses.mine_costs import mine_costs

COSTS = np.float32([[0, 3, 1, 2], [0, 0, 0, 0], [5, 5, 0, 1], [0.5, 0, 4, 0]])


@pytest.mark.parametrize(
    ("negatives", "top_k", "expected"),
    [
        ("sum", 1, [6, 0, 11, 4.5]),
        ("hardest", 3, [3, 0, 5, 4]),
        ("top_k", 1, [3, 0, 5, 4]),
        ("top_k", 2, [5, 0, 10, 4.5]),
        ("top_k", 10, [6, 0, 11, 4.5]),
    ],
)
def test_mining(negatives, top_k, expected):
    np.testing.assert_array_equal(mine_costs(COSTS, negatives, top_k), expected)


@pytest.mark.parametrize("negatives", ["sum", "hardest", "top_k"])
def test_the_batch_size_may_be_unknown(negatives):
    function = tf.function(
        lambda costs: mine_costs(costs, negatives, 2), input_signature=[tf.TensorSpec([None, None])]
    )
    np.testing.assert_array_equal(function(COSTS), mine_costs(COSTS, negatives, 2))


def test_other_negatives_are_refused():
    with pytest.raises(ValueError, match="Expected negatives to be one of.*Received: 'all'"):
        mine_costs(COSTS, "all")
