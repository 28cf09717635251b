"""Models of others by the specs that name them: looked at early, fetched, loaded.

`keras:NAME` is of keras.applications, `keras_hub:PRESET` of Keras Hub. Any other spec is a
SavedModel: a directory, `file://DIR`, `kaggle:OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]`, or a
handle of TF Hub, `https://...`.
"""

import importlib.util
import os
import pathlib
import re
import tempfile

from vsa_tf.errors import VsaTfError, meant
from vsa_tf.file_reading import NOT_AS_EXPECTED, read_json, reason_of

# What each flag names besides models of others and what has a file.
NAMES = {
    "image_encoder": ("pixels", "detector"),
    "detector": ("none", "grid", "shapes", "selective_search"),
}
# Detectors that run OpenCV, or read a file: no operations of a graph.
_OUTSIDE_GRAPHS = ("proposals", "selective_search", "edge_boxes")
_KAGGLE = re.compile(r"kaggle:([\w.-]+/){3}[\w.-]+(/\d+)?")


def split_spec(spec):
    """Returns what kind of model a spec names, and which.

    Example:

    >>> [split_spec(spec) for spec in ("keras_hub:clip", "keras:VGG16", "models/resnet")]
    [('keras_hub', 'clip'), ('keras', 'VGG16'), ('saved_model', 'models/resnet')]
    """
    kind, colon, name = spec.partition(":")
    return (kind, name) if colon and kind in ("keras", "keras_hub") else ("saved_model", spec)


def joined_specs(spec):
    """Returns the specs of the detectors that one names, `A,B`: itself, where it names one.

    A comma in a path that is there joins nothing.

    Example:

    >>> joined_specs("models/ssd,selective_search"), joined_specs("grid")
    (['models/ssd', 'selective_search'], ['grid'])
    """
    kind, _, path = spec.partition(":")
    is_path = os.path.exists(spec) or "," not in kind and os.path.exists(path)
    return [spec] if is_path else spec.split(",")


def check_in_graph(flag, spec):
    """Refuses a detector that cannot be part of a SavedModel, joined with others too.

    Args:
        flag: that names it.
        spec: of the detector, as given or as `describe()` has it; empty is passed over.

    Raises:
        VsaTfError: names the flag.
    """
    for part in joined_specs(spec):
        if part.partition(":")[0] in _OUTSIDE_GRAPHS:
            raise VsaTfError(
                f"--{flag}: expected SavedModels, keras_hub:PRESET, grid, shapes or none, which "
                f"can be part of a SavedModel. Received: {spec}"
            )


def recorded_spec(spec):
    """Returns what records say of a spec: whole where others find the model by it, else no path.

    Example:

    >>> [recorded_spec(spec) for spec in ("keras_hub:clip", "/home/me/resnet", "kaggle:a/b/c/d")]
    ['keras_hub:clip', 'resnet', 'kaggle:a/b/c/d']
    """
    kind, name = split_spec(spec)
    if kind == "keras" or _is_remote(name) or kind == "keras_hub" and not os.path.isdir(name):
        return spec
    return pathlib.PurePath(_local_path(name)).name


def is_findable(recorded):
    """Whether the spec that records name is enough to find the model."""
    return split_spec(recorded)[0] != "saved_model" or _is_remote(recorded)


def check_spec(spec):
    """Refuses a spec that cannot be used, as far as it shows without importing TensorFlow.

    Raises:
        ValueError: what is missing, and what to do.
    """
    kind, name = split_spec(spec)
    if kind == "keras_hub":
        _check_preset(spec, name)
    elif kind == "saved_model":
        if name.startswith("kaggle:"):
            _check_kaggle(name)
        elif not _is_remote(name):
            _check_directory(_local_path(name), name)


