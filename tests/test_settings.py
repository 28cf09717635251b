import dataclasses
import functools
import types

import pytest
from absl import flags

from vsa_tf import settings as config
from vsa_tf.errors import VsaTfError
from vsa_tf.models.alignment.settings import AlignmentSettings, DeFragSettings
from vsa_tf.models.captioning.settings import DvsaRnnSettings, MRnnSettings
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings, check


def _settings(tmp_path, **values):
    values = {"data_dir": str(tmp_path), "model_dir": str(tmp_path / "model"), **values}
    model = MODELS[values.get("model", "alignment")].settings
    groups = []
    for group in (DataSettings, OptimizerSettings, TrainingSettings, model):
        names = {field.name for field in dataclasses.fields(group)}
        groups.append(group(**{name: values.pop(name) for name in names & values.keys()}))
    assert not values
    return Settings(*groups)


@pytest.fixture
def read_flags(monkeypatch, tmp_path):
    """Returns the settings of a command line, whose flags are defined anew."""
    values = flags.FlagValues()
    define = {
        name: functools.partial(getattr(flags, name), flag_values=values)
        for name in (
            "DEFINE_bool",
            "DEFINE_enum",
            "DEFINE_float",
            "DEFINE_integer",
            "DEFINE_string",
        )
    }
    monkeypatch.setattr(config, "flags", types.SimpleNamespace(FLAGS=values, **define))
    config.define_flags()

    def read(*arguments):
        values.unparse_flags()
        values(["program", f"--data_dir={tmp_path}", "--model_dir=model", *arguments])
        return config.settings_from_flags()

    return read


def test_json_round_trips(tmp_path):
    settings = _settings(
        tmp_path, joint_size=7, dropout=0.25, optimizer="adam", num_epochs=3, frame_context=True
    )
    (tmp_path / "config.json").write_text(settings.to_json({"num_regions": 5}), encoding="utf-8")
    assert Settings.load(tmp_path) == settings
    assert Settings.load_inputs(tmp_path) == {"num_regions": 5}


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


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"training": {"model": "other"}}'])
def test_a_config_of_another_kind_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(VsaTfError, match="config.json is not a settings file of this version"):
        Settings.load(tmp_path)


def test_a_config_with_an_unknown_setting_is_refused(tmp_path):
    text = _settings(tmp_path).to_json({}).replace('"joint_size"', '"joint_width"')
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(VsaTfError, match="joint_width"):
        Settings.load(tmp_path)


def test_a_missing_config_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="no readable config.json"):
        Settings.load(tmp_path / "nowhere")


def test_differences_are_named_but_for_paths(tmp_path):
    settings = _settings(tmp_path)
    other = _settings(
        tmp_path,
        model_dir="elsewhere",
        joint_size=7,
        clip_norm=2.0,
        export_dir="out",
        export_detector="grid",
        report_dir="pages",
    )
    assert settings.difference(settings) == ""
    difference = settings.difference(other)
    assert "--joint_size is 1000 here and 7 there" in difference
    assert "--clip_norm is 0.0 here and 2.0 there" in difference
    assert not any(name in difference for name in ("model_dir", "export", "report"))


def test_defaults_are_the_papers():
    model, optimizer = AlignmentSettings(), OptimizerSettings()
    assert (model.joint_size, model.word_embedding_size, model.cell) == (1000, 300, "relu")
    assert (model.similarity, model.negatives, model.margin) == ("inner", "sum", 1.0)
    assert not (model.frame_context or model.length_normalization or model.region_geometry)
    assert (optimizer.optimizer, optimizer.momentum) == ("sgd", 0.9)
    assert (DataSettings().batch_size, DataSettings().min_count) == (100, 5)


def test_defaults_of_captioners_are_the_papers():
    dvsa_rnn, m_rnn = DvsaRnnSettings(), MRnnSettings()
    assert (dvsa_rnn.hidden_size, dvsa_rnn.cell, dvsa_rnn.image_at) == (512, "rnn", "first")
    assert (dvsa_rnn.beam_size, dvsa_rnn.initialize_bias) == (7, True)
    assert DvsaRnnSettings.shared_defaults["optimizer"] == "rmsprop"
    assert (m_rnn.variant, m_rnn.cell, m_rnn.beam_size) == ("m-rnn", "relu", 1)
    sizes = m_rnn.word_embedding_size, m_rnn.recurrent_size, m_rnn.multimodal_size
    assert sizes == (128, 256, 512)
    for each in (dvsa_rnn, m_rnn):
        assert (each.feature_normalization, each.dropout, each.weight_penalty) == ("none", 0, 0)


