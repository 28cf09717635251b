"""`import vsa_tf` and `python -m vsa_tf`: everything is there, and nothing is loaded before."""

import inspect
import re
import subprocess
import sys

import pytest

import vsa_tf
from tests.source_imports import PACKAGES, ROOT
from tests.without_tensorflow import run_without_tensorflow
from vsa_tf.models.alignment.alignment_model import AlignmentModel
from vsa_tf.models.model_table import MODELS

NAMED = """
import sys
import vsa_tf
names = dir(vsa_tf), vsa_tf.__all__, vsa_tf.VsaTfError, vsa_tf.__version__
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_it_loads_neither_tensorflow_nor_keras_nor_numpy():
    result = subprocess.run(
        [sys.executable, "-c", NAMED], cwd=ROOT, capture_output=True, text=True, check=True
    )
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
    listed = re.findall(r"^python -m (\S+) +(\S.*)$", result.stdout, re.MULTILINE)
    assert dict(listed) == _programs()
    assert len(listed) == len(dict(listed)) >= 17
    assert result.stdout.endswith("\nEach says more with --help.\n")


def test_a_program_behind_the_list_is_told_how_it_is_run(tmp_path):
    result = run_without_tensorflow("vsa_tf", "align", "--image=a.jpg", directory=tmp_path)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == "error: python -m vsa_tf takes no align: python -m vsa_tf.align\n"


def test_the_documents_name_what_there_is():
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"vsa_tf\.([A-Za-z_]+)\(", text))
    assert named and named <= set(vsa_tf.__all__)
