"""Settings as flags of a command line, and of a flagfile."""

import contextlib
import re
from dataclasses import fields, replace

import pytest
from absl import flags

from tests.source_imports import ROOT
from vsa_tf.errors import VsaTfError
from vsa_tf.models.captioning.settings import MRnnSettings
from vsa_tf.models.model_table import MODELS
from vsa_tf.models.network_settings import AUTO
from vsa_tf.settings import OptimizerSettings, Settings
from vsa_tf.settings_flags import define_flags, settings_from_flagfile, settings_from_flags

FLAGFILES = sorted(ROOT.glob("flags/*.flags"))


@contextlib.contextmanager
def _refused(message):
    """Expects an error that programs print as one line, which matches `message`."""
    with pytest.raises(VsaTfError) as error:
        yield
    assert re.search(message, error.value.of_flags)
    assert "\n" not in error.value.of_flags


@pytest.fixture
def read_flags(tmp_path):
    """Returns the settings of a command line."""

    def read(*arguments):
        values = flags.FlagValues()
        define_flags(values)
        values(["program", f"--data_dir={tmp_path}", "--model_dir=model", *arguments])
        return settings_from_flags(values)

    return read


@pytest.mark.parametrize(
    ("flags_given", "expected"),
    [
        ([], "false"),
        (["--mixed_precision"], "true"),
        (["--nomixed_precision"], "false"),
        (["--mixed_precision=auto"], "auto"),
    ],
)
def test_a_choice_of_true_and_false_is_a_switch_too(read_flags, flags_given, expected):
    assert read_flags(*flags_given).training.mixed_precision == expected


def test_each_model_has_its_own_defaults(read_flags):
    for name, model in MODELS.items():
        settings = read_flags(f"--model={name}")
        assert settings.model == model.settings()
        assert settings.training.model == name


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("alignment", (0.001, 0.0, 0)),
        ("defrag", (0.001, 250.0, 0)),
        ("dvsa_rnn", (0.001, 5.0, 1)),
        ("m_rnn", (0.0015, 5.0, 1)),
    ],
)
def test_shared_flags_start_as_the_model_says(read_flags, model, expected):
    settings = read_flags(f"--model={model}")
    optimizer = settings.optimizer
    received = optimizer.learning_rate, optimizer.clip_norm, settings.data.num_regions
    assert received == expected


PAPERS = [path for path in FLAGFILES if path.stem.endswith("_paper")]
# Where things are, what a CNN on pixels has, and what the paper has no such thing of.
NOT_OF_PAPERS = {
    "word_vectors",
    "cnn",
    "cnn_weights",
    "crop_size",
    "snippets",
    "snippet_overlap",
    "snippet_smoothness",
    "whole_frame",
    "average_weights",
    "teachers",
    "teacher_weight",
    "teacher_temperature",
}


def test_every_model_has_its_papers_settings():
    models = {settings_from_flagfile(path).training.model for path in PAPERS}
    assert models == set(MODELS)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    """Nested flagfiles are named from the root of the checkout, where commands run."""
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_a_papers_flagfile_says_all_and_leaves_nothing_to_the_defaults(path):
    values = flags.FlagValues()
    define_flags(values)
    values(["", f"--flagfile={path}"])
    model = MODELS[values.model].settings
    names = {field.name for group in (model, OptimizerSettings) for field in fields(group)}
    names |= {"batch_size", "min_count", "max_words", "num_epochs", "num_regions", "tokenizer"}
    missing = {
        name
        for name in names - NOT_OF_PAPERS
        if values[name].using_default_value or values[name].value == AUTO
    }
    assert not missing


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("flickr8k", ("train", "dev", "dev")),
        ("flickr30k", ("train", "dev", "test")),
        ("coco", ("train", "dev", "test")),
        ("iapr_tc12", ("train", "test", "test")),
    ],
)
def test_a_papers_settings_hold_for_its_other_data_sets_but_for_the_splits(
    read_flags, name, splits
):
    # The hyperparameters of Flickr8K "are then fixed across all the experiments" (M section 6).
    paper = "--flagfile=flags/flickr8k_m_rnn_paper.flags"
    training = read_flags(paper).training
    own = read_flags(paper, f"--flagfile=flags/{name}.flags")
    assert (own.training.train_split, own.training.dev_split, own.training.test_split) == splits
    same = dict(zip(("train_split", "dev_split", "test_split"), splits))
    assert own.training == replace(training, **same)
    assert replace(own, training=training) == read_flags(paper)


def test_my_photographs_need_no_knowledge():
    settings = settings_from_flagfile("flags/my_photographs.flags")
    assert settings == Settings.of("alignment")
    assert not settings.training.test_split


