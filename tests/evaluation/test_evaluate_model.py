import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.evaluate_model import evaluate_model, make_evaluator
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions
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


@pytest.mark.parametrize(
    ("model", "values", "asked", "message"),
    [
        ("alignment", {}, {"beam_size": 3}, "^beam_size is not for the model alignment; leave"),
        ("alignment", {}, {"captions": CaptionOptions(("beam",))}, "^caption_method is not for"),
        ("alignment", {}, {"captions": CaptionOptions(retrieval="exact")}, "^retrieval is not for"),
        ("alignment", {}, {"shortlist_model": "."}, "^shortlist_model is not for"),
        ("alignment", {}, {"output": "nowhere/metrics.json"}, "^output=.*no such directory"),
        ("defrag", {}, {"query": ["dog"]}, "^query is of words, and this defrag model reads"),
        ("m_rnn", {}, {"query": ["dog"]}, "^query is not for the model m_rnn"),
        ("m_rnn", {}, {"word_magnitudes": "words.json"}, "^word_magnitudes is not for"),
        ("m_rnn", {}, {"phrase_model": "."}, "^phrase_model is not for"),
        ("m_rnn", {}, {"beam_size": 0}, "^Expected beam_size of 1 or more. Received: beam_size=0"),
        (
            "m_rnn",
            {},
            {"captions": CaptionOptions(("best",))},
            "caption_method to be one of greedy, .*: best$",
        ),
        (
            "m_rnn",
            {},
            {"captions": CaptionOptions(retrieval="shortlist")},
            "^retrieval=shortlist needs shortlist_model$",
        ),
        (
            "m_rnn",
            {"variant": "rnn_base"},
            {"captions": CaptionOptions(retrieval="exact")},
            "^variant=rnn_base sees no image",
        ),
        (
            "m_rnn",
            {},
            {"retrieval": RetrievalOptions(iapr_tc12=True)},
            "^protocol=iapr_tc12 needs retrieval=exact",
        ),
        ("embedding", {}, {"retrieval": RetrievalOptions(None)}, "^phrase_weight needs phrase_mod"),
        ("embedding", {}, {"retrieval": RetrievalOptions(2)}, "number from 0 to 1.*Received: 2$"),
        ("embedding", {}, {"baseline": "mean"}, "baseline to be one of cca. Received: mean"),
        ("embedding", {}, {"baseline": "cca", "phrase_model": "."}, "exclude each other"),
        ("embedding", {"text": "gru"}, {"baseline": "cca"}, "^baseline=cca needs a fixed text"),
        (
            "embedding",
            {"task": "region_phrase"},
            {"options": EvaluationOptions(fold_size=5)},
            "^fold_size is of retrieval",
        ),
    ],
)
def test_what_a_model_has_no_use_for_is_refused_before_it_is_loaded(
    tmp_path, monkeypatch, model, values, asked, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(Settings.of(model, **values).to_json({}))
    with pytest.raises(VsaTfError, match=message):
        evaluate_model(tmp_path, **asked)


def test_what_is_for_the_model_is_not_refused(tmp_path):
    # It goes on to the weights, which are not there.
    (tmp_path / "config.json").write_text(Settings.of("m_rnn").to_json({}))
    captions = CaptionOptions(("beam", "oracle_bleu"), num_hypotheses=3)
    with pytest.raises(VsaTfError, match="holds no checkpoint yet"):
        evaluate_model(tmp_path, captions=captions, beam_size=2)
