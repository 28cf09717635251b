"""Handles of models: looked at before TensorFlow is imported, fetched, or refused in one line."""

import importlib.util
import sys
import types

import pytest

from vsa_tf import model_handles
from vsa_tf.errors import VsaTfError
from vsa_tf.model_handles import (
    check_handles,
    check_in_graph,
    check_spec,
    fetch_saved_model,
    joined_specs,
    load_preset,
)


def _saved_model(path, variables=True):
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"")
    if variables:
        (path / "variables" / "variables.index").write_bytes(b"")
    return path


@pytest.fixture
def kaggle(tmp_path, monkeypatch):
    """A cache of kagglehub, where there is no network."""

    def offline(handle):
        raise ConnectionError("Max retries exceeded:\n no name resolution")

    module = types.ModuleType("kagglehub")
    module.model_download = offline
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models" / "google" / "net" / "tensorFlow2" / "b0"


def test_what_downloads_look_like_is_told_with_what_to_give(tmp_path):
    (tmp_path / "net.tar.gz").write_bytes(b"")
    _saved_model(tmp_path / "ssd" / "saved_model")
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "config.json").write_text("{}")
    for name, advice in (
        ("net.tar.gz", "unpack it"),
        ("ssd", f"there is one in {tmp_path / 'ssd' / 'saved_model'}"),
        ("clip", f"a preset of Keras Hub: keras_hub:{tmp_path / 'clip'}"),
    ):
        with pytest.raises(ValueError, match=f"{name}', which has no saved_model.pb; .*{advice}"):
            check_spec(str(tmp_path / name))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no/such", "directory of a SavedModel. Received: 'no/such', which has no saved_model.pb"),
        ("file:///no/such", "Received: 'file:///no/such', which has no saved_model.pb"),
        ("kaggle:google/net", "kaggle:OWNER/MODEL/FRAMEWORK/VARIATION.* Received: kaggle:google/"),
        ("kaggle:a/b/c/d/latest", "with /VERSION or without. Received: kaggle:a/b/c/d/latest"),
        ("keras_hub:", "a name or a directory"),
        ("keras_hub:no/such", "Received: keras_hub:no/such, which is no directory"),
    ],
)
def test_what_cannot_be_used_is_refused_before_tensorflow(kaggle, spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_spec(spec)
    assert "\n" not in str(caught.value)


def test_flags_of_handles_are_refused_by_their_names_and_others_passed_over(kaggle):
    check_handles(image_encoder="pixels", detector="proposals:no/such", text="")
    with pytest.raises(VsaTfError) as caught:
        check_handles(image_encoder="keras:VGG16", detector="grid,keras_hub:no/such")
    assert caught.value.of_flags.startswith("--detector: Expected keras_hub:PRESET, ")


@pytest.mark.parametrize(
    ("flag", "spec", "near"),
    [
        ("detector", "models/ssd,selectiv_search", "selective_search"),
        ("export_detector", "Grid", "grid"),
        ("image_encoder", "pixel", "pixels"),
    ],
)
def test_a_name_that_is_mistyped_is_told_from_a_directory(tmp_path, monkeypatch, flag, spec, near):
    monkeypatch.chdir(tmp_path)
    received = spec.rpartition(",")[2]
    with pytest.raises(VsaTfError) as caught:
        check_handles(**{flag: spec})
    message = caught.value.of_flags
    assert message.startswith(f"--{flag}: expected ")
    assert message.endswith(f" Received: {received}. Did you mean {near}?")
    (tmp_path / received).mkdir()
    check_handles(**{flag: spec})


def test_commas_join_detectors_but_not_where_a_path_has_them(tmp_path):
    with_comma, boxes = tmp_path / "a,b", tmp_path / "boxes,1.json"
    with_comma.mkdir()
    boxes.touch()
    whole = [str(with_comma), f"proposals:{boxes}", "grid", "https://tfhub.dev/a/b/1", ""]
    assert [joined_specs(spec) for spec in whole] == [[spec] for spec in whole]
    (tmp_path / "boxes.json").touch()
    parts = [str(tmp_path), f"proposals:{tmp_path / 'boxes.json'}"]
    for joined in (parts, parts[::-1], [*parts, "selective_search"]):
        assert joined_specs(",".join(joined)) == joined


@pytest.mark.parametrize(
    "spec", ["selective_search", "edge_boxes:m.yml", "proposals", "proposals:x"]
)
def test_what_is_no_part_of_a_graph_is_refused_alone_and_joined(spec):
    for given in (spec, f"grid,{spec}", f"{spec},models/ssd"):
        with pytest.raises(VsaTfError) as caught:
            check_in_graph("export_detector", given)
        assert caught.value.of_flags.startswith("--export_detector: expected SavedModels, ")
        assert caught.value.of_flags.endswith(f"Received: {given}")
    for given in ("", "grid", "models/selective_search", "keras_hub:a,shapes"):
        check_in_graph("export_detector", given)


@pytest.mark.parametrize(
    "spec", ["keras:VGG16", "keras_hub:clip", "kaggle:a/b/c/d/1", "https://tfhub.dev/a/b/1"]
)
def test_what_may_be_fetched_is_not_refused(kaggle, spec):
    check_spec(spec)


@pytest.mark.parametrize(
    ("spec", "extra"), [("keras_hub:clip", "keras-hub"), ("kaggle:a/b/c/d", "kaggle")]
)
def test_extras_that_are_not_installed_are_named(monkeypatch, spec, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf'{spec} needs.*pip install "vsa_tf\[{extra}\]"'):
        check_spec(spec)


def test_presets_that_were_not_copied_whole_are_refused(kaggle, tmp_path):
    spec = f"keras_hub:{tmp_path}"
    with pytest.raises(ValueError, match="which has no config.json"):
        check_spec(spec)
    (tmp_path / "config.json").write_text('{"registered_name": "keras_hub>CLIPBackbone"}')
    with pytest.raises(ValueError, match="no model.weights.h5: it was not copied whole"):
        check_spec(spec)
    (tmp_path / "model.weights.h5").write_bytes(b"")
    check_spec(spec)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json"):
        check_spec(spec)


def test_handles_of_files_are_directories(tmp_path):
    folder = _saved_model(tmp_path / "a net")
    assert fetch_saved_model(folder.as_uri()) == folder
    assert "%20" in folder.as_uri()


def test_kaggle_without_a_network_takes_the_newest_version_that_is_whole(kaggle):
    for version, is_whole in ((2, True), (10, True), (11, False)):
        _saved_model(kaggle / str(version))
        if is_whole:
            (kaggle / f"{version}.complete").write_bytes(b"")
    handle = "kaggle:google/net/tensorFlow2/b0"
    assert fetch_saved_model(handle) == kaggle / "10"
    assert fetch_saved_model(f"{handle}/2") == kaggle / "2"
    with pytest.raises(ValueError, match="b0/11 is not in .*cache and cannot be downloaded: Max "):
        fetch_saved_model(f"{handle}/11")


def test_no_network_and_no_cache_is_one_line_that_says_what_to_do(kaggle, monkeypatch):
    with pytest.raises(ValueError, match="a network and copy that folder.*KAGGLEHUB_CACHE") as one:
        fetch_saved_model("kaggle:a/b/c/d")

    hub = types.ModuleType("tensorflow_hub")
    hub.resolve = lambda handle: 1 / 0
    monkeypatch.setitem(sys.modules, "tensorflow_hub", hub)
    with pytest.raises(ValueError, match="https://x/y is not in .*TFHUB_CACHE_DIR") as two:
        fetch_saved_model("https://x/y")
    assert "\n" not in f"{one.value}{two.value}"


@pytest.mark.parametrize("missing", ["saved_model.pb", "variables/variables.index"])
def test_half_of_a_download_is_one_line_that_says_what_to_remove(kaggle, monkeypatch, missing):
    folder = _saved_model(kaggle / "1")
    (folder / missing).unlink()
    monkeypatch.setattr(sys.modules["kagglehub"], "model_download", lambda handle: str(folder))
    with pytest.raises(ValueError, match=f"has no {missing}; it was not.*: remove {folder} and"):
        fetch_saved_model("kaggle:google/net/tensorFlow2/b0/1")


class _Preset:
    presets = ("clip_vit_base_patch16", "bert_base_en")

    @classmethod
    def from_preset(cls, preset):
        raise {
            "clip_vit_base": ValueError("Unknown preset identifier. A preset must be\none of"),
            "clip_vit_base_patch16": ConnectionError("no name resolution"),
        }.get(preset, FileNotFoundError("`image_converter.json` doesn't exist"))


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (
            "clip_vit_base",
            r"Received: keras_hub:clip_vit_base. Did you mean clip_vit_base_patch16\?$",
        ),
        ("clip_vit_base_patch16", "cannot be downloaded: no name resolution.*KAGGLEHUB_CACHE"),
        ("mine", "keras_hub:mine cannot be read as _Preset: `image_converter.json` doesn't exist"),
    ],
)
def test_presets_that_cannot_be_had_are_one_line(preset, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_preset(_Preset, preset)
    assert "\n" not in str(caught.value)


def test_what_is_on_the_disk_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(model_handles, "fetch_saved_model", None)
    monkeypatch.setattr(model_handles, "load_preset", None)
    for spec in ("keras:VGG16", "none", str(tmp_path), f"keras_hub:{tmp_path}"):
        model_handles.fetch(spec)