def test_defaults_of_defrag_are_the_papers():
    model = DeFragSettings()
    assert (model.joint_size, model.objective, model.word_activation) == (1000, "both", "relu")
    assert (model.margin, model.smoothing, model.feature_normalization) == (40, 5, "none")
    assert not (model.frame_context or model.region_geometry)
    assert DeFragSettings.shared_defaults == {}  # SGD with momentum, batches of 100 pairs


@pytest.mark.parametrize(
    ("values", "reads"),
    [
        ({"model": "defrag"}, True),
        ({"fragments": "dependencies"}, True),
        ({}, False),
        ({"model": "m_rnn"}, False),
        ({"model": "embedding"}, False),
    ],
)
def test_which_models_read_dependency_relations(tmp_path, values, reads):
    assert _settings(tmp_path, **values).model.reads_dependencies is reads


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "defrag", "tokenizer": "wordpiece"}, "need --tokenizer=word.*wordpiece"),
        ({"fragments": "dependencies", "tokenizer": "wordpiece"}, "need --tokenizer=word"),
        ({"fragments": "dependencies", "cell": "gru"}, "--cell=gru has no meaning"),
        (
            {"model": "defrag", "objective": "fragment", "fragment_start_epochs": 1.0},
            "--fragment_start_epochs has no meaning with --objective=fragment",
        ),
        (
            {"model": "defrag", "objective": "global", "multiple_instance_start_epochs": 1.0},
            "--multiple_instance_start_epochs has no meaning with --objective=global",
        ),
        ({"model": "defrag", "report_dir": "pages"}, "--report_dir: the pages show words.*defrag"),
        ({"fragments": "dependencies", "report_dir": "pages"}, "--report_dir: the pages show"),
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
        ({"model_dir": ""}, "--model_dir is missing"),
        ({"data_dir": ""}, "--data_dir is missing"),
        ({"data_dir": "nowhere"}, "--data_dir=nowhere is not a directory"),
        ({"clip_value": 1.0, "clip_norm": 1.0}, "--clip_value and --clip_norm"),
        ({"word_vectors": "nowhere.txt"}, "--word_vectors=nowhere.txt is not a file"),
        ({"train_word_vectors": False}, "--notrain_word_vectors needs --word_vectors"),
        ({"cnn": "ResNet50"}, "Expected --cnn=small or --cnn=keras:NAME.*ResNet50"),
        ({"hardness_warmup_epochs": 1.0}, "no meaning with --negatives=sum"),
        ({"num_examples": "10,5"}, "three counts above 0.*'10,5'"),
        ({"num_examples": "10,5,0"}, "three counts above 0.*'10,5,0'"),
        ({"num_examples": "10,5,many"}, "three counts above 0"),
    ],
)
def test_contradictions_are_refused(tmp_path, values, message):
    with pytest.raises(VsaTfError, match=message):
        check(_settings(tmp_path, **values))


@pytest.mark.parametrize("model", ["dvsa_rnn", "m_rnn"])
def test_captioners_see_one_region(tmp_path, model):
    check(_settings(tmp_path, model=model, num_regions=1))
    for number in (0, 2):
        with pytest.raises(VsaTfError, match=f"one region.*Received: --num_regions={number}"):
            check(_settings(tmp_path, model=model, num_regions=number))


def test_the_region_captioner_needs_an_alignment_model(tmp_path):
    values = {"model": "dvsa_rnn", "num_regions": 1}
    with pytest.raises(VsaTfError, match="--snippets=nowhere is no model_dir"):
        check(_settings(tmp_path, **values, snippets="nowhere"))
    with pytest.raises(VsaTfError, match="--whole_frame is for the region captioner"):
        check(_settings(tmp_path, **values, whole_frame=True))
    (tmp_path / "config.json").touch()
    check(_settings(tmp_path, **values, snippets=str(tmp_path), whole_frame=True))


