"""Command lines as a user types them, where importing TensorFlow would fail."""

import dataclasses
import errno
import functools
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from absl import flags

from tests.source_imports import PACKAGES, ROOT
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf import errors, evaluate, program
from vsa_tf.errors import VsaTfError
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import DataSettings, OptimizerSettings, Settings, TrainingSettings

FLAGS = {
    "vsa_tf.train": (
        "model_dir",
        "data_dir",
        "joint_size",
        "frame_context",
        "variant",
        "initialize_bias",
        "fragments",
        "objective",
        "smoothing",
        "global_weight",
        "min_relation_share",
        "flagfile",
    ),
    "vsa_tf.evaluate": (
        "model_dir",
        "split",
        "output",
        "caption_method",
        "phrase_model",
        "phrase_weight",
        "weights",
        "rescoring",
        "baseline",
        "flagfile",
    ),
    "vsa_tf.benchmark": ("suite", "output", "torch_path"),
    "vsa_tf.table": ("rows", "data_dir", "model_dir"),
    "vsa_tf.rerank": ("hypotheses", "output", "num_candidates", "num_neighbors", "features"),
    "vsa_tf.score_captions": ("results", "references", "training_captions", "per_image", "output"),
    "vsa_tf.export": ("model_dir", "export_dir", "image_encoder", "detector", "flagfile"),
    "vsa_tf.report": ("model_dir", "data_dir", "split", "output_dir", "query", "projector_dir"),
    "vsa_tf.serve": (
        "model_name",
        "model_base_path",
        "model_config_file",
        "rest_port",
        "port",
        "index_dir",
    ),
    "tfrecords_tools.write": (
        "dataset",
        "detector",
        "image_encoder",
        "output_dir",
        "dependencies",
        "runner",
        "beam_options",
    ),
    "tfrecords_tools.parse": ("dataset", "captions", "pipeline", "output", "num_workers"),
    "tfrecords_tools.inspect": ("data_dir", "render"),
    "tfrecords_tools.add_dependencies": ("data_dir", "dependencies", "output_dir"),
    "tfrecords_tools.export": ("data_dir", "format", "output_dir", "splits"),
}
PROGRAMS = tuple(FLAGS)


@pytest.fixture
def run(tmp_path):
    """Runs a program in a directory of its own, with a TensorFlow that cannot be imported."""
    return functools.partial(run_without_tensorflow, directory=tmp_path)


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_lines_that_nobody_reads_end_a_program_in_silence(flag):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "vsa_tf.table", flag]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_answers_without_tensorflow(run, name):
    result = run(name, "--help")
    assert result.returncode == 0, result.stderr
    assert f"python -m {name}" in result.stdout
    assert result.stderr == ""
    # The flags too, each with its help and default.
    for flag in FLAGS[name]:
        assert re.search(rf"^  --(\[no\])?{flag}: \S", result.stdout, re.MULTILINE), flag
    # absl's words, after a full stop.
    assert "repeat this option" not in result.stdout


def test_help_tells_which_flags_may_be_repeated(run):
    printed = run("vsa_tf.rerank", "--help").stdout
    assert "--features: Vectors of the photographs, training and other; repeatable.\n" in printed
    assert "--references: What people wrote, for an oracle; repeatable.\n" in printed


@pytest.mark.parametrize("name", PROGRAMS)
def test_unknown_flags_are_refused(run, name):
    assert "no_such_flag" in refusal(run(name, "--no_such_flag=1"))


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--lr=0.1", "--learning_rate"),
        ("--epochs=3", "--num_epochs"),
        ("--num_epoch=3", "--num_epochs"),
        ("--lernin_rate", "--learning_rate"),
    ],
)
def test_what_an_unknown_flag_may_mean_is_said(run, flag, meant):
    line = refusal(run("vsa_tf.train", "--data_dir=.", flag))
    name = flag.partition("=")[0]
    assert line.startswith(f"error: Unknown flag {name}. Did you mean {meant}")


def test_every_synonym_is_of_a_flag_that_a_program_has():
    source = "".join(
        path.read_text("utf-8")
        for folder in PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        if path != pathlib.Path(errors.__file__)  # which has the synonyms
    )
    names = {name for names in errors._SYNONYMS.values() for name in names}
    unknown = [name for name in names if not re.search(rf'"{name}"|^    {name}: ', source, re.M)]
    assert unknown == []


