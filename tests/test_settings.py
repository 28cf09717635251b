import json

import pytest

from vsa_tf.errors import VsaTfError
from vsa_tf.models.model_table import MODELS
from vsa_tf.models.network_settings import AUTO
from vsa_tf.settings import Settings, check
from vsa_tf.training.run_directory import settings_difference


def _settings(tmp_path, model="alignment", **values):
    places = {"data_dir": str(tmp_path), "model_dir": str(tmp_path / "model")}
    return Settings.of(model, **{**places, **values})


def test_json_round_trips(tmp_path):
    settings = _settings(
        tmp_path, joint_size=7, dropout=0.25, optimizer="adam", num_epochs=3, frame_context=True
    )
    (tmp_path / "config.json").write_text(settings.to_json({"num_regions": 5}), encoding="utf-8")
    assert Settings.load(tmp_path) == settings
    assert Settings.load_inputs(tmp_path) == {"num_regions": 5}


def test_vectors_of_a_package_set_the_width_of_words(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    settings = _settings(tmp_path, word_vectors="wordllama")
    assert settings.model.word_embedding_size == 256
    check(settings)
    with pytest.raises(VsaTfError, match="expected word_embedding_size=256. Received: .*=300"):
        check(_settings(tmp_path, word_vectors="wordllama", word_embedding_size=300))


def test_vectors_of_a_package_that_is_not_there_are_needed_by_a_new_run_alone(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings = _settings(tmp_path, word_vectors="wordllama")
    with pytest.raises(VsaTfError, match="needs the package: pip install"):
        check(settings)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "checkpoint_last.npz").touch()
    check(settings)


def test_words_go_on_from_those_of_the_start(tmp_path):
    def started(model, **values):
        settings = _settings(tmp_path, model=model, word_vectors="a.txt")
        (tmp_path / "config.json").write_text(settings.to_json({}), encoding="utf-8")
        return Settings.of(start_from=tmp_path, **values).model.word_vectors

    assert started("alignment") == "a.txt"  # of new words
    with pytest.raises(VsaTfError, match="b.txt: words go on from what start_from has"):
        started("alignment", word_vectors="b.txt")
    assert started("embedding") == ""  # which takes over the sentence feature


@pytest.mark.parametrize("model", MODELS)
def test_settings_of_every_model_round_trip(tmp_path, model):
    settings = _settings(tmp_path, model=model, dropout=0.25, num_regions=1)
    assert type(settings.model) is MODELS[model].settings
    assert Settings.from_json(settings.to_json({})) == settings


def test_a_config_without_the_sizes_of_the_records_is_refused(tmp_path):
    settings = _settings(tmp_path)
    (tmp_path / "config.json").write_text(settings.to_json({"num_regions": 2}), encoding="utf-8")
    assert Settings.load_inputs(tmp_path) == {"num_regions": 2}
    (tmp_path / "config.json").write_text(settings.to_json(None), encoding="utf-8")
    with pytest.raises(VsaTfError, match="it has no inputs"):
        Settings.load_inputs(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected JSON in .*config.json"),
        ("[1]", "Expected a JSON object in .*config.json"),
        ("{}", "config.json is not a settings file of this version: no entry 'training'"),
        ('{"training": {"model": "other"}}', "config.json is not a settings file of this version"),
    ],
)
def test_a_config_of_another_kind_is_refused(tmp_path, text, message):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(VsaTfError, match=message):
        Settings.load(tmp_path)


def test_a_config_with_an_unknown_setting_is_refused(tmp_path):
    text = _settings(tmp_path).to_json({}).replace('"joint_size"', '"joint_width"')
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(VsaTfError, match="config.json is damaged.*does not fit its checksum"):
        Settings.load(tmp_path)
    # As the message says, and as those of before there were checksums.
    values = json.loads(text)
    del values["sealed_by"], values["content_sha256"]
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(VsaTfError, match="joint_width"):
        Settings.load(tmp_path)


def test_a_missing_config_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="no readable config.json"):
        Settings.load(tmp_path / "nowhere")


def test_a_config_of_an_earlier_version_folds_letters_and_changes_no_photographs(tmp_path):
    values = json.loads(_settings(tmp_path).to_json({}))
    del values["sealed_by"], values["content_sha256"], values["training"]["start_from"]
    del values["data"]["fold_letters"], values["data"]["augmentation"]
    del values["model"]["region_dropping"], values["model"]["word_dropping"]
    values["training"]["mixed_precision"] = False
    earlier = Settings.from_json(json.dumps(values))
    assert earlier.data.fold_letters and earlier.data.augmentation == "none"
    # Such a run goes on as before, and not with another augmentation.
    folding = dict(fold_letters=True, region_dropping=0.0, word_dropping=0.0)
    assert not settings_difference(_settings(tmp_path, **folding), earlier)
    mirroring = _settings(tmp_path, augmentation="mirror", **folding)
    assert "augmentation is 'mirror' here and 'none' there" in settings_difference(
        mirroring, earlier
    )


