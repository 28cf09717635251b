import pytest
from absl import flags

from vsa_tf import settings as config
from vsa_tf import train
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
        "train_model",
        lambda settings, say, progress_bar: calls.append("train") or {"split": "test"},
    )
    monkeypatch.setattr(
        write_report,
        "write_report",
        lambda model_dir, split, output_dir, say: calls.append(
            ("report", model_dir, split, output_dir)
        ),
    )
    monkeypatch.setattr(
        export_model, "export_model", lambda options, settings: calls.append(("export", options))
    )
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    # Flags belong to the values that stood there when they were defined.
    for name in ("DEFINE_enum", "DEFINE_bool", "DEFINE_integer", "DEFINE_float", "DEFINE_string"):
        define = getattr(flags, name)
        monkeypatch.setattr(
            flags,
            name,
            lambda *args, define=define, **options: define(
                *args, flag_values=flags.FLAGS, **options
            ),
        )
    config.define_flags()

    def run(*arguments):
        flags.FLAGS(["train", f"--data_dir={tmp_path}", "--model_dir=model", *arguments])
        train.main()
        return calls

    return run


def test_a_run_ends_with_its_metrics_unless_more_is_asked_for(run):
    assert run() == ["train"]


def test_pages_are_of_the_split_of_the_final_evaluation(run):
    assert run("--report_dir=pages") == ["train", ("report", "model", "test", "pages")]


def test_an_export_has_the_encoder_and_detector_that_are_named(run):
    calls = run("--export_dir=out", "--export_detector=grid", "--export_image_encoder=keras:X")
    options = calls[-1][1]
    assert (options.model_dir, options.export_dir) == ("model", "out")
    assert (options.detector, options.image_encoder) == ("grid", "keras:X")
    assert options.split is None and options.num_examples == 4


def test_another_backend_cannot_export(run, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(VsaTfError, match="--export_dir: a SavedModel is written by TensorFlow"):
        run("--export_dir=out")