def test_flagfiles_are_found_in_the_package_too(run):
    # Where a directory has its own, it is that.
    path = program.flagfile_path("flags/quickstart.flags")
    assert path == "flags/quickstart.flags" or "vsa_tf" in path
    line = refusal(run("vsa_tf.train", "--flagfile=flags/flickr8k_embedding_paper.flags"))
    assert line.startswith("error: --model_dir is missing")
    line = refusal(run("vsa_tf.train", "--flagfile=flags/nowhere.flags"))
    assert line == "error: --flagfile=flags/nowhere.flags: No such file or directory"


def test_a_flagfile_of_ones_own_is_before_the_packaged_one(run, tmp_path):
    (tmp_path / "flags").mkdir()
    (tmp_path / "flags" / "quickstart.flags").write_text("--no_such_flag=1")
    assert "no_such_flag" in refusal(run("vsa_tf.train", "--flagfile=flags/quickstart.flags"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_words_that_are_no_flags_are_refused(run, name):
    assert "Received: data" in refusal(run(name, "data"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_missing_flags_are_named_all_at_once(run, name):
    needed = {
        "vsa_tf.train": ["model_dir", "data_dir"],
        "vsa_tf.evaluate": ["model_dir"],
        "vsa_tf.benchmark": ["output"],
        "vsa_tf.table": ["rows", "data_dir", "model_dir"],
        "vsa_tf.rerank": ["hypotheses", "output"],
        "vsa_tf.score_captions": ["results", "references"],
        "vsa_tf.export": ["model_dir", "export_dir"],
        "vsa_tf.report": ["model_dir", "output_dir"],
        "vsa_tf.serve": ["model_name", "model_base_path"],
        "tfrecords_tools.write": ["dataset", "output_dir"],
        "tfrecords_tools.parse": ["dataset", "output"],
        "tfrecords_tools.inspect": ["data_dir"],
        "tfrecords_tools.add_dependencies": ["data_dir", "dependencies", "output_dir"],
        "tfrecords_tools.export": ["data_dir", "format", "output_dir"],
    }
    assert re.findall(r"--(\w+) is missing: \w", refusal(run(name))) == needed[name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--num_epochs=0"], "num_epochs"),
        (["--num_epochs=many"], "num_epochs"),
        (["--dropout=1.5"], "dropout"),
        (["--negatives=hard"], "negatives.*sum|hardest|top_k"),
        (["--model=transformer"], "model"),
        (["--model=m_rnn", "--joint_size=5"], "--joint_size is not a setting of --model=m_rnn"),
        (["--model=m_rnn", "--cell=rnn"], "--cell of --model=m_rnn to be one of relu, gru, lstm"),
        (["--jit_compile=yes"], "jit_compile"),
        (["--data_dir=nowhere"], "--data_dir=nowhere is not a directory"),
        (["--clip_value=1", "--clip_norm=1"], "--clip_value and --clip_norm exclude each other"),
        (["--flagfile=nowhere.flags"], "nowhere.flags"),
    ],
)
def test_training_refuses_wrong_flags(run, arguments, message):
    line = refusal(run("vsa_tf.train", "--model_dir=model", "--data_dir=.", *arguments))
    assert re.search(message, line)


def test_evaluation_refuses_a_directory_without_a_model(run, tmp_path):
    line = refusal(run("vsa_tf.evaluate", f"--model_dir={tmp_path}"))
    assert "no readable config.json" in line


def _write_settings(model_dir, model, inputs=None, **values):
    settings = Settings.of(model, **values)
    (model_dir / "config.json").write_text(settings.to_json(inputs or {}), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "arguments", "flag"),
    [
        ("vsa_tf.train", ["--dev_split=night", "--data_dir=."], "dev_split"),
        ("vsa_tf.evaluate", ["--split=night"], "split"),
        ("vsa_tf.report", ["--split=night", "--data_dir=.", "--output_dir=pages"], "split"),
        ("vsa_tf.embed", ["--split=night", "--data_dir=.", "--output_dir=vectors"], "split"),
    ],
)
def test_a_split_that_there_is_not_is_refused_by_its_flag(run, tmp_path, name, arguments, flag):
    _write_settings(tmp_path, "alignment", data_dir=str(tmp_path))
    shard = {"file": "a", "num_records": 1, "sha256": ""}
    split = {"num_images": 1, "num_sentences": 5, "num_phrases": 0, "shards": [shard]}
    sizes = dict.fromkeys(("region_feature_size", "image_feature_size"), 4)
    info = {"schema_version": 1, "dataset": "small", "num_regions": 2, **sizes}
    info |= {"images_stored": False, "encoder": {}, "detector": {}, "splits": {"train": split}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    line = refusal(run(name, f"--model_dir={tmp_path}", *arguments))
    message = f"Expected --{flag} to be a split of .*, one of train. Received: --{flag}=night"
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("alignment", ["--caption_method=beam"], "--caption_method is not for.*leave it out"),
        ("alignment", ["--beam_size=3"], "--beam_size is not for"),
        ("alignment", ["--retrieval=exact"], "--retrieval is not for"),
        ("alignment", ["--num_neighbors=6"], "--num_neighbors is not for"),
        ("m_rnn", ["--query=dog"], "--query is not for.* m_rnn"),
        ("dvsa_rnn", ["--word_magnitudes=words.json"], "--word_magnitudes is not for.* dvsa_rnn"),
        ("m_rnn", ["--retrieval=shortlist"], "--retrieval=shortlist needs --shortlist_model"),
        (
            "m_rnn",
            ["--retrieval=shortlist", "--shortlist_model=."],
            "hold an alignment model. Received: . with the model m_rnn",
        ),
        ("m_rnn", ["--caption_method=best"], "caption_method"),
        ("m_rnn", ["--retrieval=some"], "retrieval"),
        ("m_rnn", ["--shortlist_size=0"], "shortlist_size"),
        ("alignment", ["--normalization=mean_image"], "--normalization is not for"),
        (
            "m_rnn",
            ["--normalization=mean_image", "--num_normalization_images=3"],
            "is of --normalization=marginal",
        ),
        ("m_rnn", ["--output=nowhere/metrics.json"], "there is no such directory"),
        ("dvsa_rnn", ["--neighbor_features=refined"], "a model whose multimodal layer sees"),
        ("m_rnn", ["--protocol=iapr_tc12"], "--protocol=iapr_tc12 needs --retrieval=exact"),
        ("alignment", ["--protocol=karpathy"], "protocol"),
        ("alignment", ["--baseline=cca"], "--baseline is not for the model alignment"),
        ("m_rnn", ["--phrase_model=model"], "--phrase_model is not for the model m_rnn"),
        ("embedding", ["--query=dog"], "--query is not for the model embedding"),
        ("embedding", ["--num_neighbors=6"], "--num_neighbors is not for the model embedding"),
        ("alignment", ["--neighbor_distance=euclidean"], "--neighbor_distance is not for"),
        ("embedding", ["--baseline=mean"], "baseline"),
        ("embedding", ["--phrase_weight=0.5"], "--phrase_weight needs --phrase_model"),
        ("embedding", ["--phrase_weight=half"], "from 0 to 1, or tuned. Received: half"),
        ("embedding", ["--phrase_weight=1.5"], "from 0 to 1, or tuned. Received: 1.5"),
        ("embedding", ["--phrase_model=nowhere"], "Received: 'nowhere', which has no readable"),
        ("similarity", ["--phrase_model=nowhere"], "distance of an embedding network.*similarity"),
        ("embedding", ["--phrase_model=m", "--baseline=cca"], "exclude each other"),
        ("alignment", ["--rescoring=best"], "rescoring"),
        ("alignment", ["--weights=1,2"], "--weights are of several models: give --model_dir more"),
        ("alignment", ["--data_dir=a", "--data_dir=b"], "Received: 2 of them"),
        ("alignment", ["--model_dir=nowhere"], "Received: 'nowhere', which has no readable"),
    ],
)
def test_evaluation_refuses_flags_that_the_model_has_no_use_for(
    run, tmp_path, model, arguments, message
):
    _write_settings(tmp_path, model)
    line = refusal(run("vsa_tf.evaluate", f"--model_dir={tmp_path}", *arguments))
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights=0.6"], "--weights to be .*each of 2 --model_dir.* Received: 0.6$"),
        (["--weights=half,half"], "Received: half,half$"),
        (["--query=dog"], "--query is not for these models together; leave it out"),
    ],
)
def test_evaluation_refuses_what_several_models_cannot_do(run, tmp_path, arguments, message):
    for name in "ab":
        (tmp_path / name).mkdir()
        _write_settings(tmp_path / name, "alignment")
    model_dirs = [f"--model_dir={tmp_path / name}" for name in "ab"]
    line = refusal(run("vsa_tf.evaluate", *model_dirs, *arguments))
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("variant", "argument", "message"),
    [
        ("rnn_base", "--retrieval=exact", "--variant=rnn_base sees no image"),
        ("rnn_base", "--neighbor_features=refined", "a model whose multimodal layer sees"),
        ("vis_in_rnn", "--neighbor_features=refined", "a model whose multimodal layer sees"),
    ],
)
def test_evaluation_refuses_what_a_variant_cannot_do(run, tmp_path, variant, argument, message):
    _write_settings(tmp_path, "m_rnn", variant=variant)
    line = refusal(run("vsa_tf.evaluate", f"--model_dir={tmp_path}", argument))
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("values", "argument", "message"),
    [
        ({"task": "region_phrase"}, "--fold_size=5", "--fold_size is of retrieval"),
        ({"task": "region_phrase"}, "--protocol=iapr_tc12", "--protocol=iapr_tc12 is of retrieval"),
        ({"task": "region_phrase"}, "--phrase_model=m", "Received: the model .*region_phrase"),
        ({"text": "gru"}, "--baseline=cca", "a fixed text feature.*--text=gru"),
        ({"regions_size": 8}, "--baseline=cca", "fixed features of images.*learnt to pool"),
        ({"regions_pooling": "learned"}, "--baseline=cca", "fixed features of images"),
        # It is of images and sentences itself.
        ({}, "--phrase_model=.", "Received: . with the model embedding$"),
    ],
)
def test_evaluation_refuses_what_a_two_branch_network_cannot_do(
    run, tmp_path, values, argument, message
):
    _write_settings(tmp_path, "embedding", **values)
    line = refusal(run("vsa_tf.evaluate", f"--model_dir={tmp_path}", argument))
    assert re.search(message, line)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--baseline=cca", "needs features of images"),
        ("--protocol=iapr_tc12", "compares images by their features"),
    ],
)
def test_evaluation_refuses_what_pixels_have_no_features_for(run, tmp_path, argument, message):
    _write_settings(tmp_path, "similarity", inputs={"region_feature_size": 0})
    line = refusal(run("vsa_tf.evaluate", f"--model_dir={tmp_path}", argument))
    assert message in line


