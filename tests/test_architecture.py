"""Who may import whom. Data flows one way, and no module reaches back."""

import graphlib
import subprocess
import sys

import pytest

from tests.source_imports import ROOT, imported_names, source_files

# What modules may import besides the standard library: a name allows itself and what is below it.
# The longest matching name rules, for a module or one of its packages.
_ALLOWED = {
    # The bottom: programs read their flags with these before TensorFlow is imported.
    "vsa_tf.files": (),
    "vsa_tf.files": (),
    "vsa_tf.boxes": ("numpy",),
    "vsa_tf.files": ("numpy", "vsa_tf.files"),
    "vsa_tf.text": ("vsa_tf.files", "vsa_tf.text"),
    "vsa_tf.program": ("absl",),
    "vsa_tf.models.settings": ("vsa_tf.program",),
    "vsa_tf.models.alignment.settings": ("vsa_tf.models.settings", "vsa_tf.program"),
    "vsa_tf.models.captioning.settings": (
        "vsa_tf.models.alignment.settings",
        "vsa_tf.models.settings",
        "vsa_tf.program",
    ),
    "vsa_tf.settings": (
        "absl",
        "vsa_tf.models.captioning.settings",
        "vsa_tf.models.settings",
        "vsa_tf.program",
    ),
    # Models and what they are made of run on any Keras backend.
    "vsa_tf.layers": ("keras", "numpy", "vsa_tf.layers"),
    "vsa_tf.losses": ("keras", "vsa_tf.losses"),
    "vsa_tf.models": ("keras", "numpy", "vsa_tf.layers", "vsa_tf.losses", "vsa_tf.models"),
    "vsa_tf.decoding": ("keras", "numpy", "vsa_tf.decoding"),
    # Numbers and pictures.
    "vsa_tf.metrics": ("numpy", "vsa_tf.boxes", "vsa_tf.metrics"),
    "vsa_tf.metrics.caption_scores": (
        "numpy",
        "pycocoevalcap",
        "vsa_tf.metrics",
        "vsa_tf.text.ptb_tokenizer",
    ),
    "vsa_tf.metrics.caption_similarity": ("numpy", "scipy", "vsa_tf.metrics"),
    "vsa_tf.retrieval": ("keras", "numpy", "vsa_tf.retrieval"),
    "vsa_tf.visualization": ("PIL", "numpy", "vsa_tf.decoding", "vsa_tf.visualization"),
    # Sentences as fixed features, and what linear algebra makes of them: no network is trained.
    "vsa_tf.sentence_features": (
        "numpy",
        "scipy",
        "sklearn",
        "vsa_tf.files",
        "vsa_tf.sentence_features",
        "vsa_tf.text",
    ),
    "vsa_tf.sentence_features.train_word_vectors": ("gensim", "numpy", "vsa_tf.sentence_features"),
    "vsa_tf.baselines": ("numpy", "scipy", "vsa_tf.files", "vsa_tf.baselines"),
    # Records to batches.
    "vsa_tf.data": ("numpy", "tensorflow", "vsa_tf.boxes", "vsa_tf.data", "vsa_tf.text"),
    "vsa_tf.data.parsed_record": ("google.protobuf", "numpy", "tensorflow", "vsa_tf.data"),
    "vsa_tf.data.schema": (),
    "vsa_tf.data.text_ops": ("numpy", "tensorflow", "tensorflow_text", "vsa_tf.text"),
    "vsa_tf.data.text_ops": ("tensorflow_text", "vsa_tf.text"),
    # Above the model: models as directories keep them, and what they are worth.
    "vsa_tf.model_dir": (
        "numpy",
        "vsa_tf.files",
        "vsa_tf.settings",
        "vsa_tf.data",
        "vsa_tf.files",
        "vsa_tf.model_dir",
        "vsa_tf.models",
        "vsa_tf.program",
        "vsa_tf.sentence_features",
        "vsa_tf.text",
    ),
    "vsa_tf.evaluation": (
        "keras",
        "numpy",
        "vsa_tf.files",
        "vsa_tf.baselines",
        "vsa_tf.data",
        "vsa_tf.decoding",
        "vsa_tf.evaluation",
        "vsa_tf.layers",
        "vsa_tf.metrics",
        "vsa_tf.model_dir",
        "vsa_tf.models",
        "vsa_tf.program",
        "vsa_tf.retrieval",
        "vsa_tf.text",
        "vsa_tf.visualization",
    ),
    # A generated data set knows how well it can be told apart.
    "vsa_tf.evaluation.generated_scenes": ("numpy", "tfrecords_tools.sources.shape_scenes"),
    "vsa_tf.training": (
        "keras",
        "numpy",
        "tensorflow",
        "vsa_tf.files",
        "vsa_tf.settings",
        "vsa_tf.data",
        "vsa_tf.evaluation",
        "vsa_tf.model_dir",
        "vsa_tf.program",
        "vsa_tf.sentence_features",
        "vsa_tf.text",
        "vsa_tf.training",
    ),
    "vsa_tf.training.callbacks": (
        "keras",
        "numpy",
        "tensorboard.plugins",
        "tensorflow",
        "vsa_tf.settings",
        "vsa_tf.training",
    ),
    # The quickstart writes its own records.
    "vsa_tf.evaluation.generated_scenes": (
        "tfrecords_tools.sources.shape_scenes",
        "tfrecords_tools.write_settings",
        "tfrecords_tools.writer",
        "vsa_tf.program",
    ),
    # A trained model and photographs that are in no records.
    "vsa_tf.photographs": (
        "numpy",
        "tensorflow",
        "tfrecords_tools.detectors",
        "tfrecords_tools.encoders",
        "tfrecords_tools.image_decoding",
        "tfrecords_tools.regions",
        "vsa_tf.data",
        "vsa_tf.decoding",
        "vsa_tf.evaluation",
        "vsa_tf.model_dir",
        "vsa_tf.models",
        "vsa_tf.photographs",
        "vsa_tf.program",
    ),
    # Trained models as SavedModels: the same answers by Python code and by one graph.
    "vsa_tf.saved_models": (
        "PIL",
        "keras",
        "numpy",
        "tensorflow",
        "tfrecords_tools.detection",
        "tfrecords_tools.detectors",
        "tfrecords_tools.encoders",
        "tfrecords_tools.image_decoding",
        "tfrecords_tools.regions",
        "vsa_tf.files",
        "vsa_tf.settings",
        "vsa_tf.data",
        "vsa_tf.decoding",
        "vsa_tf.evaluation",
        "vsa_tf.layers",
        "vsa_tf.model_dir",
        "vsa_tf.models",
        "vsa_tf.photographs",
        "vsa_tf.program",
        "vsa_tf.retrieval",
        "vsa_tf.saved_models",
        "vsa_tf.sentence_features",
        "vsa_tf.text",
    ),
    "vsa_tf.inference.export_model": (
        "tensorflow",
        "tensorflow_serving.apis",
        "vsa_tf.saved_models",
    ),
    # Any SavedModel to clients: it knows nothing of ours.
    "vsa_tf.server": (
        "google.protobuf",
        "numpy",
        "tensorflow",
        "tensorflow_serving",
        "vsa_tf.server",
    ),
    "vsa_tf.server.grpc_server": ("grpc", "tensorflow_serving.apis", "vsa_tf.server"),
    "vsa_tf.server.rest_application": ("waitress",),
    "vsa_tf.server.model_versions": ("tensorflow", "tensorflow_text", "vsa_tf.server"),
    "vsa_tf.server.rest_application": (
        "google.protobuf",
        "tensorflow_serving.apis",
        "vsa_tf.server",
        "werkzeug",
    ),
    "vsa_tf.server.model_server": ("vsa_tf.program", "vsa_tf.server"),
    # A page that asks the server for all it shows.
    "vsa_tf.demo": (
        "PIL",
        "numpy",
        "tfrecords_tools.image_decoding",
        "vsa_tf.answers",
        "vsa_tf.demo",
        "vsa_tf.program",
        "vsa_tf.inference.signatures",
        "vsa_tf.search_index",
        "vsa_tf.server.request_limits",
        "vsa_tf.visualization",
        "werkzeug",
    ),
    # Any of these and a server, asked about files.
    "vsa_tf.answers": (
        "numpy",
        "tfrecords_tools.image_decoding",
        "tfrecords_tools.progress",
        "vsa_tf.answers",
        "vsa_tf.files",
        "vsa_tf.settings",
        "vsa_tf.decoding",
        "vsa_tf.program",
        "vsa_tf.saved_models",
        "vsa_tf.visualization",
    ),
    "vsa_tf.inference.model_source": ("absl", "vsa_tf.answers"),
    "vsa_tf.search_index": (
        "numpy",
        "tfrecords_tools.progress",
        "vsa_tf.answers",
        "vsa_tf.files",
        "vsa_tf.program",
        "vsa_tf.retrieval",
        "vsa_tf.search_index",
    ),
    "vsa_tf.search_index.model_probe": (
        "PIL",
        "numpy",
        "vsa_tf.program",
        "vsa_tf.inference.signatures",
        "vsa_tf.search_index",
    ),
    "vsa_tf.search_index.approximate_index": ("faiss", "numpy", "vsa_tf.files", "vsa_tf.program"),
    # An evaluated split as pages to look at.
    "vsa_tf.reporting": (
        "PIL",
        "keras",
        "numpy",
        "vsa_tf.files",
        "vsa_tf.boxes",
        "vsa_tf.evaluation",
        "vsa_tf.metrics",
        "vsa_tf.model_dir",
        "vsa_tf.models",
        "vsa_tf.program",
        "vsa_tf.reporting",
        "vsa_tf.retrieval",
        "vsa_tf.visualization",
    ),
    "vsa_tf.reporting.projector": (
        "PIL",
        "numpy",
        "tensorboard.plugins",
        "vsa_tf.files",
        "vsa_tf.reporting",
    ),
    # Programs.
    "vsa_tf.caption": ("absl", "vsa_tf"),
    "vsa_tf.align": ("absl", "vsa_tf.answers", "vsa_tf.program"),
    "vsa_tf.export": ("absl", "vsa_tf"),
    "vsa_tf.index": ("absl", "vsa_tf.answers", "vsa_tf.program", "vsa_tf.search_index"),
    "vsa_tf.localize": ("absl", "vsa_tf.answers", "vsa_tf.program"),
    "vsa_tf.report": ("absl", "vsa_tf"),
    "vsa_tf.search": (
        "absl",
        "tfrecords_tools.image_decoding",
        "vsa_tf.answers",
        "vsa_tf.program",
        "vsa_tf.search_index",
    ),
    "vsa_tf.serve": (
        "absl",
        "vsa_tf.demo",
        "vsa_tf.program",
        "vsa_tf.search_index",
        "vsa_tf.server",
    ),
    "vsa_tf.benchmark": ("absl", "vsa_tf.files", "vsa_tf.program"),
    "vsa_tf.table": ("absl", "vsa_tf.files", "vsa_tf.program"),
    "vsa_tf.train": ("absl", "vsa_tf"),
    "vsa_tf.evaluate": ("absl", "vsa_tf"),
    # Photographs to records.
    "tfrecords_tools": (
        "PIL",
        "keras",
        "numpy",
        "tensorflow",
        "tfrecords_tools",
        "vsa_tf.boxes",
        "vsa_tf.data.annotations",
        "vsa_tf.data.dataset_info",
        "vsa_tf.data.parsed_record",
        "vsa_tf.data.schema",
        "vsa_tf.files",
        "vsa_tf.text",
    ),
    "tfrecords_tools.parse": ("absl", "spacy", "tfrecords_tools", "vsa_tf.program"),
    "tfrecords_tools.write": ("absl", "tfrecords_tools", "vsa_tf.program"),
    "tfrecords_tools.inspect": (
        "absl",
        "tfrecords_tools",
        "vsa_tf.data.dataset_info",
        "vsa_tf.program",
    ),
    "tfrecords_tools.add_dependencies": (
        "absl",
        "tfrecords_tools",
        "vsa_tf.data.dataset_info",
        "vsa_tf.program",
    ),
    "tfrecords_tools.export": (
        "absl",
        "tfrecords_tools",
        "vsa_tf.data.dataset_info",
        "vsa_tf.program",
    ),
    "tfrecords_tools.beam_options": ("apache_beam",),
    "tfrecords_tools.beam_pool": ("apache_beam", "tfrecords_tools.worker_pool"),
    "tfrecords_tools.detection.opencv_proposals": ("cv2",),
    "tfrecords_tools.saved_model": ("tensorflow", "tensorflow_hub"),
    # Sources parse only, and know archives and one another.
    "tfrecords_tools.sources.neuraltalk": (
        "numpy",
        "scipy.io",
        "tfrecords_tools.archive",
        "tfrecords_tools.sources",
    ),
    "tfrecords_tools.sources.tfds_features": ("tensorflow_datasets",),
    "tfrecords_tools.sources": (
        "PIL",
        "numpy",
        "tfrecords_tools.archive",
        "tfrecords_tools.sources",
        "vsa_tf.text",
    ),
}

