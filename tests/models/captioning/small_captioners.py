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
    "m_rnn mean": (MRnn, {"image_context": "mean"}),
    "m_rnn attention": (MRnn, {"image_context": "attention"}),
    "m_rnn vis_in_rnn_both attention": (
        MRnn,
        {"variant": "vis_in_rnn_both", "image_context": "attention"},
    ),
    "dvsa_rnn mean": (DvsaRnn, {"cell": "rnn", "image_context": "mean"}),
    "dvsa_rnn attention": (DvsaRnn, {"cell": "rnn", "image_context": "attention"}),
}


def make_captioner(name, batch=None, **settings):
    """Returns a model of `CAPTIONERS` whose weights, biases too, are drawn at random.

    Args:
        name: key of `CAPTIONERS`.
        batch: what the model is built on; None for `batch_of(name)`.
        settings: more arguments of the model.
    """
    keras.utils.set_random_seed(0)
    model_class, own = CAPTIONERS[name]
    widths = dict(_WIDTHS[model_class])
    if own.get("variant") == "vis_in_rnn_both_shared":
        widths["multimodal_size"] = widths["recurrent_size"]  # one matrix feeds both
    model = model_class(VOCABULARY_SIZE, **{**_PLAIN, **widths, **own, **settings})
    model(batch_of(name) if batch is None else batch)
    randomize(model)
    return model


def batch_of(name, **options):
    """Returns `make_batch` for a model of `CAPTIONERS`: of one to three regions where it sees them.

    What is at padding is no zero.
    """
    if "image_context" not in CAPTIONERS[name][1]:
        return make_batch(**options)
    batch = make_batch(num_regions=3, **options)
    batch["region_mask"][0::3, 2:] = batch["region_mask"][1::3, 1:] = False
    return batch


def images_of(batch):
    """Returns a batch without its sentences."""
    return {name: value for name, value in batch.items() if name != "token_ids"}


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


def attended(model, hidden, regions):
    """`sum_i a_i V_R r_i`, `a = softmax((Q h)^T K r_i / sqrt(width of h))`, of one state, float64.

    Args:
        model: a `Captioner` of `image_context="attention"`.
        hidden: `[H]`.
        regions: `[R, D]`, without padding.
    """
    query, key, value = (
        np.array(layer.kernel, np.float64)
        for layer in (model.region_query, model.region_key, model.region_value)
    )
    scores = [(hidden @ query) @ (region @ key) / len(hidden) ** 0.5 for region in regions]
    shares = np.exp(log_softmax(scores))
    return sum(share * (region @ value) for share, region in zip(shares, regions))
