"""What `AUTO` becomes for few captions and many."""

import pytest

from vsa_tf.models.model_table import MODELS
from vsa_tf.models.network_settings import AUTO
from vsa_tf.settings import Settings
from vsa_tf.settings_flags import settings_from_flagfile
from vsa_tf.training import auto_settings
from vsa_tf.training.auto_settings import product_seconds, resolve_settings


def _values(settings):
    groups = settings.data, settings.optimizer, settings.training, settings.model
    return {name: value for group in groups for name, value in vars(group).items()}


@pytest.mark.parametrize("num_captions", [1, 7, 100, 750, 5000, 30_000, 600_000])
@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_left_open_and_every_number_is_allowed(model, num_captions):
    settings = resolve_settings(Settings.of(model), num_captions)
    values = _values(settings)
    values.pop("host_id")  # where none is given
    assert AUTO not in [value for value in values.values() if not isinstance(value, bool)]
    # As keywords they are checked as any that are given.
    assert Settings.of(**values) == settings
    assert values["batch_size"] % settings.model.num_neighbors == 0
    assert resolve_settings(settings, 5 * num_captions) == settings


@pytest.mark.parametrize(
    ("model", "flagfile"),
    [
        ("alignment", "flickr8k_alignment"),
        ("defrag", "flickr8k_defrag"),
        ("dvsa_rnn", "flickr8k_dvsa_rnn"),
        ("m_rnn", "flickr8k_m_rnn"),
        ("embedding", "flickr8k_embedding"),
    ],
)
def test_flickr8k_gets_what_its_flagfile_says(model, flagfile, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    expected = _values(settings_from_flagfile(f"flags/{flagfile}.flags"))
    received = _values(resolve_settings(Settings.of(model), 30_000))
    differing = {name for name in expected if expected[name] != received[name]}
    # Evaluated on test where there is one; English letters are folded there.
    assert differing <= {"test_split", "fold_letters", "learning_rate_warmup_steps"}
    assert received["learning_rate_warmup_steps"] <= 200


def test_few_captions_have_small_batches_all_words_and_a_short_warmup():
    lines = []
    values = _values(resolve_settings(Settings.of("alignment"), 750, lines.append))
    assert (values["batch_size"], values["min_count"]) == (32, 1)
    steps = values["num_epochs"] * -(-750 // 32)
    assert 0 < values["learning_rate_warmup_steps"] < steps / 10
    (line,) = lines
    assert line.startswith("for 750 captions: ")
    assert "--batch_size=32" in line and "--min_count=1" in line
    hinge = _values(resolve_settings(Settings.of("alignment", negatives="hardest"), 750))
    assert hinge["hardness_warmup_epochs"] == 0.75 * hinge["num_epochs"]


@pytest.mark.parametrize("negatives", ["sum", "softmax"])
def test_what_is_given_stays_and_shares_are_of_it(negatives):
    lines = []
    given = Settings.of("alignment", num_epochs=4, batch_size=75, min_count=3, negatives=negatives)
    values = _values(resolve_settings(given, 750, lines.append))
    assert (values["num_epochs"], values["batch_size"], values["min_count"]) == (4, 75, 3)
    # 40 steps; a loss of all negatives has none to grow harder.
    assert values["learning_rate_warmup_steps"] == round(40 / 14)
    assert values["hardness_warmup_epochs"] == 0.0
    assert "batch_size" not in lines[0]


def test_more_captions_never_have_smaller_batches_or_more_epochs():
    sizes = [10 * 2**power for power in range(18)]
    resolved = [_values(resolve_settings(Settings.of("embedding"), size)) for size in sizes]
    for name, sign in (("batch_size", 1), ("min_count", 1), ("num_epochs", -1)):
        values = [sign * each[name] for each in resolved]
        assert values == sorted(values)
    for size, each in zip(sizes, resolved):
        assert each["batch_size"] <= max(size // 2, 2)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((0.02, 0.005), "true"), ((0.02, 0.019), "false"), ((0.02, 0.2), "false")],
)
def test_bfloat16_is_chosen_where_it_is_faster(seconds, expected, monkeypatch):
    monkeypatch.setattr(auto_settings, "has_bfloat16", lambda: True)
    monkeypatch.setattr(auto_settings, "product_seconds", lambda: seconds)
    settings, lines = Settings.of("alignment", mixed_precision="auto"), []
    resolved = resolve_settings(settings, 30_000, lines.append)
    assert resolved.training.mixed_precision == expected
    assert f"takes 20.0 ms in float32 and {1e3 * seconds[1]:.1f} ms in bfloat16" in lines[-1]
    assert lines[-1].endswith(f"--mixed_precision={expected}")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("avx2 fma", "false"), ("avx2 amx_bf16", "true"), ("avx512_bf16", "true")],
)
def test_a_cpu_without_bfloat16_is_not_measured(flags, expected, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu {flags} sse\n")
    monkeypatch.setattr(auto_settings, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(auto_settings, "product_seconds", lambda: (3.0, 1.0))
    settings, lines = Settings.of("alignment", mixed_precision="auto"), []
    resolved = resolve_settings(settings, 30_000, lines.append)
    assert resolved.training.mixed_precision == expected
    assert ("neither AMX nor AVX512-BF16" in lines[-1]) == (expected == "false")


@pytest.mark.parametrize("given", ["true", "false"])
def test_what_is_given_is_not_measured(given, monkeypatch):
    monkeypatch.setattr(auto_settings, "product_seconds", lambda: pytest.fail("it was measured"))
    settings = resolve_settings(Settings.of("alignment", mixed_precision=given), 30_000)
    assert settings.training.mixed_precision == given


def test_a_product_takes_time_in_either_precision():
    wide, narrow = product_seconds()
    # Of 512 or more a side, on a CPU: 0.27 thousand million operations.
    assert wide > 1e-4 and narrow > 0
