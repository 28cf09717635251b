"""Who may import whom: BUILD's rows are the rule. Data flows one way, no module reaches back."""

import graphlib
import subprocess
import sys

from tests.build_table import read_build
from tests.source_imports import PACKAGES, ROOT, imported_names, module_name, source_files

# Packages that few modules may import, whatever else their rows say: exactly these do.
_ONLY_IN = {
    "apache_beam": {"tfrecords_tools.beam_pool"},
    "cv2": {"tfrecords_tools.detection.opencv_proposals"},
    "faiss": {"vsa_tf.search_index.approximate_index"},
    "gensim": {"vsa_tf.sentence_features.word_vector_table"},
    "kagglehub": {"vsa_tf.model_handles"},
    "keras_hub": {"vsa_tf.model_handles"},
    "grpc": {"vsa_tf.server.grpc_server"},
    # Its exporter, its RoIAlign and its augmentation.
    "official": {
        "tfrecords_tools.detection.garden_detector",
        "tfrecords_tools.detection.saved_model_detector",
        "vsa_tf.data.augmentation",
    },
    "pillow_heif": {"tfrecords_tools.image_decoding"},
    "pycocoevalcap": {"vsa_tf.metrics.caption_scores"},
    "spacy": {"tfrecords_tools.parse"},
    "tensorboard": {"vsa_tf.reporting.projector", "vsa_tf.training.callbacks"},
    "tensorflow_datasets": {"tfrecords_tools.sources.tfds_features"},
    "tensorflow_hub": {"vsa_tf.model_handles"},
    # Word pieces are learnt and cut by it, and a server has its operations, as TF Serving has.
    "tensorflow_text": {"vsa_tf.data.text_ops", "vsa_tf.server.model_versions"},
    "waitress": {"vsa_tf.server.model_server"},
    "wordllama": {"vsa_tf.sentence_features.word_vector_table"},
}
# Packages whose `__getattr__` imports what is asked for.
_LAZY = {"vsa_tf", "vsa_tf.models"}
_UNNAMED = {"utils", "util", "helpers", "helper", "common", "misc"}

_BUILD = read_build()
_DEPS, _PROGRAMS = _BUILD.DEPS, _BUILD.PROGRAMS
_ROWS = _DEPS | _PROGRAMS
_FILES = source_files()
_INITS = [module for module, path in _FILES.items() if path.name == "__init__.py"]
_NEUTRAL = [row for row in _DEPS if row.startswith(("vsa_tf.models", "vsa_tf.decoding"))]
_MODULES = [module for module in _FILES if module not in _INITS]
_IMPORTS = {module: imported_names(path) for module, path in _FILES.items()}
_ROW_OF = {module_name(ROOT / path): row for row in _ROWS for path in _BUILD.targets[row].srcs}


def _is_within(name, package):
    return name == package or name.startswith(f"{package}.")


def _allowed(row):
    return _ROWS[row] + _BUILD.OF_PROGRAMS if row in _PROGRAMS else _ROWS[row]


def _needs(module):
    """Returns what a module imports that a row must name: a dict of import to its dependency.

    The dependency is the row of a module of ours, and what a row calls an installed package; None
    is what no row could name, a package of ours for one: its modules are to be imported.
    """
    row = _ROW_OF[module]
    needs = {}
    for name in _IMPORTS[module]:
        if name.split(".")[0] in PACKAGES:
            needs[name] = _ROW_OF.get(name)
        elif name.split(".")[0] not in sys.stdlib_module_names:
            needs[name] = next((dep for dep in _allowed(row) if _is_within(name, dep)), None)
    return {name: dep for name, dep in needs.items() if dep != row}


def _below(row):
    """Returns all that a row rests on, its dependencies and theirs."""
    below = set(_DEPS.get(row, ()))
    return below.union(*map(_below, below))


def test_imports_are_in_the_row():
    assert set(_MODULES) <= set(_ROW_OF), "in no row of BUILD: say there what they may import"
    refused = {
        module: sorted(name for name, dep in _needs(module).items() if dep not in allowed)
        for module, allowed in ((each, _allowed(_ROW_OF[each])) for each in _MODULES)
    }
    refused = {f"{module} ({_ROW_OF[module]})": names for module, names in refused.items() if names}
    assert not refused, "modules, their rows of BUILD, and what those do not name"


def test_a_row_names_only_what_its_files_import():
    used = {row: set() for row in _ROWS}
    for module in _MODULES:
        used[_ROW_OF[module]].update(_needs(module).values())
    assert {_ROW_OF[module] for module in _MODULES} == set(_ROWS), "rows of BUILD without a file"
    stale = {row: sorted(set(deps) - used[row]) for row, deps in _ROWS.items()}
    assert not {row: deps for row, deps in stale.items() if deps}, "no file of the row imports that"
    assert [row for row, deps in _ROWS.items() if len(set(deps)) < len(deps)] == [], "named twice"


def test_rows_name_rows_above_them_so_that_there_is_no_circle():
    rows = list(_ROWS)  # programs stand below all rows
    for number, row in enumerate(rows):
        later = [dep for dep in _ROWS[row] if dep in rows[number:] or dep in _PROGRAMS]
        assert not later, f"{row} of BUILD names {later}, which stand below it or are programs"


def test_no_module_imports_itself_in_a_circle():
    graph = {module: names & set(_FILES) for module, names in _IMPORTS.items()}
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_imports_of_the_project_exist():
    for module, names in _IMPORTS.items():
        for name in names:
            assert name.split(".")[0] not in PACKAGES or name in _FILES, f"{module}: {name}"


def test_packages_import_nothing_of_ours_by_themselves():
    for package in _INITS:
        names = imported_names(_FILES[package], in_functions=package not in _LAZY)
        roots = {name.split(".")[0] for name in names}
        assert roots <= sys.stdlib_module_names, f"{package}/__init__.py imports {sorted(roots)}"


def test_models_and_decoding_need_keras_and_numpy_alone():
    for row in _NEUTRAL:
        assert {dep for dep in _below(row) if dep not in _DEPS} <= {"keras", "numpy"}, row


def test_sources_need_neither_tensorflow_nor_keras():
    assert not {"tensorflow", "keras"} & _below("tfrecords_tools.sources")


def test_heavy_packages_are_imported_in_their_places_alone():
    importers = {
        package: {
            module
            for module, names in _IMPORTS.items()
            if any(_is_within(name, package) for name in names)
        }
        for package in _ONLY_IN
    }
    assert importers == _ONLY_IN


def test_module_names_say_what_is_in_them():
    for module in _FILES:
        assert not _UNNAMED & set(module.split(".")), module


def test_programs_start_without_tensorflow():
    # As `python -m` does up to `main()`: flags are defined before they are read. What one has
    # loaded stays: the first that loads more than it may is named.
    code = (
        "import importlib, sys\n"
        "from absl import flags\n"
        "slow = {'tensorflow', 'keras', 'torch', 'jax', 'tensorflow_hub', 'tensorflow_text',\n"
        "        'keras_hub', 'kagglehub', 'official'}\n"
        "for name in sys.argv[1:]:\n"
        "    for flag in list(flags.FLAGS):  # of the program before\n"
        "        delattr(flags.FLAGS, flag)\n"
        "    importlib.import_module(name).__dict__.get('define_flags', lambda: None)()\n"
        "    assert not slow & set(sys.modules), (name, slow & set(sys.modules))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, "vsa_tf", *_PROGRAMS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
