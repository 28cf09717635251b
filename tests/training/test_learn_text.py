import dataclasses

import pytest

from vsa_tf.models.captioning.settings import DefragSettings
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings
from vsa_tf.training.learn_text import learn_text


@pytest.mark.parametrize(
    ("share", "names"),
    [(0.07, ("det", "amod")), (0.071, ("det",)), (0.0, ("det", "amod")), (1.0, ())],
)
def test_types_below_a_share_of_all_relations_are_one(share, names):
    # 0.07 times 100 is 7.000000000000001 in floating point.
    relations = [(("det", "dog", "a"),)] * 93 + [(), (("amod", "dog", "red"),) * 7]
    settings = Settings(
        DataSettings(),
        OptimizerSettings(),
        TrainingSettings(),
        dataclasses.replace(DefragSettings(), min_relation_share=share),
    )
    types = learn_text(["a red dog"] * 95, settings, relations).relation_types
    assert types.names[2:] == names
    assert sum(types.counts) == 100
