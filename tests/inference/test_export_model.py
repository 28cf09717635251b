import functools
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.data.small_records import write_records
from tests.inference.given_model import GivenSource
from tests.inference.saved_operations import foreign_operations
from tests.inference.small_models import (
    SENTENCES,
    make_model_dir,
    photographs,
    save_detector,
    save_encoder,
)
from vsa_tf.data import schema
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference import export_model as export_module
from vsa_tf.inference.export_model import (
    Examples,
    answer_differences,
    check_differences,
    export_model,
)
from vsa_tf.inference.exported_model import ExportedModel
from vsa_tf.inference.local_model import LocalModel
from vsa_tf.inference.model import Model
from vsa_tf.inference.signatures import AnswerSettings
from vsa_tf.models.alignment.settings import AlignmentSettings
from vsa_tf.models.captioning.settings import MRnnSettings

ANSWERS = AnswerSettings(beam_size=3, num_captions=2, max_caption_words=5, prefix="A zebra")
LOADED_ALONE = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
image = tf.io.read_file(sys.argv[2])[None]
answer = model.signatures["serving_default"](image_bytes=image, sentences=tf.constant(["A dog"]))
modules = {name.split(".")[0] for name in sys.modules}
print(json.dumps({
    "score": answer["score"].numpy().tolist(),
    "modules": sorted(modules & {"vsa_tf", "tfrecords_tools", "tensorflow_text"}),
}))
"""
EXAMPLES = Examples([b"a", b"bb"], ["one", "two words"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set with stored images, an encoder and a detector."""
    folder = tmp_path_factory.mktemp("export")
    images = photographs(3)

    def store(image, values):
        values[schema.IMAGE_ENCODED] = [images[image]]
        values[schema.CAPTION_RAW] = [f"A red dog {image}"] * len(values[schema.CAPTION_RAW])

    (folder / "data").mkdir()
    write_records(folder / "data", 3, 1, "dev", images_stored=True, edit=store)
    (folder / "without").mkdir()
    write_records(folder / "without", 3, 1, "dev")
    for index, image in enumerate(images):
        (folder / f"{index}.jpg").write_bytes(image)
    encoder, detector = save_encoder(folder / "encoder"), save_detector(folder / "detector")
    networks = {"image_encoder": encoder, "detector": detector, "num_regions": 4}
    make_model_dir(folder / "alignment", "alignment", AlignmentSettings(joint_size=6), **networks)
    make_model_dir(
        folder / "captioner", "m_rnn", MRnnSettings(crop_size=16, feature_normalization="none")
    )
    (folder / "captioner" / "metrics.json").write_text('{"metrics": {"perplexity": 12.5}}')
    return folder


def _export(folder, model, export_dir, **changes):
    networks = model == "alignment"
    options = {
        "model_dir": folder / model,
        "export_dir": export_dir,
        "image_encoder": str(folder / "encoder") if networks else "",
        "detector": str(folder / "detector") if networks else "",
        "data_dir": str(folder / "data"),
        "num_examples": 2,
        "settings": ANSWERS,
    }
    return export_model(**options | changes)


@pytest.fixture(scope="module")
def exported(folder):
    """Exports a model, once; returns its version, and both models whose answers were compared."""

    @functools.cache
    def exported(model):
        compared = []
        with pytest.MonkeyPatch.context() as patch:
            for opened in (LocalModel, ExportedModel):
                patch.setattr(
                    export_module,
                    opened.__name__,
                    lambda *given, opened=opened: compared.append(opened(*given)) or compared[-1],
                )
            return _export(folder, model, folder / f"{model}_models"), *compared

    return exported


@pytest.fixture(scope="module")
def alignment(exported):
    return exported("alignment")[0]


@pytest.fixture(scope="module")
def captioner(exported):
    return exported("captioner")[0]


@pytest.fixture(scope="module")
def local(exported):
    """The captioner that was exported."""
    return exported("captioner")[1]


@pytest.fixture(scope="module")
def loaded(exported):
    """The same, exported."""
    return exported("captioner")[2]


class CopiedGraph:
    """A `GraphModel` of the captioner, whose SavedModel is a copy of the one that is there."""

    def __init__(self, path, loaded):
        self._path = path
        self.functions = dict(loaded._functions)

    def save(self, path):
        ignored = shutil.ignore_patterns("assets.extra", "model_card.json", "README.md")
        shutil.copytree(self._path, path, ignore=ignored, dirs_exist_ok=True)


@pytest.fixture
def traced_before(captioner, loaded, local, monkeypatch):
    """The captioner is exported again without being opened, traced and loaded again."""
    monkeypatch.setattr(export_module, "LocalModel", lambda *_: local)
    monkeypatch.setattr(export_module, "GraphModel", lambda _: CopiedGraph(captioner, loaded))
    monkeypatch.setattr(export_module, "ExportedModel", lambda _: loaded)