# Packages that only few may import, whatever a longer list above says.
_ONLY_IN = {
    "tensorflow_hub": {"tfrecords_tools.saved_model"},
    "cv2": {"tfrecords_tools.detection.opencv_proposals"},
    "faiss": {"vsa_tf.search_index.approximate_index"},
    "spacy": {"tfrecords_tools.parse"},
    "apache_beam": {"tfrecords_tools.beam_options", "tfrecords_tools.beam_pool"},
    "tensorflow_datasets": {"tfrecords_tools.sources.tfds_features"},
    # Word pieces are learnt and cut by it, and a server has its operations, as TF Serving has.
    "tensorflow_text": {
        "vsa_tf.data.text_ops",
        "vsa_tf.data.text_ops",
        "vsa_tf.server.model_versions",
    },
    "official": set(),
}

_BACKEND_NEUTRAL = ("vsa_tf.layers", "vsa_tf.losses", "vsa_tf.models", "vsa_tf.decoding")
_PROGRAMS = (
    "vsa_tf.train",
    "vsa_tf.evaluate",
    "vsa_tf.align",
    "vsa_tf.caption",
    "vsa_tf.export",
    "vsa_tf.index",
    "vsa_tf.localize",
    "vsa_tf.report",
    "vsa_tf.search",
    "vsa_tf.serve",
    "vsa_tf.benchmark",
    "vsa_tf.table",
    "tfrecords_tools.write",
    "tfrecords_tools.parse",
    "tfrecords_tools.inspect",
    "tfrecords_tools.add_dependencies",
    "tfrecords_tools.export",
)
_UNNAMED = {"utils", "util", "helpers", "helper", "common", "misc"}

