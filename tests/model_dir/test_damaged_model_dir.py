"""A bit of a model directory that is another: refused in words, or of no consequence."""

import random

import keras
import numpy as np
import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.files import read_sealed, sealed, write_json
from vsa_tf.model_dir.checkpoint import restore_checkpoint, save_checkpoint
from vsa_tf.model_dir.trained_model import load_text, trained_text
from vsa_tf.sentence_features.bag_of_words import TfIdf
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary
from vsa_tf.training.run_directory import begin_model_dir

NUM_DAMAGES = 40
SENTENCES = [["a", "dog", "läuft"], ["a", "cat"]]
# By the model that has each.
FILES = {
    "config.json": "embedding",
    "metrics.json": "embedding",
    "vocabulary.txt": "embedding",
    "sentence_feature.npz": "embedding",
    "relations.txt": "defrag",
    "checkpoint_best.npz": "embedding",
}


@pytest.fixture(scope="module")
def model_dirs(tmp_path_factory):
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    relations = RelationTypes.from_relations(["det", "nsubj", "det"])
    feature = TfIdf.fit(SENTENCES)
    texts = {
        "embedding": CaptionText(vocabulary, "word", feature),
        "defrag": CaptionText(vocabulary, "word", relation_types=relations),
    }
    own = {"embedding": {"text": "tf_idf"}, "defrag": {}}
    return {
        model: _write(tmp_path_factory.mktemp(model), Settings.of(model, **own[model]), text)
        for model, text in texts.items()
    }


@pytest.fixture(scope="module")
def model_dir(model_dirs):
    return model_dirs["embedding"]


def _write(path, settings, text):
    """Writes what `vsa_tf.train` does."""
    inputs = {"encoder": {"spec": "pixels"}, "num_regions": 1, **text.fingerprints()}
    begin_model_dir(settings, path, inputs, text)
    save_checkpoint(path / "checkpoint_best.npz", _variables(), {"steps": 7})
    report = {"split": "test", "metrics": {"image_to_sentence": {"R@1": 12.5, "R@10": 100.0}}}
    write_json(path / "metrics.json", sealed(report))
    return path


def _variables():
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    return [keras.Variable(values, name="kernel"), keras.Variable(3, dtype="int32", name="count")]


def _read(model_dir):
    settings, inputs = Settings.load(model_dir), Settings.load_inputs(model_dir)
    text = trained_text(model_dir, settings, inputs)
    feature, types = text.sentence_feature, text.relation_types
    learnt = feature.transform(SENTENCES).tolist() if feature else (types.names, types.counts)
    variables = [variable * 0 for variable in _variables()]
    variables = [keras.Variable(v, name=n.name) for v, n in zip(variables, _variables())]
    progress = restore_checkpoint(model_dir / "checkpoint_best.npz", variables)
    values = [np.array(variable).tolist() for variable in variables]
    metrics = read_sealed(model_dir / "metrics.json")["metrics"]
    return settings, inputs, text.vocabulary, learnt, values, progress, metrics


@pytest.mark.parametrize("name", FILES)
def test_a_bit_that_is_another_is_refused_or_harmless(model_dirs, name):
    model_dir = model_dirs[FILES[name]]
    expected, whole, rng = _read(model_dir), (model_dir / name).read_bytes(), random.Random(0)
    num_refused = 0
    for _ in range(NUM_DAMAGES):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        (model_dir / name).write_bytes(changed)
        try:
            assert _read(model_dir) == expected
        except VsaTfError as error:
            assert str(model_dir / name) in str(error)
            num_refused += 1
    (model_dir / name).write_bytes(whole)
    assert num_refused > NUM_DAMAGES // 4


def test_a_digit_of_the_settings_is_refused(model_dir, tmp_path):
    text = (model_dir / "config.json").read_text("utf-8")
    changed = text.replace('"seed": 0', '"seed": 1')
    assert changed != text
    (tmp_path / "config.json").write_text(changed, encoding="utf-8")
    with pytest.raises(VsaTfError, match="config.json is damaged.*content_sha256"):
        Settings.load(tmp_path)


def test_a_damaged_vocabulary_is_one_line(model_dir, tmp_path):
    (tmp_path / "vocabulary.txt").write_bytes(b"dog\n")
    settings = Settings.of("alignment", data_dir="data", model_dir="model")
    with pytest.raises(VsaTfError, match="vocabulary.txt cannot be read: .*Restore the file"):
        load_text(tmp_path, settings)
