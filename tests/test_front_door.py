"""`import vsa_tf` and `python -m vsa_tf`: everything is there, and nothing is loaded before."""

import configparser
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import vsa_tf
from tests.source_imports import PACKAGES, ROOT
from tests.without_tensorflow import refusal, run_without_tensorflow
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.model_table import MODELS

NAMED = """
import sys
import vsa_tf
names = dir(vsa_tf), vsa_tf.__all__, vsa_tf.VsaTfError, vsa_tf.__version__
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_it_warns_of_nothing_and_loads_neither_tensorflow_nor_keras_nor_numpy():
    command = [sys.executable, "-W", "error", "-c", NAMED]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    loaded = set(result.stdout.split())
    assert "vsa_tf" in loaded
    assert not loaded & {"tensorflow", "keras", "numpy", "PIL", "absl"}


def test_every_name_is_there_and_listed():
    for name in vsa_tf.__all__:
        found = getattr(vsa_tf, name)
        assert found.__name__.rpartition(".")[2] == name
        assert inspect.ismodule(found) or found.__doc__
    assert set(vsa_tf.__all__) <= set(dir(vsa_tf))
    assert len(set(vsa_tf.__all__)) == len(vsa_tf.__all__)


@pytest.mark.parametrize("module", [vsa_tf, vsa_tf.models])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has .* 'open_door'"):
        _ = module.open_door
    assert not hasattr(module, "open_door")


def test_models_are_by_their_names():
    assert vsa_tf.models.AlignmentModel is AlignmentModel
    assert AlignmentModel(vocabulary_size=9).vocabulary_size == 9
    for kind in MODELS.values():
        network = kind.load()
        assert getattr(vsa_tf.models, network.__name__) is network
        assert network.__name__ in dir(vsa_tf.models)


def _programs():
    """Returns the modules of the project that are run by `python -m`, and their first lines."""
    programs = {}
    for package in PACKAGES:
        for path in (ROOT / package).glob("*.py"):
            source = path.read_text(encoding="utf-8")
            if 'if __name__ == "__main__":' in source and path.name != "__main__.py":
                programs[f"{package}.{path.stem}"] = re.match('"""(.*)\n', source)[1].strip('"')
    return programs


def test_every_program_is_listed_with_its_first_line(tmp_path):
    result = run_without_tensorflow("vsa_tf", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    *lines, blank, last = result.stdout.splitlines()
    listed = [re.fullmatch(r"vsa (\w+) +(\S.*)", line).groups() for line in lines]
    assert sorted(line for _, line in listed) == sorted(_programs().values())
    assert len(listed) == len(dict(listed)) >= 17
    assert blank == "" and last.startswith("Each says more with --help.")


@pytest.mark.parametrize("module", sorted(_programs()))
def test_the_command_runs_every_program(module, tmp_path):
    name = {"tfrecords_tools.export": "export-records"}.get(module, module.partition(".")[2])
    result = run_without_tensorflow("vsa_tf", name, "--help", directory=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"python -m {module}" in result.stdout


def test_a_program_that_is_not_there_is_told_of_with_those_like_it(tmp_path):
    result = run_without_tensorflow("vsa_tf", "trian", "--model_dir=m", directory=tmp_path)
    assert refusal(result) == "error: there is no program trian. Did you mean train?"


def test_the_version_is_said_by_the_command_and_by_each_program(tmp_path):
    for arguments in (["--version"], ["search", "--version"]):
        result = run_without_tensorflow("vsa_tf", *arguments, directory=tmp_path)
        assert (result.returncode, result.stdout) == (0, f"vsa_tf {vsa_tf.__version__}\n")


def test_the_package_brings_the_command_and_the_flagfiles():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    place = config["options.entry_points"]["console_scripts"].strip().removeprefix("vsa = ")
    assert inspect.isfunction(pkgutil.resolve_name(place))
    patterns = config["options.package_data"]["vsa_tf"].split(", ")
    brought = {path for pattern in patterns for path in (ROOT / "vsa_tf").glob(pattern)}
    held = {path for path in (ROOT / "flags").rglob("*") if path.is_file()}
    assert {path.resolve() for path in brought} == held


def test_the_documents_name_what_there_is():
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"vsa_tf\.([A-Za-z_]+)\(", text))
    assert named and named <= set(vsa_tf.__all__)