def test_it_loads_where_there_is_tensorflow_alone(folder, exported, tmp_path):
    alignment, local, _ = exported("alignment")
    result = subprocess.run(
        [sys.executable, "-c", LOADED_ALONE, str(alignment), str(folder / "0.jpg")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["modules"] == []
    image = (folder / "0.jpg").read_bytes()
    expected = local.call("align", image_bytes=[image], sentences=["A dog"])["score"]
    np.testing.assert_allclose(answer["score"], expected, rtol=1e-4)


def test_no_operation_is_of_another_library(alignment):
    assert not foreign_operations(alignment)


def test_the_exported_model_answers_in_the_words_of_the_local_one(local, loaded):
    assert loaded.signatures == local.signatures
    images = photographs(len(SENTENCES), seed=1)
    for model in (local, loaded):
        assert model.call("caption", image_bytes=images)["captions"].shape == (4, 2)
    np.testing.assert_array_equal(
        loaded.call("caption", image_bytes=images)["captions"],
        local.call("caption", image_bytes=images)["captions"],
    )
    np.testing.assert_allclose(
        loaded.call("log_prob", image_bytes=images, sentences=SENTENCES)["log_prob"],
        local.call("log_prob", image_bytes=images, sentences=SENTENCES)["log_prob"],
        rtol=1e-5,
    )


def test_what_is_no_image_is_an_input_error_of_both(local, loaded):
    for model in (local, loaded):
        with pytest.raises(InputError) as refused:
            model.call("caption", image_bytes=[photographs(1)[0], b"no image"])
        assert "JPEG, PNG" in str(refused.value) and "{{" not in str(refused.value)


def test_versions_count_up_and_the_newest_is_opened(
    folder, captioner, loaded, traced_before, monkeypatch
):
    export_dir = captioner.parent
    # What a copy under way, or another tool, may leave there.
    (export_dir / "12").mkdir(exist_ok=True)
    (export_dir / "notes").mkdir(exist_ok=True)
    newest = _export(folder, "captioner", export_dir)
    assert (captioner.name, newest.name) == ("1", "13")
    (export_dir / "14").mkdir()
    monkeypatch.setattr(tf.saved_model, "load", lambda _: loaded._module)  # another takes seconds
    assert ExportedModel(export_dir).path == newest
    assert not list(export_dir.glob(".*"))


def test_a_directory_without_a_saved_model_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="holds no SavedModel"):
        ExportedModel(tmp_path)


def test_the_card_says_what_the_model_is(captioner):
    card = json.loads((captioner / "model_card.json").read_text())
    assert card["model"] == "m_rnn"
    assert card["default_signature"] == "caption"
    outputs = card["signatures"]["caption"]["outputs"]
    # Two captions of five tokens at most, as asked for.
    assert outputs["tokens"] == {"dtype": "string", "shape": [None, 2, 5]}
    assert card["signatures"]["log_prob"]["inputs"]["sentences"]["shape"] == [None]
    assert card["evaluation"] == {"metrics": {"perplexity": 12.5}}
    assert card["answers"]["beam_size"] == 3
    assert not any(str(captioner.parent.parent) in flag for flag in card["training_flags"])
    readme = (captioner / "README.md").read_text()
    assert "## caption (also serving_default)" in readme
    assert "* output `tokens`: string [?, 2, 5]" in readme


def test_there_is_a_warm_up_request_for_every_signature(exported):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    alignment, _, loaded = exported("alignment")
    path = alignment / "assets.extra" / "tf_serving_warmup_requests"
    names = set()
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {
            name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()
        }
        name = request.model_spec.signature_name
        for value in loaded._functions[name](**inputs).values():
            assert value.shape[0] == 1
        names.add(name)
    assert names == set(loaded.signatures)


def test_a_model_that_answers_otherwise_is_refused_and_deleted(
    folder, tmp_path, traced_before, monkeypatch
):
    monkeypatch.setattr(
        export_module,
        "answer_differences",
        lambda *_: {"caption": {"captions": 0.0, "log_prob": 2e-4}, "log_prob": {"log_prob": 0.0}},
    )
    with pytest.raises(VsaTfError, match="log_prob of caption differs by 0.0002"):
        _export(folder, "captioner", tmp_path)
    assert not list(tmp_path.iterdir())


def test_differences_up_to_the_limit_are_allowed():
    check_differences({"score": {"score": 1e-4}})
    with pytest.raises(VsaTfError, match="text or shape"):
        check_differences({"caption": {"captions": np.inf, "log_prob": 0.0}})


def test_photographs_are_asked_for_where_records_hold_none(folder, tmp_path):
    with pytest.raises(VsaTfError, match="give example_image"):
        _export(folder, "captioner", tmp_path, data_dir=str(folder / "without"))


def test_given_photographs_are_examples_and_warm_up_may_be_left_out(
    folder, tmp_path, traced_before, monkeypatch
):
    # As where tensorflow-serving-api is not installed.
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    images, said = [folder / "0.jpg", folder / "1.jpg"], []
    version = _export(
        folder,
        "captioner",
        tmp_path,
        example_image=images,
        data_dir=str(folder / "without"),
        say=said.append,
    )
    assert not (version / "assets.extra").exists()
    assert "comparing its answers to 2 examples" in said
    assert any(line.startswith("left out warm-up requests") for line in said)
    assert said[-1] == f"wrote {version}"


def test_captions_of_a_prefix_are_exported_and_draws_are_not(folder, local, loaded, tmp_path):
    images = photographs(2, seed=1)
    found, expected = (
        Model.of(GivenSource(model)).caption(images, 3) for model in (loaded, local)
    )  # of a model that writes two
    for each, other in zip(found, expected, strict=True):
        texts = [caption.text for caption in each.captions]
        assert texts == [caption.text for caption in other.captions] and len(texts) == 3
        assert all(text.startswith("a zebra") for text in texts)
    with pytest.raises(VsaTfError, match="^sample goes with a model directory"):
        _export(folder, "captioner", tmp_path, settings=AnswerSettings(sample=True))
    assert not list(tmp_path.iterdir())


def test_records_that_cannot_be_read_are_named(folder, tmp_path):
    with pytest.raises(VsaTfError, match="no examples to check the export with"):
        _export(folder, "captioner", tmp_path, data_dir=str(tmp_path / "none"))


class Lengths:
    """Answers with the number of bytes of each row's image, `change` added."""

    signatures = {"caption": ("image_bytes",), "score": ("image_bytes", "sentences")}

    def __init__(self, change=0.0, word="x", width=3, dtype=np.float32):
        self._change, self._word, self._width, self._dtype = change, word, width, dtype

    def call(self, name, image_bytes, sentences=None):
        lengths = np.array([len(data) for data in image_bytes])
        if name == "score":
            assert len(sentences) == len(image_bytes)
            return {"score": (lengths + self._change).astype(self._dtype)}
        # As wide as the longest of the rows that are asked together.
        width = self._width if len(lengths) > 1 else 2
        rows = np.where(np.arange(width) < lengths[:, None], self._word, "").astype(object)
        return {"captions": rows, "count": lengths.astype(np.int32)}


def _differences(other):
    return answer_differences(Lengths(), other, EXAMPLES)


def test_equal_answers_do_not_differ_however_far_they_are_padded():
    expected = {"caption": {"captions": 0.0, "count": 0.0}, "score": {"score": 0.0}}
    assert _differences(Lengths()) == expected


def test_numbers_above_one_differ_by_their_share():
    # 0.5 of 1 and of 2: the larger share counts.
    assert _differences(Lengths(change=0.5))["score"]["score"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "other, name, output",
    [
        (Lengths(word="y"), "caption", "captions"),
        (Lengths(width=1), "caption", "captions"),
        (Lengths(change=np.nan), "score", "score"),
        (Lengths(dtype=np.int32), "score", "score"),
    ],
)
def test_texts_shapes_kinds_and_nan_differ_infinitely(other, name, output):
    assert _differences(other)[name][output] == np.inf


def test_an_output_that_only_one_gives_differs_infinitely():
    class More(Lengths):
        def call(self, name, **inputs):
            return {**super().call(name, **inputs), "more": np.zeros(len(inputs["image_bytes"]))}

    assert _differences(More())["score"]["more"] == np.inf


@pytest.mark.parametrize("change, is_seen", [(5e-4, False), (2e-3, True)])
def test_rows_at_once_may_round_otherwise_than_alone(change, is_seen):
    class Rounding(Lengths):
        def call(self, name, **inputs):
            answer = super().call(name, **inputs)
            if name == "score" and len(inputs["image_bytes"]) > 1:
                answer["score"] = answer["score"] * np.float32(1 + change)
            return answer

    assert (_differences(Rounding())["score"]["score"] > 0) == is_seen


def test_minus_infinity_equals_itself():
    class Impossible(Lengths):
        def call(self, name, image_bytes, sentences=None):
            return {"log_prob": np.full(len(image_bytes), -np.inf, np.float32)}

    found = answer_differences(Impossible(), Impossible(), EXAMPLES)
    assert found["score"]["log_prob"] == 0.0