@pytest.mark.parametrize("task", ["image_sentence", "region_phrase"])
@pytest.mark.parametrize("model", MODELS)
def test_defaults_contradict_neither_one_another_nor_a_task(tmp_path, model, task):
    two_branch = MODELS[model].settings.family == "two_branch"
    check(_settings(tmp_path, model=model, **({"task": task} if two_branch else {})))


@pytest.mark.parametrize(
    ("values", "clipping"),
    [
        ({}, (0, 0)),
        ({"negatives": "hardest"}, (0, 250)),
        ({"negatives": "hardest", "clip_value": 5.0}, (5, 0)),
        ({"clip_norm": 2.0}, (0, 2)),
        ({"negatives": "sum", "clip_norm": 0.0}, (0, 0)),
    ],
)
def test_the_kind_of_clipping_that_is_given_takes_the_place_of_the_default(values, clipping):
    optimizer = Settings.of("alignment", **values).optimizer
    assert (optimizer.clip_value, optimizer.clip_norm) == clipping


def test_a_model_that_is_gone_on_from_says_what_is_not_given(tmp_path):
    own = {"average_weights": 0.99, "clip_norm": 3.0}
    start = Settings.of("m_rnn", recurrent_size=7, max_words=9, num_epochs=3, min_count=2, **own)
    (tmp_path / "config.json").write_text(start.to_json({}), encoding="utf-8")
    settings = Settings.of(start_from=str(tmp_path), cell="gru")
    assert (settings.training.model, settings.model.recurrent_size) == ("m_rnn", 7)
    assert (settings.model.cell, settings.data.max_words) == ("gru", 9)
    assert (settings.optimizer.average_weights, settings.optimizer.clip_norm) == (0.99, 3.0)
    # What is learnt stays: smaller steps, and no warm-up of the loss.
    assert settings.optimizer.learning_rate == pytest.approx(0.0003)
    # What follows the size of the data follows that of the new ones.
    assert (settings.training.num_epochs, settings.data.min_count) == (AUTO, AUTO)
    assert Settings.of("alignment", start_from=str(tmp_path)).model.joint_size == 512
    (tmp_path / "config.json").write_text(Settings.of("alignment").to_json({}), encoding="utf-8")
    assert Settings.of(start_from=str(tmp_path)).model.hardness_warmup_epochs == 0
    # What its negatives alone read goes with them.
    start = Settings.of("embedding", negatives="top_k", margin=0.1, hidden_size=9)
    (tmp_path / "config.json").write_text(start.to_json({}), encoding="utf-8")
    for negatives, margin in (("top_k", 0.1), ("softmax", 0.05)):
        model = Settings.of(start_from=str(tmp_path), negatives=negatives).model
        assert (model.negatives, model.margin, model.hidden_size) == (negatives, margin, 9)


def test_clipping_is_taken_over_where_it_is_of_the_same_loss(tmp_path):
    def started(**values):
        optimizer = Settings.of(start_from=str(tmp_path), **values).optimizer
        return optimizer.clip_norm, optimizer.clip_value

    for negatives, other, expected in (("hardest", "softmax", 0.0), ("softmax", "hardest", 250.0)):
        start = Settings.of("alignment", negatives=negatives)
        (tmp_path / "config.json").write_text(start.to_json({}), encoding="utf-8")
        assert started() == (250.0 - expected, 0.0)
        assert started(negatives=other) == (expected, 0.0)
        assert started(clip_value=5.0) == (0.0, 5.0)


def test_a_start_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="start_from=nowhere is no model_dir of a trained model"):
        check(_settings(tmp_path, start_from="nowhere"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "defrag", "tokenizer": "wordpiece"}, "need tokenizer=word.*wordpiece"),
        ({"fragments": "dependencies", "tokenizer": "wordpiece"}, "need tokenizer=word"),
        ({"fragments": "dependencies", "cell": "gru"}, "cell=gru has no meaning"),
        (
            {"model": "defrag", "objective": "fragment", "fragment_start_epochs": 1.0},
            "fragment_start_epochs has no meaning with objective=fragment",
        ),
        (
            {"model": "defrag", "objective": "global", "multiple_instance_start_epochs": 1.0},
            "multiple_instance_start_epochs has no meaning with objective=global",
        ),
        (
            {"model": "defrag", "objective": "global", "fragment_balance": "batch"},
            "fragment_balance has no meaning with objective=global",
        ),
    ],
)
def test_contradictions_with_dependency_relations_are_refused(tmp_path, values, message):
    with pytest.raises(VsaTfError, match=message):
        check(_settings(tmp_path, **values))


