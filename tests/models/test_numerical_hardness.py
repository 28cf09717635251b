"""Every model on batches that pass all checks, and leave little to compute with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.vsa_tf_test_case import dtype_policy, randomize
from vsa_tf.models.model_table import MODELS, make_model
from vsa_tf.settings import Settings

_WIDTHS = {
    "alignment": {"joint_size": 6, "word_embedding_size": 4},
    "defrag": {"joint_size": 6, "word_embedding_size": 4},
    "dvsa_rnn": {"hidden_size": 6, "word_embedding_size": 4},
    "m_rnn": {"recurrent_size": 6, "word_embedding_size": 4, "multimodal_size": 5},
    "embedding": {"joint_size": 6, "hidden_size": 5, "text_hidden_size": 4},
    "similarity": {"joint_size": 6, "hidden_size": 5, "text_hidden_size": 4},
}
# Each model as it comes, then with the settings that divide, root and take logarithms.
CHOICES = {
    **{name: (name, {}) for name in MODELS},
    "alignment, the paper's": (
        "alignment",
        {
            "similarity": "inner",
            "word_activation": "relu",
            "feature_normalization": "none",
            "negatives": "sum",
            "margin": 1.0,
        },
    ),
    "alignment, pooled": (
        "alignment",
        {
            "similarity": "cosine",
            "score": "both",
            "region_hidden_size": 3,
            "region_pooling": "attention",
            "word_pooling": "log_sum_exp",
            "length_normalization": True,
            "feature_normalization": "power",
            "negatives": "softmax",
            "region_dropping": 0.5,
            "word_dropping": 0.5,
        },
    ),
    "alignment of relations": (
        "alignment",
        {
            "fragments": "dependencies",
            "similarity": "sentence_cosine",
            "region_pooling": "log_sum_exp",
            "negatives": "top_k",
        },
    ),
    "dvsa_rnn, attending": (
        "dvsa_rnn",
        {"image_context": "attention", "num_regions": 3, "feature_normalization": "power"},
    ),
    "m_rnn of means": (
        "m_rnn",
        {
            "image_context": "mean",
            "num_regions": 3,
            "variant": "shared",
            "feature_normalization": "none",
        },
    ),
    "embedding by triplets": (
        "embedding",
        {
            "text": "tf_idf",
            "negatives": "top_k",
            "image_neighborhood_weight": 0.1,
            "text_neighborhood_weight": 0.1,
            "neighborhood_epochs": 1,
            "batch_norm_at": "last",
            "feature_normalization": "power",
            "text_normalization": "power",
            "regions_pooling": "learned",
            "reduction": "sum",
        },
    ),
    "embedding of words": (
        "embedding",
        {
            "text": "gru",
            "word_pooling": "max",
            "regions_pooling": "max",
            "learn_temperature": True,
            "feature_normalization": "none",
        },
    ),
    "similarity of phrases": (
        "similarity",
        {"text": "tf_idf", "task": "region_phrase", "negatives": "hardest", "fusion": "bilinear"},
    ),
}
_FEATURES = ("region_features", "sentence_features")
_WORDS = ("token_ids", "relations", "heads", "dependents")
_ROWS, _REGIONS, _LENGTH, _VOCABULARY_SIZE, _NUM_RELATIONS = 4, 3, 4, 9, 5
_FEATURE_SIZE, _SENTENCE_FEATURE_SIZE = 5, 7
# The largest and the smallest that records hold.
_LARGEST, _SMALLEST = np.finfo(np.float16).max, np.finfo(np.float16).smallest_subnormal


def _batch():
    """Four pairs of three images: the last row's is the first's; the second has one region."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(size=(_ROWS, _REGIONS, 2, 2)), axis=2).astype("float32")
    boxes = corners.reshape(_ROWS, _REGIONS, 4)
    boxes[:, 0] = 0, 0, 1, 1
    ids = {name: rng.integers(3, _VOCABULARY_SIZE, (_ROWS, _LENGTH)) for name in _WORDS}
    ids["relations"] = rng.integers(1, _NUM_RELATIONS, (_ROWS, _LENGTH))
    numbers = np.arange(_ROWS, dtype="int32")
    batch = {
        "region_features": rng.normal(size=(_ROWS, _REGIONS, _FEATURE_SIZE)),
        "sentence_features": rng.normal(size=(_ROWS, _SENTENCE_FEATURE_SIZE)),
        "region_boxes": boxes,
        "region_mask": np.ones((_ROWS, _REGIONS), bool),
        "image_id": np.int32([0, 1, 2, 0]),
        "sentence_id": numbers,
        "phrase_id": numbers,
        **{name: values.astype("int32") for name, values in ids.items()},
    }
    batch["region_mask"][1, 1:] = False
    return batch | {name: batch[name].astype("float16") for name in _FEATURES}


def _of_one_region(batch):
    features, boxes = batch["region_features"].copy(), batch["region_boxes"].copy()
    features[:, 1:] = boxes[:, 1:] = 0
    mask = np.tile(np.arange(_REGIONS) < 1, (_ROWS, 1))
    return {**batch, "region_features": features, "region_boxes": boxes, "region_mask": mask}