_FILES = source_files()
_IMPORTS = {module: imported_names(path) for module, path in _FILES.items()}


def _is_within(name, package):
    return name == package or name.startswith(f"{package}.")


def _rule_of(module):
    names = [name for name in _ALLOWED if _is_within(module, name)]
    return max(names, key=len, default=None)


def _is_package(module):
    return _FILES[module].name == "__init__.py"


@pytest.mark.parametrize("module", _FILES)
def test_imports_follow_the_direction(module):
    if _is_package(module):
        assert not _IMPORTS[module], f"{module}/__init__.py: a package imports nothing by itself"
        return
    rule = _rule_of(module)
    assert rule is not None, f"{module} has no rule here: say what it may import"
    refused = {
        name
        for name in _IMPORTS[module]
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(_is_within(name, allowed) for allowed in _ALLOWED[rule])
    }
    assert not refused, f"{module} imports {sorted(refused)}; {rule} may not"


@pytest.mark.parametrize("package", _BACKEND_NEUTRAL)
def test_layers_losses_models_and_decoding_never_import_tensorflow(package):
    modules = [module for module in _FILES if _is_within(module, package)]
    assert modules
    for module in modules:
        assert not any(name.split(".")[0].startswith("tensorflow") for name in _IMPORTS[module])


def test_sources_never_import_tensorflow_or_keras():
    for module in _FILES:
        if _is_within(module, "tfrecords_tools.sources"):
            roots = {name.split(".")[0] for name in _IMPORTS[module]}
            assert not roots & {"tensorflow", "keras"}, module


