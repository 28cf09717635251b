"""Small caption generators with random weights, and batches for them."""

import keras
import numpy as np

from tests.vsa_tf_test_case import randomize
from vsa_tf.models.captioning.dvsa_rnn import DvsaRnn
from vsa_tf.models.captioning.m_rnn import VARIANTS, MRnn

VOCABULARY_SIZE = 9
FEATURE_SIZE = 5
# Widths that no two layers share, but for those that must: a transposed matrix would not fit.
_WIDTHS = {
    DvsaRnn: {"hidden_size": 4, "word_embedding_size": 3},
    MRnn: {"word_embedding_size": 3, "recurrent_size": 4, "multimodal_size": 6},
}
# As the papers have it: what the equations say, and nothing beside it.
_PLAIN = {"feature_normalization": "none", "dropout": 0.0, "weight_penalty": 0.0}
# Every wiring and every cell.
CAPTIONERS = {
    **{f"m_rnn {variant}": (MRnn, {"variant": variant}) for variant in VARIANTS},
    "m_rnn gru": (MRnn, {"cell": "gru"}),
    "m_rnn shared lstm": (MRnn, {"variant": "shared", "cell": "lstm"}),
    "dvsa_rnn": (DvsaRnn, {"cell": "rnn", "image_at": "first"}),
    "dvsa_rnn every": (DvsaRnn, {"cell": "rnn", "image_at": "every"}),
    "dvsa_rnn gru": (DvsaRnn, {"cell": "gru"}),
    "dvsa_rnn every lstm": (DvsaRnn, {"image_at": "every", "cell": "lstm"}),
}


def make_captioner(name, batch=None, **settings):
    """Returns a model of `CAPTIONERS` whose weights, biases too, are drawn at random.

    Args:
        name: key of `CAPTIONERS`.
        batch: what the model is built on; None for `make_batch()`.
        settings: more arguments of the model.
    """
    keras.utils.set_random_seed(0)
    model_class, own = CAPTIONERS[name]
    widths = dict(_WIDTHS[model_class])
    if own.get("variant") == "vis_in_rnn_both_shared":
        widths["multimodal_size"] = widths["recurrent_size"]  # one matrix feeds both
    model = model_class(VOCABULARY_SIZE, **{**_PLAIN, **widths, **own, **settings})
    model(make_batch() if batch is None else batch)
    randomize(model)
    return model


def make_batch(seed=0, size=4, num_words=5, num_regions=1):
    """Returns a batch of random features and sentences: the first fills its row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, num_words + 1, size)
    lengths[0] = num_words
    words = rng.integers(3, VOCABULARY_SIZE, (size, num_words))
    features = rng.normal(size=(size, num_regions, FEATURE_SIZE))
    return {
        "region_features": features.astype("float16"),
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (size, num_regions, 1)),
        "region_mask": np.ones((size, num_regions), bool),
        "token_ids": (words * (np.arange(num_words) < lengths[:, None])).astype("int32"),
        "image_id": np.arange(size, dtype="int32"),
    }


def is_target(batch):
    """Which positions of the logits are of a word or END, bool `[B, W + 1]`."""
    lengths = (batch["token_ids"] != 0).sum(axis=1)
    return np.arange(batch["token_ids"].shape[1] + 1) <= lengths[:, None]


def log_softmax(logits):
    """Natural logarithms, float64, over the last axis."""
    logits = np.asarray(logits, np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
