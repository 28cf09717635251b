import pytest
from absl import flags

from vsa_tf import settings_flags, train
from vsa_tf.errors import VsaTfError
from vsa_tf.inference import export_model
from vsa_tf.reporting import write_report
from vsa_tf.training import train_model


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the program with a training, a report and an export that only say they were asked."""
    calls = []
    monkeypatch.setattr(
        train_model,
        "train_and_evaluate",
        lambda settings, say, stream: calls.append("train") or ({"split": "test"}, "data", "found"),
    )
    monkeypatch.setattr(
        write_report,
        "write_report",
        lambda model_dir, split, output_dir, evaluated: calls.append(
            ("report", model_dir, split, output_dir, evaluated)
        ),
    )
    monkeypatch.setattr(
        export_model, "export_model", lambda *arguments, say: calls.append(("export", *arguments))
    )
    flag_values = flags.FlagValues()
    settings_flags.define_flags(flag_values)
    from_flags = settings_flags.settings_from_flags
    monkeypatch.setattr(settings_flags, "settings_from_flags", lambda: from_flags(flag_values))

    def run(*arguments):
        flag_values(["train", f"--data_dir={tmp_path}", "--model_dir=model", *arguments])
        train.main()
        return calls

    return run


def test_a_run_ends_with_its_metrics_unless_more_is_asked_for(run):
    assert run() == ["train"]


def test_pages_are_of_the_final_evaluation(run, capsys):
    pages = ("report", "model", "test", "pages", ["data", "found"])
    assert run("--report_dir=pages") == ["train", pages]
    assert capsys.readouterr().out.splitlines() == ["open pages/index.html"]


def test_of_several_hosts_one_has_pages(run, monkeypatch):
    monkeypatch.setattr(
        train_model, "train_and_evaluate", lambda *_: ({"split": "test"}, None, None)
    )
    assert run("--report_dir=pages") == []


def test_an_export_has_the_encoder_and_detector_that_are_named(run):
    calls = run("--export_dir=out", "--export_detector=grid", "--export_image_encoder=keras:X")
    assert calls[-1] == ("export", "model", "out", "keras:X", "grid")


def test_a_detector_that_no_graph_holds_is_refused_before_training(run):
    with pytest.raises(VsaTfError, match="^export_detector: .*Received: grid,selective_search"):
        run("--export_dir=out", "--export_detector=grid,selective_search")


@pytest.mark.parametrize("backend", ["torch", "jaxx"])
def test_another_backend_cannot_train(run, monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(VsaTfError, match=f"KERAS_BACKEND=tensorflow or jax.*Received: {backend}"):
        run()


def test_another_backend_cannot_export(run, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(VsaTfError, match="export_dir: a SavedModel is written by TensorFlow"):
        run("--export_dir=out")