@pytest.mark.parametrize("package", _ONLY_IN)
def test_heavy_packages_are_imported_in_their_place_alone(package):
    importers = {
        module
        for module, names in _IMPORTS.items()
        if any(_is_within(name, package) for name in names)
    }
    assert importers <= _ONLY_IN[package]


def test_every_rule_is_of_a_module_or_package():
    assert [name for name in _ALLOWED if name not in _FILES] == []


def test_imports_of_the_project_exist():
    for module, names in _IMPORTS.items():
        for name in names:
            if name.split(".")[0] in ("vsa_tf", "tfrecords_tools"):
                assert name in _FILES, f"{module} imports {name}"


def test_no_module_imports_itself_in_a_circle():
    graph = {
        module: {name for name in names if name in _FILES} for module, names in _IMPORTS.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # CycleError names the circle


def test_module_names_say_what_is_in_them():
    for module in _FILES:
        assert not _UNNAMED & set(module.split(".")), module


@pytest.mark.parametrize("program", _PROGRAMS)
def test_programs_start_without_tensorflow(program):
    # As `python -m` does up to `main()`: flags are defined before they are read.
    code = (
        f"import sys, {program} as program\n"
        "program.__dict__.get('define_flags', lambda: None)()\n"
        "slow = {'tensorflow', 'keras', 'torch', 'jax', 'tensorflow_hub', 'tensorflow_text'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
