"""A bit of a model directory that is another: refused in words, or of no consequence."""

import random

import keras
import numpy as np
import pytest

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.checkpoint import restore_checkpoint, save_checkpoint
from vsa_tf.model_dir.trained_model import load_text, save_text, trained_text
from vsa_tf.sentence_features.make_sentence_feature import make_sentence_feature
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import Vocabulary

NUM_DAMAGES = 40
SENTENCES = [["a", "dog", "läuft"], ["a", "cat"]]
FILES = ("config.json", "vocabulary.txt", "sentence_feature.npz", "checkpoint_best.npz")


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    vocabulary = Vocabulary.from_sentences(SENTENCES)
    text = CaptionText(vocabulary, "word", make_sentence_feature("tf_idf", SENTENCES))
    save_text(path, text)
    settings = Settings.of("embedding", text="tf_idf", data_dir="data", model_dir="model")
    inputs = {"encoder": {"spec": "pixels"}, "num_regions": 1, **text.fingerprints()}
    (path / "config.json").write_text(settings.to_json(inputs), encoding="utf-8")
    save_checkpoint(path / "checkpoint_best.npz", _variables(), {"steps": 7})
    return path


def _variables():
    values = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    return [keras.Variable(values, name="kernel"), keras.Variable(3, dtype="int32", name="count")]


def _read(model_dir):
    settings, inputs = Settings.load(model_dir), Settings.load_inputs(model_dir)
    text = trained_text(model_dir, settings, inputs)
    features = text.sentence_feature.transform(SENTENCES)
    variables = [variable * 0 for variable in _variables()]
    variables = [keras.Variable(v, name=n.name) for v, n in zip(variables, _variables())]
    progress = restore_checkpoint(model_dir / "checkpoint_best.npz", variables)
    values = [np.array(variable).tolist() for variable in variables]
    return settings, inputs, text.vocabulary, features.tolist(), values, progress


@pytest.mark.parametrize("name", FILES)
def test_a_bit_that_is_another_is_refused_or_harmless(model_dir, name):
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
