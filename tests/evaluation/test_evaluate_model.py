import pytest

from vsa_tf.evaluation.evaluate_model import make_evaluator
from vsa_tf.models.captioning.settings import CaptionerSettings
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_an_evaluator(name):
    model = MODELS[name].settings()
    settings = Settings(DataSettings(), OptimizerSettings(), TrainingSettings(model=name), model)
    evaluator = make_evaluator(settings)
    assert all(hasattr(evaluator, method) for method in ("evaluate", "selection_score", "summary"))
    writes_captions = isinstance(model, CaptionerSettings)
    assert hasattr(evaluator, "decoder") == writes_captions
    if writes_captions:
        assert evaluator.settings is model
