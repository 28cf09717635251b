"""CLIP's text tower of a preset, made here of Keras Hub's own classes."""

import sys
import unicodedata

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("keras_hub", reason="Keras Hub, an extra, is not installed")

import keras_hub

from tests import keras_hub_presets
from vsa_tf.data.caption_text import CaptionText
from vsa_tf.model_dir.trained_model import load_sentence_feature
from vsa_tf.sentence_features.text_tower import BytePairTokenizer, TextTower
from vsa_tf.settings import DataSettings

TEXTS = ["A red dog and a DOG.", "", "42 dogs, and it's one's dog " * 3]


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    return keras_hub_presets.save("clip", tmp_path_factory.mktemp("presets") / "clip")


@pytest.fixture(scope="module")
def tower(preset):
    return TextTower.of_preset(f"keras_hub:{preset}")


@pytest.fixture(scope="module")
def tokenizer():
    return keras_hub.models.CLIPTokenizer(
        keras_hub_presets.clip_vocabulary(), keras_hub_presets.CLIP_MERGES
    )


@pytest.fixture(scope="module")
def graph(tokenizer):
    module = BytePairTokenizer(
        tokenizer.vocabulary,
        tokenizer.merges,
        tokenizer.start_token_id,
        tokenizer.end_token_id,
        200,
    )
    return tf.function(module, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


# No marks that would be composed with letters, no letters so new that not all know their small
# ones, and no sigma, which has a form of its own at a word's end, as in OpenAI's tokenizer.
_LETTERS = st.characters(
    max_codepoint=0x24FF,
    exclude_categories=["Cc", "Cs", "Cn", "Mn", "Mc", "Lo"],
    exclude_characters="\u03a3",
)
_TEXTS = st.text(st.one_of(st.sampled_from("redogan 's1.\t\n"), _LETTERS), max_size=25).filter(
    lambda text: unicodedata.normalize("NFC", text) == text
)


@settings(max_examples=200, deadline=None)
@given(st.lists(_TEXTS, min_size=1, max_size=3))
@example(["dog\u00a0red\u3000and\u2028a\x0bn\u0085d", "'s don't x'LL", "\u0130\u0416"])
@example(["<|endoftex|> dogdog reddog"])
def test_pieces_are_those_of_clips_own_tokenizer(tokenizer, graph, texts):
    expected = [[int(each) for each in tokenizer(text)] if text.strip() else [] for text in texts]
    start, end = tokenizer.start_token_id, tokenizer.end_token_id
    rows = graph(texts).numpy()
    for row, ids in zip(rows, expected):
        whole = [start, *ids, end]
        assert row.tolist() == whole + [0] * (rows.shape[1] - len(whole))


def test_it_is_the_embedding_of_the_whole_model(preset, tower, tokenizer):
    ids = np.zeros((3, 16), np.int32)
    for row, text in zip(ids, TEXTS):
        pieces = [int(each) for each in tokenizer(text)] if text else []
        whole = [tokenizer.start_token_id, *pieces[:14], tokenizer.end_token_id]
        row[: len(whole)] = whole
    backbone = keras_hub.models.CLIPBackbone.from_preset(preset)
    features = tower.transform(TEXTS)
    np.testing.assert_allclose(features, backbone.get_text_embeddings(ids), rtol=1e-4, atol=1e-5)
    assert tower.dimension == features.shape[1] == 10


def test_what_is_saved_needs_no_keras_hub_and_says_the_same(tower, tmp_path, monkeypatch):
    tower.save(tmp_path / "feature.npz")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    loaded = load_sentence_feature(tmp_path / "feature.npz")
    np.testing.assert_array_equal(loaded.transform(TEXTS), tower.transform(TEXTS))


def test_captions_are_read_as_they_are_and_no_word_is_unknown(tower):
    text = CaptionText.learn(["a dog"], DataSettings(min_count=1))
    text.sentence_feature = tower
    np.testing.assert_array_equal(
        text.sentence_features(TEXTS), tower.transform(TEXTS).astype(np.float16)
    )
    assert text.known_words("A zebra runs .") == ([], 3)


def test_bytes_that_are_not_utf8_are_spaces(graph):
    rows = graph([b"red\xff dog", b"red dog"]).numpy()
    np.testing.assert_array_equal(rows[0], rows[1])


def test_a_word_without_end_loses_its_end(graph, tokenizer):
    (row,) = graph(["a" * 5000]).numpy()
    assert len(row) == 130 and row[-1] == tokenizer.end_token_id


def test_presets_without_clips_text_tower_are_one_error(tmp_path):
    spec = f"keras_hub:{keras_hub_presets.save('bert', tmp_path / 'bert')}"
    with pytest.raises(ValueError, match="cannot be read as CLIPTokenizer: .*Bert") as caught:
        TextTower.of_preset(spec)
    assert "\n" not in str(caught.value)


def test_another_backend_is_refused_where_a_tower_is_made(preset, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow.* Received: jax"):
        TextTower.of_preset(f"keras_hub:{preset}")