def test_a_shared_flag_that_is_given_wins(read_flags):
    # Even where it says what is the default without the model.
    settings = read_flags("--model=dvsa_rnn", "--optimizer=adam", "--clip_norm=0")
    assert (settings.optimizer.optimizer, settings.optimizer.clip_norm) == ("adam", 0)
    assert settings.data.num_regions == 1
    # Clipping by element takes the place of the model's own; its absence, given, does not.
    for value, norm in (("2.5", 0.0), ("0", 5.0)):
        optimizer = read_flags("--model=dvsa_rnn", f"--clip_value={value}").optimizer
        assert (optimizer.clip_value, optimizer.clip_norm) == (float(value), norm)
    with _refused("Received: --num_regions=0"):
        read_flags("--model=dvsa_rnn", "--num_regions=0")


def test_a_models_flags_reach_its_settings(read_flags):
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
def test_flags_of_other_models_are_refused(read_flags, model, flag):
    name = flag.split("=")[0].removeprefix("no")
    with _refused(f"--{name} is not a setting of --model={model}; leave it out"):
        read_flags(f"--model={model}", f"--{flag}")


@pytest.mark.parametrize(
    ("model", "cell"), [("alignment", "rnn"), ("m_rnn", "tanh"), ("dvsa_rnn", "relu")]
)
def test_choices_of_other_models_are_refused(read_flags, model, cell):
    choices = "rnn, gru, lstm" if model == "dvsa_rnn" else "relu, gru, lstm"
    with _refused(f"--cell of --model={model} to be one of {choices}.*: {cell}$"):
        read_flags(f"--model={model}", f"--cell={cell}")


def test_choices_of_no_model_are_refused(read_flags):
    # Those of the chosen model alone, not of all that have the flag.
    with _refused(
        "--negatives of --model=similarity to be one of random, hardest. Received: softm"
    ):
        read_flags("--model=similarity", "--negatives=softmax")
    choices = "sum, hardest, top_k, softmax"
    meant = "Received: softmx. Did you mean softmax\\?$"
    with _refused(f"--negatives of --model=alignment to be one of {choices}. {meant}"):
        read_flags("--negatives=softmx")
    for flag in ("variant=m_rnn", "selection=loss", "model=captioner"):
        with pytest.raises(flags.IllegalFlagValueError, match=flag.split("=")[0]):
            read_flags("--model=m_rnn", f"--{flag}")


@pytest.mark.parametrize("model", MODELS)
def test_the_flagfile_of_settings_gives_them_again(read_flags, model, tmp_path):
    settings = read_flags(f"--model={model}", "--dropout=0.25", "--clip_value=0")
    path = tmp_path / "flagfile"
    path.write_text(settings.to_flags(), encoding="utf-8")
    assert read_flags(f"--flagfile={path}") == settings
    assert read_flags(f"--flagfile={path}", "--dropout=0.75").model.dropout == 0.75


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--batch_size=101", "must be a multiple of --num_neighbors=2"),
        ("--tokenizer=wordpiece", "--text=tf_idf counts words: it needs --tokenizer=word"),
        ("--regions_context --num_regions=1", "more regions than the frame"),
        ("--regions_context --task=region_phrase", "needs --task=image_sentence"),
        ("--bidirectional", "--bidirectional has no meaning without a recurrence"),
        ("--word_pooling=learned", "--word_pooling has no meaning without a recurrence"),
        (
            "--word_dropping=0.1 --text=mean_vector",
            "--word_dropping has no meaning without a recurrence",
        ),
        (
            "--regions_pooling=max --task=region_phrase",
            "--regions_pooling has no meaning without regions_context, ",
        ),
        (
            "--regions_size=9 --num_regions=1",
            "--regions_size has no meaning without regions_context, ",
        ),
        (
            "--region_dropping=0.1 --noregions_context",
            "--region_dropping has no meaning without regions_context, ",
        ),
        ("--word_dropout=0.1", "--word_dropout has no meaning without a recurrence"),
        ("--text_feature_size=9", "--text_feature_size has no meaning without --text=hglmm"),
        ("--text=gru --text_normalization=l2", "no meaning without a --text of sentence features"),
        ("--num_positives=3", "--num_positives has no meaning without --task=region_phrase"),
        ("--region_geometry", "needs --task=region_phrase"),
        ("--learn_temperature --negatives=top_k", "no meaning without --negatives=softmax"),
        ("--image_to_text_weight=0 --text_to_image_weight=0", "nothing is learnt"),
        ("--text=keras_hub:clip --word_vectors=setup.cfg", "no meaning with --text=keras_hub:clip"),
    ],
)
def test_settings_of_two_branch_networks_that_contradict_are_refused(read_flags, flag, reason):
    with _refused(reason):
        read_flags("--model=embedding", *flag.split())


@pytest.mark.parametrize(
    ("model", "arguments", "values"),
    [
        ("alignment", [], {}),
        (
            "alignment",
            ["--frame_context", "--joint_size=7", "--dropout=0.2", "--similarity=cosine"],
            {"frame_context": True, "joint_size": 7, "dropout": 0.2, "similarity": "cosine"},
        ),
        ("m_rnn", ["--variant=shared", "--num_epochs=3"], {"variant": "shared", "num_epochs": 3}),
        (
            "dvsa_rnn",
            ["--noinitialize_bias", "--clip_norm=2"],
            {"initialize_bias": False, "clip_norm": 2},
        ),
        ("similarity", ["--text=gru", "--batch_size=8"], {"text": "gru", "batch_size": 8}),
    ],
)
def test_keywords_give_what_flags_give(read_flags, tmp_path, model, arguments, values):
    places = {"data_dir": str(tmp_path), "model_dir": "model"}
    assert Settings.of(model, **places, **values) == read_flags(f"--model={model}", *arguments)


