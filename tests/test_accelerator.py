"""The check of accelerators: what it compares and counts, and that it runs without TensorFlow."""

import importlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.source_imports import ROOT, imported_names, source_files

pytest.importorskip("benchmarks", reason="benchmarks are a part of the checkout alone")
accelerator = importlib.import_module("benchmarks.accelerator")
cases = importlib.import_module("benchmarks.training_cases")
steps = importlib.import_module("benchmarks.training_steps")

_NEEDS_JAX = "JAX, which the check of accelerators needs, is not installed"
_SEVERAL = [(model, size) for size, models in cases.SIZES.items() for model in models]
_ABSENT = ("tensorflow", "tensorflow_text", "tensorflow_hub", "sklearn", "torch", "pandas")


def test_what_the_check_imports_of_ours_imports_no_tensorflow():
    files = source_files()
    programs = ("accelerator", "training_cases", "training_steps")
    left = [ROOT / "benchmarks" / f"{name}.py" for name in programs]
    imported, seen = set(), set()
    while left:
        path = left.pop()
        # Of the program itself, what its functions import, too.
        names = imported_names(path, in_functions=path.stem in programs[:2])
        imported |= names
        left += [files[name] for name in names & set(files) - seen]
        seen |= names
    loads = {kind.network.partition(":")[0] for kind in cases.MODELS.values()}
    for module in loads:
        imported |= imported_names(files[module], in_functions=False)
    assert "vsa_tf.training.compiling" in imported
    assert {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) == {
        *("absl", "benchmarks", "jax", "keras", "numpy", "vsa_tf")
    }


@pytest.mark.parametrize("model, size", _SEVERAL)
def test_settings_are_the_papers_and_have_one_result(model, size):
    case = cases.Case.of(model, size)
    settings = case.make_settings()
    assert settings.training.model == model
    assert settings.model.dropout == 0.0
    network = settings.model.network(1, settings.training.num_epochs)
    starts = [value for name, value in network.items() if name.endswith(("start_step", "steps"))]
    assert not any(starts), "every part of the loss counts from the first step on"


@pytest.mark.parametrize("model", cases.MODELS)
def test_batches_have_padding_and_two_sentences_of_an_image(model):
    case = cases.Case.of(model, "small")
    for width in case.buckets:
        batch = case.make_batch(width)
        again = case.make_batch(width)
        assert all(np.array_equal(value, again[name]) for name, value in batch.items())
        ids, first = np.unique(batch["image_id"], return_index=True)
        assert len(ids) < case.batch_size
        for name in ("region_features", "region_boxes", "region_mask"):
            of_images = batch[name][first[np.searchsorted(ids, batch["image_id"])]]
            assert np.array_equal(batch[name], of_images)
        assert batch["region_mask"][:, 0].all()
        assert not batch["region_features"][~batch["region_mask"]].any()
        assert (batch["region_boxes"][..., :2] <= batch["region_boxes"][..., 2:]).all()
        if width:
            read = batch["relations" if case.num_relations else "token_ids"]
            assert read.shape == (case.batch_size, width)
            assert (read[:, : width // 2] != 0).all() and (read == 0).any()
            # PAD is on the right.
            assert (np.diff((read == 0).astype(int), axis=1) >= 0).all()


def test_rates_count_words_and_ends_or_pairs():
    case = cases.Case.of("m_rnn", "small")
    batch = {"token_ids": np.array([[5, 6, 0], [7, 0, 0]])}
    assert case.units_of(batch) == ("tokens", 3 + case.batch_size)
    assert cases.Case.of("similarity", "small").units_of({}) == ("pairs", 40)


def test_a_gradient_of_small_numbers_is_compared_by_its_own_norm():
    expected = [np.float32([3.0, 4.0]), np.float32([0.0, 0.1])]

    def check(gradients, loss=2.0, each=True):
        return steps.check_gradients(loss, gradients, 2.0, expected, 1e-4 if each else 2e-2, each)

    assert check(expected)["passes"]
    # .1 is two hundredths of the norm of all, 5.001: above the floor of a hundredth.
    other = [expected[0], np.float32([0.0, 0.101])]
    assert check(other)["gradient_error"] == pytest.approx(0.01, rel=1e-3)
    assert not check(other)["passes"] and check(other, each=False)["passes"]
    # Of the same length, a fifth of a radian apart; and in the same direction, longer.
    turned = [np.float32([3 * np.cos(0.2) - 4 * np.sin(0.2), 3 * np.sin(0.2) + 4 * np.cos(0.2)])]
    turned = check([*turned, expected[1]], each=False)
    assert (
        turned["direction_error"] == pytest.approx(0.02, rel=0.01) and turned["length_error"] < 1e-6
    )
    longer = check([1.03 * each for each in expected], each=False)
    assert longer["length_error"] == pytest.approx(0.03) and not longer["passes"]
    assert not check(expected, loss=2.001)["passes"]
    assert not check([expected[0], np.float32([0.0, np.nan])])["passes"]
    assert not check(expected, loss=float("nan"))["passes"]


def test_failures_are_told_and_a_lack_of_time_is_none():
    good, bad = {"passes": True}, {"passes": False}
    row = {"model": "m_rnn", "size": "small", "precision": "float32"}
    results = {
        "rows": [{**row, "check": good, "compilations": good, "torch": {"eager": {"check": good}}}],
        "not_measured": [
            {"what": "m_rnn, large", "why": "--seconds=1 are over"},
            {"what": "PyTorch", "why": "No module named 'torch'"},
            {"what": "m_rnn, small, float32, PyTorch compiled", "why": "RuntimeError: no compiler"},
            {"what": "m_rnn, large, float32, PyTorch", "why": "OutOfMemoryError: CUDA"},
        ],
    }
    assert accelerator.failures(results) == []
    results["not_measured"] += [
        {"what": "peaks", "why": "RuntimeError: no memory"},
        {"what": "m_rnn, small, float32, PyTorch", "why": "KeyError: 'kernel'"},
    ]
    results["rows"][0] |= {"compilations": bad, "torch": {"eager": {"check": bad}}}
    assert accelerator.failures(results) == [
        "peaks: RuntimeError: no memory",
        "m_rnn, small, float32, PyTorch: KeyError: 'kernel'",
        f"m_rnn, small, float32, compilations: {bad}",
        f"m_rnn, small, float32, PyTorch eager: {bad}",
    ]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--models=mrnn"], "expected --models of alignment, "),
        (["--sizes=huge"], "expected --sizes of papers, large, small, received 'huge'"),
        (["--torch_path=nowhere"], "--torch_path=nowhere is not a directory"),
        (["--output=nowhere/x.json"], "--output=nowhere/x.json: there is no such directory"),
    ],
)
def test_flags_are_refused_first(flags, message, monkeypatch, capsys, tmp_path):
    output = f"--output={tmp_path / 'x.json'}"
    monkeypatch.setattr(sys, "argv", ["accelerator", output, *flags])
    with pytest.raises(SystemExit):
        accelerator.main()
    assert message in capsys.readouterr().err