def _with_features(change):
    return lambda batch: {**batch, **{name: change(batch[name]) for name in _FEATURES}}


def _with_words(count):
    def shortened(batch):
        kept = np.arange(_LENGTH) < count
        return {**batch, **{name: (batch[name] * kept).astype("int32") for name in _WORDS}}

    return shortened


def _alike(batch):
    names = _FEATURES + _WORDS + ("region_boxes",)
    return {**batch, **{name: np.repeat(batch[name][:1], _ROWS, axis=0) for name in names}}


def _of_all_sizes(features):
    """Rows that are huge, tiny, zero, and of one number among zeros."""
    sizes = _LARGEST * np.sign(features[:1]), _SMALLEST * np.sign(features[1:2])
    single = np.zeros_like(features[:1])
    single[..., 0] = _LARGEST
    return np.concatenate([*sizes, np.zeros_like(single), single]).astype("float16")


CASES = {
    "as usual": lambda batch: batch,
    "features of zeros": _with_features(np.zeros_like),
    "all alike": _alike,
    "one image": lambda batch: {**batch, "image_id": np.zeros(_ROWS, "int32")},
    "sentences of a word": _with_words(1),
    "sentences without words": _with_words(0),
    "one region": _of_one_region,
    "two pairs": lambda batch: {name: values[:2] for name, values in batch.items()},
    "huge features": _with_features(lambda values: (_LARGEST * np.sign(values)).astype("float16")),
    "tiny features": _with_features(lambda values: (_SMALLEST * np.sign(values)).astype("float16")),
    "features of all sizes": _with_features(_of_all_sizes),
    "nothing": lambda batch: _with_words(0)(_with_features(np.zeros_like)(_of_one_region(batch))),
}


def _zeros(model):
    for weight in model.trainable_weights:
        weight.assign(np.zeros(weight.shape))


# With weights of zero all vectors are: whatever is read.
WEIGHTS = {
    "first": (lambda model: None, CASES),
    "drawn": (randomize, CASES),
    "zero": (_zeros, ("as usual", "nothing")),
}


def _made(choice):
    """Returns a model, and the function of a batch that tells what of it is finite."""
    name, values = CHOICES[choice]
    settings = Settings.of(name, **_WIDTHS[name], **values)
    num_regions = settings.data.num_regions or _REGIONS
    inputs = {"num_regions": num_regions, "region_feature_size": _FEATURE_SIZE}
    if settings.model.reads_dependencies:
        inputs["num_relations"] = _NUM_RELATIONS
    if settings.model.reads_sentence_features:
        inputs["sentence_feature_size"] = _SENTENCE_FEATURE_SIZE
    model = make_model(settings, inputs, _VOCABULARY_SIZE)

    def is_finite(batch):
        batch = {
            each: values[:, :num_regions] if each.startswith("region_") else values
            for each, values in batch.items()
        }
        with tf.GradientTape() as tape:
            outputs = model(batch, training=True)
            loss = model.compute_loss(x=batch, y_pred=outputs, training=True)
        weights = model.trainable_weights
        gradients = tape.gradient(loss, [weight.value for weight in weights])
        if settings.model.family == "two_branch":
            outputs = model(batch)  # with the averages of its batch normalization
        if name == "embedding":
            outputs["scores"] = model.score(outputs["images"], outputs["sentences"])
        elif name == "defrag":
            names = "regions", "region_mask", "fragments", "fragment_mask"
            outputs["scores"] = model.score(*(outputs[each] for each in names))
        found = {f"the gradient of {weight.path}": each for weight, each in zip(weights, gradients)}
        found = {"the loss": loss, **found}
        found |= outputs if isinstance(outputs, dict) else {"the output": outputs}
        return {
            each: tf.reduce_all(tf.math.is_finite(tf.cast(tensor, "float32")))
            for each, tensor in found.items()
            if tensor is not None
        }

    sizes = {
        each: tf.TensorSpec([None, *values.shape[1:]], values.dtype)
        for each, values in _batch().items()
    }
    return model, tf.function(is_finite, input_signature=[sizes], autograph=False)


# To trace a model takes a second or two: with other settings than its own it is in bfloat16 alone.
@pytest.mark.parametrize(
    ("choice", "precision"),
    [*((name, "float32") for name in MODELS), *((name, "mixed_bfloat16") for name in CHOICES)],
)
def test_loss_gradients_and_outputs_are_finite(choice, precision):
    keras.utils.set_random_seed(0)
    with dtype_policy(precision):
        model, is_finite = _made(choice)
        first, wrong = model.get_weights(), []
        for weights, (change, cases) in WEIGHTS.items():
            for case in cases:
                model.set_weights(first)
                change(model)
                found = is_finite(CASES[case](_batch()))
                wrong += [f"{case}, {weights}: {name}" for name in found if not found[name]]
    assert not wrong