def test_whole_settings_pass(tmp_path):
    check(_settings(tmp_path))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_dir": ""}, "model_dir is missing"),
        ({"data_dir": ""}, "data_dir is missing"),
        ({"data_dir": "nowhere"}, "data_dir=nowhere is not a directory"),
        ({"clip_value": 1.0, "clip_norm": 1.0}, "clip_value and clip_norm"),
        ({"word_vectors": "wordlama"}, "word_vectors=wordlama is not a file.*wordllama"),
        ({"word_vectors": "nowhere.txt"}, "word_vectors=nowhere.txt is not a file"),
        ({"train_word_vectors": False}, "train_word_vectors=False needs word_vectors"),
        ({"cnn": "ResNet50"}, "Expected cnn=small or cnn=keras:NAME.*ResNet50"),
        ({"hardness_warmup_epochs": 1.0, "negatives": "sum"}, "no meaning with negatives=sum"),
        ({"hardness_warmup_epochs": 1.0, "negatives": "softmax"}, "meaning with negatives=softmax"),
        (
            {"region_dropping": 0.2, "num_regions": 1},
            "region_dropping has no meaning without more than one of num_regions",
        ),
        (
            {"temperature": 0.1, "negatives": "sum"},
            "temperature has no meaning without negatives=softmax",
        ),
        ({"margin": 0.1}, "margin has no meaning without negatives=sum, h"),
        ({"region_sharpness": 4.0}, "region_sharpness has no meaning without region_pooling="),
        ({"word_sharpness": 4.0}, "word_sharpness has no meaning without word_pooling="),
        ({"region_pooling": "attention", "similarity": "inner"}, "attention compares directions"),
        ({"word_pooling": "log_sum_exp"}, "needs similarity=cosine and score=words"),
        ({"num_examples": "10,5"}, "three counts above 0.*'10,5'"),
        ({"num_examples": "10,5,0"}, "three counts above 0.*'10,5,0'"),
        ({"num_examples": "10,5,many"}, "three counts above 0"),
    ],
)
def test_contradictions_are_refused(tmp_path, values, message):
    with pytest.raises(VsaTfError, match=message):
        check(_settings(tmp_path, **values))


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"margin": 0.1}, {"negatives": "top_k"}),
        ({"num_hard_negatives": 5}, {"negatives": "top_k"}),
        ({"num_hard_negatives": 5, "negatives": "hardest"}, {"text_neighborhood_weight": 0.1}),
        ({"temperature": 0.1, "negatives": "hardest"}, {"negatives": "softmax"}),
        ({"learn_temperature": True, "negatives": "top_k"}, {"negatives": "softmax"}),
        ({"mixture": "gaussian"}, {"text": "hglmm"}),
        ({"mixture": "gaussian", "text": "lstm"}, {"text": "hglmm"}),
        ({"num_hard_negatives": 5, "model": "similarity"}, {"negatives": "hardest"}),
        ({"num_hard_negatives": 5, "model": "alignment"}, {"negatives": "top_k"}),
        # The number of phrases' own default is no number that was given.
        (
            {"num_hard_negatives": 5, "task": "region_phrase", "negatives": "softmax"},
            {"num_hard_negatives": 30},
        ),
    ],
)
def test_what_nothing_reads_is_refused(tmp_path, values, allowed):
    values = {"model": "embedding", **values}
    name = next(iter(values.keys() - {"model", "negatives", "text", "task"}))
    with pytest.raises(VsaTfError, match=f"^{name} has no meaning without .*; leave it out$"):
        check(_settings(tmp_path, **values))
    check(_settings(tmp_path, **{**values, **allowed}))


@pytest.mark.parametrize("model", ["dvsa_rnn", "m_rnn"])
def test_captioners_see_one_region(tmp_path, model):
    check(_settings(tmp_path, model=model, num_regions=1))
    for number in (0, 2):
        with pytest.raises(VsaTfError, match=f"one region.*Received: num_regions={number}"):
            check(_settings(tmp_path, model=model, num_regions=number))