def test_warnings_that_no_user_can_act_on_are_not_shown(run, tmp_path):
    # As tensorflow_hub and tensorboard do: setuptools' own, here and in a process started here.
    (tmp_path / "warning.py").write_text(
        "import subprocess, sys, warnings\n"
        "from vsa_tf import program\n"
        "def main():\n"
        "    import pkg_resources\n"
        "    subprocess.run([sys.executable, '-c', 'import pkg_resources'], check=True)\n"
        "    warnings.warn('of another kind')\n"
        "program.run(main, '')\n"
    )
    result = run("warning")
    assert result.returncode == 0, result.stderr
    assert "of another kind" in result.stderr
    assert "pkg_resources is deprecated" not in result.stderr


def test_a_flagfile_of_settings_gives_them_again(run, tmp_path):
    # Read in a process of its own: this one keeps its flags.
    (tmp_path / "read.py").write_text(
        "from vsa_tf import program, settings_flags\n"
        "settings_flags.define_flags()\n"
        "read = settings_flags.settings_from_flags\n"
        "program.run(lambda: print(read().to_json({}), end=''), '')\n"
    )
    flagfile = [
        "--model_dir=model",
        "--data_dir=.",
        "--joint_size=7",
        "--dropout=0.25",
        "--frame_context",
        "--optimizer=adam",
        "--learning_rate=0.01",
        "--num_epochs=3",
        "--negatives=hardest",
        "--hardness_warmup_epochs=1.5",
        "--cell=gru",
    ]
    (tmp_path / "first.flags").write_text("\n".join(flagfile))
    first = run("read", "--flagfile=first.flags")
    assert first.returncode == 0, first.stderr
    settings = Settings.from_json(first.stdout)
    assert (settings.model.joint_size, settings.model.cell) == (7, "gru")
    assert settings.model.frame_context is True
    assert (settings.optimizer.learning_rate, settings.training.num_epochs) == (0.01, 3)
    (tmp_path / "second.flags").write_text(settings.to_flags())
    assert run("read", "--flagfile=second.flags").stdout == first.stdout
    # Flags after the flagfile win.
    last = run("read", "--flagfile=second.flags", "--joint_size=9", "--noframe_context")
    settings = Settings.from_json(last.stdout)
    assert (settings.model.joint_size, settings.model.frame_context) == (9, False)