def test_operations_of_a_loop_count_as_often_as_it_runs():
    jax = pytest.importorskip("jax", reason=_NEEDS_JAX)

    def step(state, inputs):
        def body(state, each):
            return jax.numpy.tanh(state @ each), None

        return jax.lax.scan(body, state, inputs)[0]

    # Five products of [2, 3] and [3, 3].
    values = np.ones((2, 3), np.float32), np.ones((5, 3, 3), np.float32)
    operations, num_bytes = steps.work_of(jax.make_jaxpr(jax.jit(step))(*values))
    assert operations == 5 * 2 * 2 * 3 * 3
    # The step's own arguments and result, and those of the products.
    assert num_bytes == 4 * ((6 + 45 + 6) + 5 * (6 + 9 + 6))


def test_a_step_is_checked_and_measured_without_tensorflow(tmp_path):
    pytest.importorskip("jax", reason=_NEEDS_JAX)
    program = (
        "import runpy, sys\n"
        f"sys.modules |= dict.fromkeys({_ABSENT!r})\n"  # importing one of them raises
        "runpy.run_module('benchmarks.accelerator', run_name='__main__', alter_sys=True)\n"
    )
    output = tmp_path / "results.json"
    arguments = ["--sizes=small", "--models=m_rnn", "--precisions=bfloat16"]
    result = subprocess.run(
        [sys.executable, "-c", program, f"--output={output}", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            # The accelerator is a device of its own: JAX refuses what lies on the other one.
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    results = json.loads(output.read_text("utf-8"))
    assert results["not_measured"] == [
        {"what": "PyTorch", "why": results["not_measured"][0]["why"]}
    ]
    peaks, row = results["rows"]
    assert peaks["bfloat16_matrix_tflops"] > 0 and peaks["copy_gb_per_second"] > 0
    assert results["machine"]["device"] == peaks["device"] == "cpu (cpu)"
    assert results["command"].startswith("KERAS_BACKEND=jax python -m benchmarks.accelerator --o")
    assert (row["model"], row["size"], row["precision"]) == ("m_rnn", "small", "bfloat16")
    # Not 0: the CPU's values are of float32.
    assert row["check"]["passes"] and 1e-4 < row["check"]["gradient_error"] < 0.05
    assert row["check"]["step_loss"] == pytest.approx(row["check"]["loss"], rel=0.02)
    assert row["compilations"] == {"buckets": 2, "first_steps": 2, "later_steps": 0, "passes": True}
    assert row["step_ms"] > 0 and row["tokens_per_second"] > 0 and row["peak_memory_mib"] > 0
    assert row["share_of_matrix_peak"] > 0 and row["share_of_bandwidth"] > 0