@pytest.mark.parametrize("model", ["dvsa_rnn", "m_rnn"])
@pytest.mark.parametrize("context", ["mean", "attention"])
def test_captioners_of_regions_beside_the_frame_see_more_than_one(tmp_path, model, context):
    values = {"model": model, "image_context": context}
    # All that are stored, where nothing is said.
    assert Settings.of(**values).data.num_regions == 0
    check(_settings(tmp_path, **values, num_regions=3))
    with pytest.raises(VsaTfError, match="beside the whole frame. Received: num_regions=1; leave"):
        check(_settings(tmp_path, **values, num_regions=1))


def test_regions_beside_the_frame_need_a_model_that_can_see_them(tmp_path):
    context = {"image_context": "mean", "num_regions": 0}
    for variant in ("vis_in_rnn", "rnn_base"):
        with pytest.raises(VsaTfError, match=f"variant={variant} shows its multimodal layer no"):
            check(_settings(tmp_path, model="m_rnn", variant=variant, **context))
    (tmp_path / "config.json").touch()
    with pytest.raises(VsaTfError, match="region captioner.*sees one region.*context=mean; leave"):
        check(_settings(tmp_path, model="dvsa_rnn", snippets=str(tmp_path), **context))


def test_the_region_captioner_needs_an_alignment_model(tmp_path):
    values = {"model": "dvsa_rnn", "num_regions": 1}
    with pytest.raises(VsaTfError, match="snippets=nowhere is no model_dir"):
        check(_settings(tmp_path, **values, snippets="nowhere"))
    with pytest.raises(VsaTfError, match="whole_frame is for the region captioner"):
        check(_settings(tmp_path, **values, whole_frame=True))
    (tmp_path / "config.json").touch()
    check(_settings(tmp_path, **values, snippets=str(tmp_path), whole_frame=True))


def test_what_people_wrote_needs_no_alignment_model(tmp_path):
    check(_settings(tmp_path, model="dvsa_rnn", num_regions=1, snippets="records"))


def test_what_no_snippets_read_is_refused(tmp_path):
    (tmp_path / "config.json").touch()
    overlap, smoothness = {"snippet_overlap": 0.3}, {"snippet_smoothness": 0.5}
    for snippets, given, message in (
        ("", overlap, "snippet_overlap has no meaning without snippets=records; leave it out"),
        (str(tmp_path), overlap, "snippet_overlap has no meaning without snippets=records"),
        ("", smoothness, "snippet_smoothness has no meaning without snippets=ALIGNMENT_DIR"),
        ("records", smoothness, "snippet_smoothness has no meaning without snippets=ALIGN"),
        ("records", {"snippet_overlap": 0.0}, "snippet_overlap above 0 and at most 1. Received"),
    ):
        values = {"model": "dvsa_rnn", "num_regions": 1, "snippets": snippets}
        with pytest.raises(VsaTfError, match=message):
            check(_settings(tmp_path, **values, **given))
    check(_settings(tmp_path, **values, **overlap))


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        ("captioner", {}, "Expected model to be one of alignment, .*Received: model=captioner"),
        ("alignment", {"joint_width": 8}, "joint_width is not a setting of model=alignment"),
        ("alignment", {"joint_siz": 8}, "not a setting of .*alignment. Did you mean joint_size"),
        ("alignment", {"lr": 1}, "lr is not a setting of .*alignment. Did you mean learning_rate"),
        ("m_rnn", {"joint_size": 8}, "joint_size is not a setting of model=m_rnn; leave it out"),
        ("alignment", {"joint_size": 8.0}, "joint_size of type int. Received: joint_size=8.0"),
        ("alignment", {"joint_size": True}, "joint_size of type int. Received: joint_size=True"),
        ("alignment", {"frame_context": 1}, "frame_context of type bool.*frame_context=1"),
        ("alignment", {"margin": "1"}, "margin of type float. Received: margin='1'"),
        ("alignment", {"margin": None}, "margin of type float. Received: margin=None"),
        ("alignment", {"word_vectors": b"x"}, "word_vectors of type str"),
        ("dvsa_rnn", {"cell": "relu"}, "cell of model=dvsa_rnn to be one of rnn, gru, lstm"),
        ("alignment", {"optimizer": "lion"}, "optimizer of model=alignment to be one of sgd,"),
        ("alignment", {"joint_size": 0}, "joint_size with a minimum of 1. Received: joint_size=0"),
        ("alignment", {"dropout": 1}, "dropout with a maximum of 0.99. Received: dropout=1"),
        ("similarity", {"num_fusion_layers": 4}, "num_fusion_layers with a maximum of 3"),
    ],
)
def test_keywords_that_are_no_settings_are_refused_in_one_line(model, values, message):
    with pytest.raises(VsaTfError, match=message) as error:
        Settings.of(model, **values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_not_given_has_the_models_default(model):
    settings = Settings.of(model)
    assert settings.model == MODELS[model].settings()
    shared = {**vars(settings.data), **vars(settings.optimizer)}
    assert shared.items() >= MODELS[model].settings.shared_defaults.items()


AUTOMATIC = {"batch_size", "min_count", "num_epochs", "learning_rate_warmup_steps"}


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("alignment", {"hardness_warmup_epochs"}),
        ("defrag", {"multiple_instance_start_epochs"}),
        ("m_rnn", set()),
        ("embedding", set()),
    ],
)
def test_what_follows_the_size_of_the_data_is_so_by_default(model, more):
    settings = Settings.of(model)
    groups = settings.data, settings.optimizer, settings.training, settings.model
    values = {name: value for group in groups for name, value in vars(group).items()}
    values.pop("host_id")  # where none is given
    assert {name for name, value in values.items() if value == AUTO} == AUTOMATIC | more


