import sys

import pytest
from absl import flags

from tests.inference.program_lines import program_lines
from vsa_tf import program
from vsa_tf.errors import InputError, VsaTfError, operation_reason
from vsa_tf.models.model_table import MODELS
from vsa_tf.settings import Settings


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "assertion failed: [Expected 8 pixels. Received:] [6] [5]\n\t [[{{node a/Assert}}]]",
            "Expected 8 pixels. Received: 6 5",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID_ARGUMENT: assertion failed: [Expected it]\n\t "
            "[[{{node a}}]]\n\t [[b]]\n  (1) INVALID_ARGUMENT: assertion failed: [Expected it]",
            "Expected it",
        ),
        ("2 root error(s) found.\n  (0) NOT_FOUND: no key\n\t [[{{node a}}]]", "no key"),
        (
            "Graph execution error:\n\nDetected at a\nUnknown image\n\t [[{{node a}}]]",
            "Unknown image",
        ),
        (
            "{{function_node __wrapped__Mul}} Incompatible shapes: [2] vs. [3]",
            "Incompatible shapes: [2] vs. [3]",
        ),
        ("several\nlines", "several\nlines"),
    ],
)
def test_what_an_operation_says_is_told_in_its_words(message, expected):
    assert operation_reason(message) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("--num_regions=0: expected one or more", "num_regions=0: expected one or more"),
        ("give --data_dir, or leave out --split", "give data_dir, or leave out split"),
        ("--normalized_x needs --notes_file", "normalized_x needs notes_file"),
        # Commands are what is typed.
        (
            "run vsa_tf.index --index_dir=i --approximate",
            "vsa_tf.index --index_dir=i --approximate",
        ),
        ("python -m tfrecords_tools.inspect --check d", "tfrecords_tools.inspect --check d"),
        ("Run: pip install --force-reinstall --no-deps x", "pip install --force-reinstall --no-d"),
        ("a - b -- c", "a - b -- c"),
    ],
)
def test_an_error_names_arguments_and_keeps_the_flags(message, expected):
    error = VsaTfError(message)
    assert expected in str(error)
    assert error.of_flags == message


def test_every_setting_is_named_as_the_keyword_that_it_is():
    for name in MODELS:
        for group in vars(Settings.of(name)).values():
            for setting in vars(group):
                assert str(VsaTfError(f"--{setting}=x")) == f"{setting}=x"


def test_errors_are_value_errors_and_stay_what_they_are():
    assert issubclass(VsaTfError, ValueError) and issubclass(InputError, VsaTfError)
    error = InputError("--image=x")
    assert VsaTfError.of(error) is error
    other = VsaTfError.of(ValueError("--image=x"))
    assert type(other) is VsaTfError and other.of_flags == "--image=x"


def test_programs_print_flags(monkeypatch):
    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    monkeypatch.setattr(sys, "argv", ["program"])

    def main():
        raise VsaTfError("--top_k=0: expected\none or more")

    with pytest.raises(SystemExit) as ended:
        program.run(main, "")
    assert ended.value.code == "error: --top_k=0: expected one or more"


def test_one_error_is_of_flags_in_a_program_and_of_arguments_in_python(monkeypatch, capsys):
    with pytest.raises(
        ValueError, match="^Expected one of model_dir, saved_model .*: model_dir and server"
    ):
        from vsa_tf.inference.model_source import ModelSource

        ModelSource(model_dir="a", server="b")
    given = ("--model_dir=a", "--server=b", "a.jpg")
    lines, said = program_lines(monkeypatch, capsys, "caption", *given)
    assert not lines
    assert said.startswith("error: Expected one of --model_dir, --saved_model and --server")