def check_handles(**specs):
    """Refuses flags whose specs cannot be used, as far as they tell by their form alone.

    Args:
        **specs: of each flag its spec; empty, or any other name, is passed over.

    Raises:
        VsaTfError: names the flag.
    """
    named = [(flag, part) for flag, spec in specs.items() for part in joined_specs(spec)]
    for flag, spec in named:
        names = NAMES.get(flag.removeprefix("export_"), ())
        is_name = spec in names or os.path.exists(spec)
        if not is_name and (near := meant(spec, names, otherwise="")):
            raise VsaTfError(
                f"--{flag}: expected {', '.join(names)}, the directory of a SavedModel, or a "
                f"handle. Received: {spec}{near}"
            )
        if spec.startswith(("keras_hub:", "kaggle:", "file:")):
            try:
                check_spec(spec)
            except ValueError as error:
                raise VsaTfError(f"--{flag}: {error}") from error


def fetch(spec):
    """Downloads what a spec names, where it is of a network and not there yet.

    Raises:
        ValueError: it cannot be had.
    """
    kind, name = split_spec(spec)
    if kind == "saved_model" and _is_remote(name):
        fetch_saved_model(name)
    elif kind == "keras_hub" and not os.path.isdir(name):
        load_preset(import_keras_hub(spec).models.Backbone, name)


def fetch_saved_model(handle):
    """Returns the directory of a SavedModel, fetched where it is not there yet.

    Raises:
        ValueError: there is none, or not all of it.
    """
    if handle.startswith("kaggle:"):
        path, cache = _from_kaggle(handle), _kaggle_cache()
    elif _is_remote(handle):
        path, cache = _from_tf_hub(handle), _tf_hub_cache()
    else:
        path, cache = _local_path(handle), None
    _check_directory(path, handle, cache)
    return pathlib.Path(path)


def load_preset(cls, preset, **arguments):
    """Returns what `cls.from_preset` of Keras Hub makes of a preset.

    Args:
        cls: a class of keras_hub.
        preset: its name, a handle that keras_hub knows (`kaggle://`, `hf://`), or a directory.

    Raises:
        ValueError: it is not there, or is none of this class.
    """
    try:
        return cls.from_preset(preset, **arguments)
    except Exception as error:  # of many types: network, names, files, weights, access
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise _not_downloaded(
                f"keras_hub:{preset}", _kaggle_cache(), "KAGGLEHUB_CACHE", error, "preset"
            ) from error
        if "Unknown preset identifier" in str(error):
            raise ValueError(
                "Expected keras_hub:PRESET of a directory that save_to_preset wrote, or of a name "
                f"at keras.io/keras_hub/presets. Received: keras_hub:{preset}"
                f"{meant(preset, cls.presets, otherwise='')}"
            ) from error
        raise ValueError(
            f"keras_hub:{preset} cannot be read as {cls.__name__}: {reason_of(error)}"
        ) from error


def import_keras_hub(spec):
    """Returns the package keras_hub, which takes seconds to import.

    Raises:
        ValueError: it is not installed.
    """
    _check_keras_hub(spec)
    import keras_hub

    return keras_hub


def _check_keras_hub(spec):
    if importlib.util.find_spec("keras_hub") is None:
        raise ValueError(
            f'{spec} needs Keras Hub, which is not installed: pip install "vsa_tf[keras-hub]"'
        )


def _is_remote(handle):
    return handle.startswith("kaggle:") or "://" in handle and not handle.startswith("file:")


def _local_path(handle):
    if not handle.startswith("file:"):
        return handle
    import urllib.request  # only here: every program imports this module

    return urllib.request.url2pathname(urllib.parse.urlsplit(handle).path)


def _check_directory(path, handle, cache=None):
    """Refuses a directory that is no SavedModel, or not all of one."""
    variables = os.path.join(path, "variables")
    if not os.path.isfile(os.path.join(path, "saved_model.pb")):
        missing = "saved_model.pb"
    elif os.path.isdir(variables) and not any(
        name.endswith(".index") for name in os.listdir(variables)
    ):
        missing = "variables/variables.index"
    else:
        return
    if cache:
        advice = f"it was not downloaded whole: remove {path} and run this again"
    else:
        advice = _what_was_meant(pathlib.Path(path))
    raise ValueError(
        f"Expected the directory of a SavedModel. Received: {handle!r}, which has no {missing}; "
        f"{advice}"
    )


