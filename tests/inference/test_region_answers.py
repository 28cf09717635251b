"""What is answered of regions: the same from a model directory and in a graph."""

import numpy as np
import tensorflow as tf

from vsa_tf.inference.answers import graph_region_answers
from vsa_tf.inference.live_region_answers import live_region_answers

MASK = np.array([[True, True, False], [True, False, False]])
BATCH = {"region_boxes": np.arange(24, dtype="float32").reshape(2, 3, 4) / 24, "region_mask": MASK}
# What stands at padding must not matter.
ANSWERS = {
    "regions": np.arange(1, 13, dtype="float32").reshape(2, 3, 2),
    "log_prob": np.float32([[-1, -2, np.nan], [-3, np.nan, np.nan]]),
    "tokens": np.array([list("abx"), list("cyz")], object)[..., None],
}
EXPECTED = {
    "regions": [[[1, 2], [3, 4], [0, 0]], [[7, 8], [0, 0], [0, 0]]],
    "log_prob": [[-1, -2, 0], [-3, 0, 0]],
    "tokens": [[["a"], ["b"], [""]], [["c"], [""], [""]]],
    "boxes": BATCH["region_boxes"],
    "num_regions": [2, 1],
}


def _check(found):
    assert found.keys() == EXPECTED.keys()
    for name, value in EXPECTED.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert found["regions"].dtype == np.float32
    assert found["num_regions"].dtype == np.int32


def test_live_answers_are_empty_at_padding():
    _check(live_region_answers(BATCH, {name: value[MASK] for name, value in ANSWERS.items()}))


def test_answers_in_a_graph_are_empty_at_padding_whatever_the_number_of_rows():
    @tf.function(
        input_signature=[
            {
                "region_boxes": tf.TensorSpec([None, 3, 4]),
                "region_mask": tf.TensorSpec([None, 3], tf.bool),
            },
            {
                "regions": tf.TensorSpec([None, 3, 2]),
                "log_prob": tf.TensorSpec([None, 3]),
                "tokens": tf.TensorSpec([None, 3, 1], tf.string),
            },
        ]
    )
    def answers(batch, values):
        return graph_region_answers(batch, values)

    found = {name: value.numpy() for name, value in answers(BATCH, ANSWERS).items()}
    _check({**found, "tokens": np.vectorize(bytes.decode)(found["tokens"])})