@pytest.mark.parametrize("name", sorted(AUTOMATIC))
def test_minus_one_is_the_only_number_below_the_least(name):
    Settings.of("alignment", **{name: AUTO})
    with pytest.raises(VsaTfError, match=f"{name} with a minimum of .*Received: {name}=-2"):
        Settings.of("alignment", **{name: -2})


@pytest.mark.parametrize(
    ("model", "values", "family", "signatures", "is_true"),
    [
        (
            "alignment",
            {},
            "alignment",
            ("align", "score", "localize", "embed_image", "embed_sentence"),
            {"contrasts_images", "searches_regions"},
        ),
        (
            "alignment",
            {"fragments": "dependencies"},
            "alignment",
            ("score", "embed_image", "embed_sentence"),
            {"contrasts_images", "reads_dependencies"},
        ),
        (
            "defrag",
            {},
            "alignment",
            ("score", "embed_image", "embed_sentence"),
            {"contrasts_images", "reads_dependencies"},
        ),
        ("dvsa_rnn", {}, "captioning", ("caption", "caption_with", "log_prob"), set()),
        (
            "dvsa_rnn",
            {"snippets": "model"},
            "captioning",
            ("caption", "caption_with"),
            {"captions_regions"},
        ),
        ("m_rnn", {}, "captioning", ("caption", "caption_with", "log_prob"), set()),
        (
            "embedding",
            {},
            "two_branch",
            ("score", "embed_image", "embed_sentence"),
            {"contrasts_images", "reads_sentence_features"},
        ),
        (
            "embedding",
            {"text": "lstm", "task": "region_phrase"},
            "two_branch",
            ("localize", "embed_image", "embed_sentence"),
            {"pairs_phrases", "searches_regions"},
        ),
        (
            "similarity",
            {"text": "gru"},
            "two_branch",
            ("score", "embed_image", "embed_sentence"),
            {"contrasts_images"},
        ),
        (
            "similarity",
            {"task": "region_phrase"},
            "two_branch",
            ("localize", "embed_image", "embed_sentence"),
            {"pairs_phrases", "reads_sentence_features"},
        ),
    ],
)
def test_settings_say_what_a_model_reads_learns_and_answers(
    model, values, family, signatures, is_true
):
    network = Settings.of(model, **values).model
    assert (network.family, network.signatures) == (family, signatures)
    names = (
        "reads_sentence_features",
        "reads_dependencies",
        "contrasts_images",
        "pairs_phrases",
        "searches_regions",
        "captions_regions",
    )
    assert {name for name in names if getattr(network, name)} == is_true


def test_paths_are_settings_and_what_is_no_number_is_not(tmp_path):
    settings = Settings.of("alignment", data_dir=tmp_path, model_dir=tmp_path / "model")
    assert settings.data.data_dir == str(tmp_path)
    assert settings.training.model_dir == str(tmp_path / "model")
    for value in (float("nan"), float("inf")):
        with pytest.raises(VsaTfError, match="^Expected learning_rate to be finite. Received: "):
            Settings.of("alignment", learning_rate=value)
    for name in ("num_epochs", "learning_rate", "frame_context"):
        with pytest.raises(VsaTfError, match=f"^Expected {name} of type"):
            Settings.of("alignment", **{name: tmp_path})