def _help_of_training(run, *arguments):
    """Lines of `--help` without TensorFlow, and the settings that each section names."""
    result = run("vsa_tf.train", *arguments, "--help")
    assert result.returncode == 0, result.stderr
    sections = {}
    for line in result.stdout.splitlines():
        if re.match(r"\w", line):
            names = sections.setdefault(line, [])
        elif match := re.match(r"  --(\w+): \S", line):
            names.append(match[1])
    return result.stdout.splitlines(), {title: names for title, names in sections.items() if names}


def test_help_of_training_is_grouped_and_short(run):
    lines, sections = _help_of_training(run)
    assert len(lines) < 230 and max(map(len, lines)) <= 100
    titles = ["Run", "Data", "Optimiser", "The model: --model=alignment"]
    assert list(sections)[:4] == titles and list(sections)[4].startswith("Other models")
    # Every setting once; a flagfile is no setting.
    names = [name for section in sections.values() for name in section]
    groups = (DataSettings, OptimizerSettings, TrainingSettings)
    groups += tuple(kind.settings for kind in MODELS.values())
    expected = {field.name for group in groups for field in dataclasses.fields(group)}
    assert sorted(names) == sorted({*expected, "flagfile"})


def test_help_of_a_model_names_its_settings_and_none_of_others(run):
    lines, sections = _help_of_training(run, "--model=m_rnn")
    names = sections.pop("The model: --model=m_rnn")
    own, other = (
        {field.name for field in dataclasses.fields(MODELS[name].settings)}
        for name in ("m_rnn", "similarity")
    )
    assert set(names) == own | {"flagfile"}
    assert list(sections) == ["Run", "Data", "Optimiser"]
    assert not (other - own) & set(names).union(*sections.values())
    # Defaults are the model's, of shared settings too.
    text = "\n".join(lines)
    assert re.search(r"--num_regions: .*\[1\]", text)
    assert re.search(r"--recurrent_size: .*\[256\]", text)