def _what_was_meant(path):
    """Returns what to give in place of a path that is no SavedModel, as downloads come."""
    if path.is_file():
        return "it is a file: unpack it where it is packed, and give the directory"
    if (path / "config.json").is_file():
        return f"it looks like a preset of Keras Hub: keras_hub:{path}"
    inside = sorted(path.glob("*/saved_model.pb"))
    if inside:
        return f"there is one in {inside[0].parent}"
    return "or a handle: https://... of TF Hub, kaggle:OWNER/MODEL/FRAMEWORK/VARIATION"


def _check_preset(spec, preset):
    is_there = os.path.isdir(preset)
    if not is_there and (not preset or "://" not in preset and os.sep in preset):
        raise ValueError(
            f"Expected keras_hub:PRESET, a name or a directory. Received: {spec}, which is no "
            "directory"
        )
    _check_keras_hub(spec)
    if not is_there:
        return
    files = set(os.listdir(preset))
    if "config.json" not in files:
        raise ValueError(
            "Expected keras_hub:PRESET of a directory that save_to_preset wrote. Received: "
            f"{spec}, which has no config.json"
        )
    try:
        of_keras = "registered_name" in read_json(os.path.join(preset, "config.json"))
    except NOT_AS_EXPECTED as error:
        raise ValueError(f"{spec}: {error}") from error
    if of_keras and files.isdisjoint({"model.weights.h5", "model.weights.json"}):
        raise ValueError(
            f"Expected a preset with its weights. Received: {spec}, which has no model.weights.h5: "
            "it was not copied whole"
        )


def _check_kaggle(handle):
    if not _KAGGLE.fullmatch(handle):
        raise ValueError(
            "Expected kaggle:OWNER/MODEL/FRAMEWORK/VARIATION, with /VERSION or without. Received: "
            f"{handle}"
        )
    if importlib.util.find_spec("kagglehub") is None:
        raise ValueError(
            f'{handle} needs kagglehub, which is not installed: pip install "vsa_tf[kaggle]"'
        )


def _from_kaggle(handle):
    _check_kaggle(handle)
    import kagglehub

    name = handle.removeprefix("kaggle:")
    try:
        return kagglehub.model_download(name)
    except Exception as error:  # of many types: network, access, names
        path = _newest_of_kaggle(name)
        if path:
            return path
        raise _not_downloaded(handle, _kaggle_cache(), "KAGGLEHUB_CACHE", error) from error


def _newest_of_kaggle(name):
    """Returns the newest version that kagglehub has downloaded whole; None: there is none.

    It asks the network which version is the newest, and so finds none of its own without one.
    """
    folder = pathlib.Path(_kaggle_cache(), "models", *name.split("/")[:4])
    whole = sorted(folder.glob("*.complete"), key=lambda path: (len(path.name), path.name))
    versions = [path.with_suffix("") for path in whole]
    wanted = name.split("/")[4:]
    versions = [path for path in versions if path.is_dir() and wanted in ([], [path.name])]
    return str(versions[-1]) if versions else None


def _kaggle_cache():
    return os.environ.get("KAGGLEHUB_CACHE") or os.path.expanduser("~/.cache/kagglehub")


def _tf_hub_cache():
    return os.environ.get("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")


def _from_tf_hub(handle):
    import tensorflow_hub  # only here: it takes seconds to import

    try:
        return tensorflow_hub.resolve(handle)
    except Exception as error:  # of many types: network, archive, disk
        raise _not_downloaded(handle, _tf_hub_cache(), "TFHUB_CACHE_DIR", error) from error


def _not_downloaded(spec, cache, variable, error, given="SavedModel"):
    return ValueError(
        f"{spec} is not in {cache} and cannot be downloaded: {reason_of(error)}. Run this once "
        f"where there is a network and copy that folder (its place: {variable}), or give the "
        f"directory of a {given}"
    )