@pytest.mark.parametrize("path", FLAGFILES, ids=lambda path: path.name)
def test_a_flagfile_read_from_python_is_that_of_a_command_line(read_flags, tmp_path, path):
    places = {"data_dir": str(tmp_path), "model_dir": "model"}
    changes = {"dropout": 0.125, "num_epochs": 3}
    settings = settings_from_flagfile(path, **places)
    assert settings == read_flags(
        f"--flagfile={path}", f"--data_dir={tmp_path}", "--model_dir=model"
    )
    changed = [f"--{name}={value}" for name, value in changes.items()]
    again = read_flags(
        f"--flagfile={path}", f"--data_dir={tmp_path}", "--model_dir=model", *changed
    )
    assert settings_from_flagfile(path, **places, **changes) == again != settings


@pytest.mark.parametrize("name", ["embedding", "similarity"])
@pytest.mark.parametrize("task", ["", "_phrases"])
def test_two_branch_flagfiles_of_the_paper_follow_the_paper(monkeypatch, name, task):
    monkeypatch.chdir(ROOT)
    path = ROOT / f"flags/flickr8k_{name}{task}_paper.flags"
    own = settings_from_flagfile(path, data_dir="data", model_dir="model").model
    assert (own.batch_norm_at, own.reduction) == ("last", "sum")  # T 3.2.1, T 6 and 7
    assert getattr(own, "counted_neighbors", "all") == "all"  # T 4 and 5
    assert own.negative_phrases == ("other_chains" if task else "unmatched")  # T Algorithm 1
    # What was measured on Flickr8K follows the authors' code.
    measured = ROOT / f"flags/flickr8k_{name}{task}.flags"
    own = settings_from_flagfile(measured, data_dir="data", model_dir="model").model
    assert (own.batch_norm_at, own.reduction) == ("first", "mean")
    assert (own.negative_phrases, getattr(own, "counted_neighbors", "furthest")) == (
        "unmatched",
        "furthest",
    )


@pytest.mark.parametrize(
    ("lines", "changes", "message"),
    [
        ("--joint_width=7", {}, "joint_width"),
        ("--joint_size=many", {}, "joint_size"),
        ("--model=m_rnn\n--joint_size=7", {}, "--joint_size is not a setting of --model=m_rnn"),
        ("--model=m_rnn", {"joint_size": 7}, "--joint_size is not a setting of --model=m_rnn"),
        ("--flagfile=nowhere.flags", {}, "nowhere.flags"),
    ],
)
def test_a_flagfile_of_what_is_no_setting_is_one_error(tmp_path, lines, changes, message):
    path = tmp_path / "some.flags"
    path.write_text(lines, encoding="utf-8")
    with _refused(message):
        settings_from_flagfile(path, **changes)


def test_a_flagfile_is_text_as_every_other(tmp_path):
    (tmp_path / "inner.flags").write_bytes("\ufeff# größer\r\n--joint_size=7\r".encode())
    lines = (
        f"\ufeff--model=embedding\r\n\n--flagfile={tmp_path / 'inner.flags'}\r--data_dir=a\u2028b"
    )
    path = tmp_path / "some.flags"
    path.write_bytes(lines.encode())
    settings = settings_from_flagfile(path)
    assert settings.training.model == "embedding" and settings.model.joint_size == 7
    assert settings.data.data_dir == "a\u2028b"
    path.write_bytes(b"--joint_size=7\n# gr\xf6\xdfer\n")
    with _refused("UTF-8 in .*some.flags.*line 2"):
        settings_from_flagfile(path)
    path.write_text(f"--flagfile={path}")
    with _refused("includes itself"):
        settings_from_flagfile(path)


@pytest.mark.parametrize("inside", ["some.flags", "other.flags"])
def test_a_line_of_a_flagfile_that_is_no_flag_is_named(tmp_path, monkeypatch, inside):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.flags").write_text("--joint_size=7\n--flagfile=other.flags\n")
    (tmp_path / "other.flags").write_text("# A comment.\n\n--num_epochs=3\n")
    with open(tmp_path / inside, "a", encoding="utf-8") as file:
        file.write("margin=0.5\n--num_epochs=9\n")
    number = {"some.flags": 3, "other.flags": 4}[inside]
    with _refused(f"Received: 'margin=0.5' in line {number} of {inside}$"):
        settings_from_flagfile("some.flags")


def test_a_flagfile_that_there_is_not_is_one_error(tmp_path):
    with _refused("nowhere.flags"):
        settings_from_flagfile(tmp_path / "nowhere.flags")