class TestRun:
    @pytest.fixture(autouse=True)
    def _own_flags(self, monkeypatch):
        monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
        monkeypatch.setattr(sys, "argv", ["program"])

    def _raise(self, error):
        def main():
            raise error

        with pytest.raises(SystemExit) as exit_:
            program.run(main, "")
        return exit_.value.code

    def test_errors_of_the_user_are_one_line(self):
        assert self._raise(VsaTfError("two\nlines")) == "error: two lines"

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
    def test_a_full_disk_is_one_line(self, number):
        message = self._raise(OSError(number, os.strerror(number)))
        assert message.startswith("error: ") and "\n" not in message
        assert os.strerror(number) in message and "run the same command again" in message

    def test_too_little_memory_is_one_line(self):
        assert "there is not as much memory" in self._raise(MemoryError())

    def test_a_path_that_cannot_be_written_is_one_line(self):
        error = OSError(errno.EROFS, "Read-only file system", "runs/x")
        assert self._raise(error) == "error: runs/x: Read-only file system"

    def test_other_errors_keep_their_traceback(self):
        def main():
            raise OSError(errno.EIO, "Input/output error")

        with pytest.raises(OSError, match="Input/output error"):
            program.run(main, "")


def test_progress_of_an_evaluation_is_a_line_every_few_seconds(capsys):
    times = iter([0, 4, 5, 5, 6, 11, 11])
    show = evaluate._printed_progress(lambda: next(times))
    for done in (1, 2, 3):
        show(done, 4)
    show(1, 9, "sentences")
    assert capsys.readouterr().err == "2 of 4 images\n1 of 9 sentences\n"


def test_lines_are_utf8_whatever_the_terminal_is_set_to():
    code = "from vsa_tf import program; program.run(lambda: print('läuft', '\\udcff'), '')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert result.stdout.decode() == "läuft \\udcff\n"