class TestSettingsFromFlags:
    def test_each_model_has_its_own_defaults(self, read_flags):
        for name, model in MODELS.items():
            settings = read_flags(f"--model={name}")
            assert settings.model == model()
            assert settings.training.model == name

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("alignment", ("sgd", 0.0, 0)),
            ("dvsa_rnn", ("rmsprop", 5.0, 1)),
            ("m_rnn", ("sgd", 0.0, 1)),
        ],
    )
    def test_shared_flags_start_as_the_models_paper_says(self, read_flags, model, expected):
        settings = read_flags(f"--model={model}")
        optimizer = settings.optimizer
        received = optimizer.optimizer, optimizer.clip_value, settings.data.num_regions
        assert received == expected

    def test_a_shared_flag_that_is_given_wins(self, read_flags):
        # Even where it says what is the default without the model.
        settings = read_flags("--model=dvsa_rnn", "--optimizer=sgd", "--clip_value=0")
        assert (settings.optimizer.optimizer, settings.optimizer.clip_value) == ("sgd", 0)
        assert settings.data.num_regions == 1
        # Norm clipping takes the place of the model's own; its absence, given, does not.
        for norm, value in (("2.5", 0.0), ("0", 5.0)):
            optimizer = read_flags("--model=dvsa_rnn", f"--clip_norm={norm}").optimizer
            assert (optimizer.clip_norm, optimizer.clip_value) == (float(norm), value)
        with pytest.raises(VsaTfError, match="Received: --num_regions=0"):
            read_flags("--model=dvsa_rnn", "--num_regions=0")

    def test_a_models_flags_reach_its_settings(self, read_flags):
        model = read_flags(
            "--model=m_rnn",
            "--variant=shared",
            "--cell=lstm",
            "--beam_size=3",
            "--initialize_bias",
            "--weight_penalty=0.01",
            "--selection=CIDEr",
            "--multimodal_size=9",
        ).model
        assert model == MRnnSettings(
            variant="shared",
            cell="lstm",
            beam_size=3,
            initialize_bias=True,
            weight_penalty=0.01,
            selection="CIDEr",
            multimodal_size=9,
        )
        assert read_flags("--model=dvsa_rnn", "--noinitialize_bias").model.initialize_bias is False

    @pytest.mark.parametrize(
        ("model", "flag"),
        [
            ("m_rnn", "joint_size=8"),
            ("m_rnn", "hidden_size=8"),
            ("dvsa_rnn", "variant=shared"),
            ("dvsa_rnn", "margin=0.5"),
            ("alignment", "beam_size=7"),
            ("alignment", "snippets=x"),
            ("alignment", "initialize_bias"),
            ("m_rnn", "nowhole_frame"),
        ],
    )
    def test_flags_of_other_models_are_refused(self, read_flags, model, flag):
        name = flag.split("=")[0].removeprefix("no")
        with pytest.raises(
            VsaTfError, match=f"--{name} is not a setting of --model={model}; leave it out"
        ):
            read_flags(f"--model={model}", f"--{flag}")

    @pytest.mark.parametrize(
        ("model", "cell"), [("alignment", "rnn"), ("m_rnn", "rnn"), ("dvsa_rnn", "relu")]
    )
    def test_choices_of_other_models_are_refused(self, read_flags, model, cell):
        choices = "rnn, gru, lstm" if model == "dvsa_rnn" else "relu, gru, lstm"
        with pytest.raises(
            VsaTfError, match=f"--cell of --model={model} to be one of {choices}.*: {cell}$"
        ):
            read_flags(f"--model={model}", f"--cell={cell}")

    def test_choices_of_no_model_are_refused(self, read_flags):
        for flag in ("cell=tanh", "variant=m_rnn", "selection=loss", "model=captioner"):
            with pytest.raises(flags.IllegalFlagValueError, match=flag.split("=")[0]):
                read_flags("--model=m_rnn", f"--{flag}")

    @pytest.mark.parametrize("model", MODELS)
    def test_the_flagfile_of_settings_gives_them_again(self, read_flags, model, tmp_path):
        settings = read_flags(f"--model={model}", "--dropout=0.25", "--clip_value=0")
        path = tmp_path / "flagfile"
        path.write_text(settings.to_flags(), encoding="utf-8")
        assert read_flags(f"--flagfile={path}") == settings
        assert read_flags(f"--flagfile={path}", "--dropout=0.75").model.dropout == 0.75

    @pytest.mark.parametrize(
        ("flag", "reason"),
        [
            ("--batch_size=101", "must be a multiple of --num_neighbors=2"),
            ("--tokenizer=wordpiece", "--text=hglmm counts words: it needs --tokenizer=word"),
            ("--regions_context --num_regions=1", "more regions than the frame"),
            ("--regions_context --task=region_phrase", "needs --task=image_sentence"),
            ("--region_geometry", "needs --task=region_phrase"),
            ("--learn_temperature", "no meaning without --negatives=softmax"),
            ("--image_to_text_weight=0 --text_to_image_weight=0", "nothing is learnt"),
            ("--text=tf_idf --word_vectors=setup.cfg", "no meaning with --text=tf_idf"),
        ],
    )
    def test_settings_of_two_branch_networks_that_contradict_are_refused(
        self, read_flags, flag, reason
    ):
        with pytest.raises(VsaTfError, match=reason):
            read_flags("--model=embedding", *flag.split())
