import dataclasses
import re

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.check_options import given_directories
from vsa_tf.evaluation.evaluate_model import evaluate_model, make_evaluator
from vsa_tf.evaluation.evaluation import CaptionOptions, EvaluationOptions, RetrievalOptions
from vsa_tf.models.captioning.settings import CaptionerSettings
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings

GIVEN_BOXES = CaptionOptions(region_boxes="given")
MEAN_IMAGE = CaptionOptions(retrieval="exact", normalization="mean_image")
CSLS = RetrievalOptions(rescoring=("csls",))
INVERTED_AT_0 = RetrievalOptions(rescoring=("inverted_softmax",), rescoring_temperature=0.0)


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
            {"length_normalization": False},
            "^length_normalization needs caption_method=",
        ),
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
        ("alignment", {}, {"neighbor_model": "."}, "^neighbor_model is not for the model alignm"),
        ("m_rnn", {}, {"neighbor_model": "."}, "^Expected neighbor_model .* the model m_rnn$"),
        (
            "m_rnn",
            {},
            {"neighbor_model": ".", "captions": CaptionOptions(neighbor_features="refined")},
            "^neighbor_features and neighbor_model exclude each other$",
        ),
        (
            "m_rnn",
            {},
            {"neighbor_model": ".", "captions": GIVEN_BOXES},
            "^neighbor_model tells similar photographs; this captions regions$",
        ),
        (
            "dvsa_rnn",
            {"snippets": "."},
            {"neighbor_model": "."},
            "^neighbor_model tells similar photographs; this captions regions$",
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
        ("alignment", {}, {"captions": GIVEN_BOXES}, "^region_boxes is not for the model alig"),
        ("m_rnn", {}, {"captions": CaptionOptions(region_boxes="all")}, "of given, detected. R"),
        ("m_rnn", {"image_context": "mean"}, {"captions": GIVEN_BOXES}, "^region_boxes shows one"),
        (
            "m_rnn",
            {},
            {"captions": dataclasses.replace(GIVEN_BOXES, retrieval="exact")},
            "^region_boxes is of captions",
        ),
        (
            "m_rnn",
            {},
            {"captions": dataclasses.replace(GIVEN_BOXES, region_overlap=0.3)},
            "^region_overlap needs region_boxes=detected",
        ),
        (
            "m_rnn",
            {},
            {"captions": CaptionOptions(region_boxes="detected", region_overlap=50.0)},
            "^Expected region_overlap above 0 and at most 1. Received: 50.0$",
        ),
        *(
            ("m_rnn", {}, {"captions": CaptionOptions(**{name: value})}, f"^{name} needs {needs}")
            for name, value, needs in (
                ("normalization", "mean_image", "retrieval=exact or"),
                ("num_normalization_images", 5, "retrieval=exact or"),
                ("shortlist_size", 5, "retrieval=shortlist$"),
                ("num_hypotheses", 5, "caption_method=beam"),
                ("num_neighbors", 5, "caption_method=consensus or nearest$"),
                ("neighbor_features", "refined", "caption_method=consensus or nearest$"),
                ("neighbor_distance", "euclidean", "caption_method=consensus or nearest$"),
            )
        ),
        (
            "m_rnn",
            {"image_context": "attention"},
            {"captions": MEAN_IMAGE},
            "^normalization=mean_image needs images of one vector. .* image_context=attention",
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
        ("embedding", {"task": "region_phrase"}, {"retrieval": CSLS}, "^rescoring is of retrieval"),
        ("m_rnn", {}, {"retrieval": CSLS}, "^rescoring needs retrieval=exact of a caption"),
        (
            "alignment",
            {},
            {"retrieval": RetrievalOptions(rescoring=("best",))},
            "rescoring to be one of csls, inverted_softmax. Received: best$",
        ),
        (
            "alignment",
            {},
            {"retrieval": RetrievalOptions(rescoring_temperature=2.0)},
            "^rescoring_temperature needs rescoring=inverted_softmax$",
        ),
        (
            "alignment",
            {},
            {"retrieval": INVERTED_AT_0},
            "^Expected rescoring_temperature above 0. Received: 0.0$",
        ),
        (
            "alignment",
            {},
            {"retrieval": RetrievalOptions(weights="tuned")},
            "^weights are of several models: give model_dir more than once$",
        ),
        ("alignment", {}, {"data_dir": ["a", "b"]}, "^Expected data_dir once, or once for each of"),
    ],
)
def test_what_a_model_has_no_use_for_is_refused_before_it_is_loaded(
    tmp_path, monkeypatch, model, values, asked, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(Settings.of(model, **values).to_json({}))
    with pytest.raises(VsaTfError, match=message):
        evaluate_model(tmp_path, **asked)


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("alignment", {}, "^neighbor_model needs caption_method=consensus or nearest$"),
        ("embedding", {}, "^neighbor_model needs caption_method=consensus or nearest$"),
        ("embedding", {"task": "region_phrase"}, "Received: .*other with the model embedding of p"),
        ("similarity", {}, "Received: .*other with the model similarity$"),
    ],
)
def test_what_tells_similar_photographs_has_vectors_of_them_and_is_read(
    tmp_path, model, values, message
):
    for name, settings in (("m", Settings.of("m_rnn")), ("other", Settings.of(model, **values))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(settings.to_json({}))
    with pytest.raises(VsaTfError, match=message):
        evaluate_model(tmp_path / "m", neighbor_model=tmp_path / "other")


@pytest.mark.parametrize(
    ("models", "asked", "message"),
    [
        ((("m_rnn", {}),), {}, "Received: .*1 with the model m_rnn, a caption generator: .*=exact"),
        (
            (("m_rnn", {}),),
            {"captions": CaptionOptions(retrieval="shortlist")},
            "probabilities of all pairs need retrieval=exact$",
        ),
        (
            (("m_rnn", {"variant": "rnn_base"}),),
            {"captions": CaptionOptions(retrieval="exact")},
            "which knows no probability of a sentence given a photograph$",
        ),
        (
            (("dvsa_rnn", {"snippets": "."}),),
            {"captions": CaptionOptions(retrieval="exact")},
            "which knows no probability of a sentence given a photograph$",
        ),
        (
            (("similarity", {"task": "region_phrase"}),),
            {},
            "the model similarity, which tells pairs of regions and phrases, and no distances$",
        ),
        (
            (("embedding", {}),),
            {"captions": CaptionOptions(retrieval="exact")},
            "^retrieval is not",
        ),
        (
            (("m_rnn", {"image_context": "attention"}),),
            {"captions": MEAN_IMAGE},
            "^normalization=mean_image needs images of one vector",
        ),
        ((("embedding", {}),), {"query": ["dog"]}, "^query is not for these models together"),
        ((("embedding", {}),), {"baseline": "cca"}, "^baseline is not for these models together"),
        ((("embedding", {}),), {"phrase_model": "."}, "^phrase_model is not for these models"),
        (
            (("embedding", {}),),
            {"retrieval": RetrievalOptions(iapr_tc12=True)},
            "^protocol is not for these models together; leave it out$",
        ),
        ((("embedding", {}),), {"data_dir": ["a", "b", "c"]}, "for each of 2 model_dir.*: 3 of"),
        *(
            ((("embedding", {}),), {"retrieval": RetrievalOptions(weights=weights)}, message)
            for weights, message in (
                ((0.6,), "a number for each of 2 model_dir, .*not all 0. Received: 0.6$"),
                ((1, 2, 3), "Received: 1,2,3$"),
                ((0.0, 0.0), "Received: 0.0,0.0$"),
                ((-1, 2), "Received: -1,2$"),
                ((float("nan"), 2), "Received: nan,2$"),
                ((float("inf"), 2), "Received: inf,2$"),
                ("best", "Expected weights to be equal, tuned, or .*Received: best$"),
            )
        ),
    ],
)
def test_what_several_models_cannot_do_is_refused_before_they_are_loaded(
    tmp_path, models, asked, message
):
    for number, (model, values) in enumerate((("alignment", {}), *models)):
        (tmp_path / str(number)).mkdir()
        settings = Settings.of(model, **values)
        (tmp_path / str(number) / "config.json").write_text(settings.to_json({}))
    with pytest.raises(VsaTfError, match=message):
        evaluate_model(sorted(tmp_path.iterdir()), **asked)


def test_a_model_twice_on_the_same_records_is_refused_however_it_is_spelt(tmp_path):
    (tmp_path / "a").mkdir()
    twice = [f"{tmp_path}/a", f"{tmp_path}/b/../a/"]
    message = f"^model_dir={re.escape(twice[1])} is the same directory as model_dir={twice[0]}: "
    for data_dir in (None, tmp_path, [tmp_path, f"{tmp_path}/."]):
        with pytest.raises(VsaTfError, match=message):
            evaluate_model(twice, data_dir)
    assert given_directories(twice, ["one", "other"]) == (twice, ["one", "other"])


def test_no_model_is_refused():
    with pytest.raises(VsaTfError, match="^model_dir is missing"):
        evaluate_model([])


def test_what_is_for_the_model_is_not_refused(tmp_path):
    # It goes on to the weights, which are not there.
    (tmp_path / "config.json").write_text(Settings.of("m_rnn").to_json({}))
    captions = CaptionOptions(("beam", "oracle_bleu"), num_hypotheses=3)
    with pytest.raises(VsaTfError, match="holds no checkpoint yet"):
        evaluate_model(tmp_path, captions=captions, beam_size=2)
