"""The Keras model that the settings describe."""

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.models.layers.image_network import image_network
from vsa_tf.models.model_table import MODELS


def make_model(settings, inputs, vocabulary_size, steps_per_epoch=1):
    """Returns the model of `settings` with all its weights made.

    Args:
        settings: `Settings`.
        inputs: what the model reads, a dict: `num_regions` and `region_feature_size` (0: pixels) of
            the records, `sentence_feature_size` (0: none), and of models that read dependency
            relations `num_relations`.
        vocabulary_size: number of token ids.
        steps_per_epoch: of the training run.

    Raises:
        VsaTfError: the settings do not go together, or there is no such `--cnn`.
    """
    own = settings.model.network(steps_per_epoch, settings.training.num_epochs)
    if "num_relations" in inputs:
        own["num_relations"] = inputs["num_relations"]
    try:
        if inputs["region_feature_size"] == 0:
            own["image_network"] = image_network(settings.model)
        network = MODELS[settings.training.model].load()
        model = network(vocabulary_size=vocabulary_size, **own)
    except ValueError as error:
        raise VsaTfError.of(error) from error
    model(example_batch(inputs, settings.data.image_size))
    return model


def example_batch(inputs, image_size):
    """Returns the smallest batch of the records' layout, all zeros but for the tokens."""
    num_regions, feature_size = inputs["num_regions"], inputs["region_feature_size"]
    if feature_size:
        image = {"region_features": np.zeros((2, num_regions, feature_size), np.float16)}
    else:
        image = {"images": np.zeros((2, image_size, image_size, 3), np.uint8)}
    sentence_feature_size = inputs.get("sentence_feature_size", 0)
    read = ("relations", "heads", "dependents") if "num_relations" in inputs else ("token_ids",)
    sentence = {name: np.ones((2, 3), np.int32) for name in read}
    if sentence_feature_size:
        sentence["sentence_features"] = np.zeros((2, sentence_feature_size), np.float16)
    return {
        **image,
        **sentence,
        "region_boxes": np.tile(np.float32([0, 0, 1, 1]), (2, num_regions, 1)),
        "region_mask": np.ones((2, num_regions), bool),
        "image_id": np.arange(2, dtype=np.int32),
    }
