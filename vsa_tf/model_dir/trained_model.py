"""A model directory after training: settings, text and weights."""

import pathlib

import numpy as np

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.model_dir.checkpoint import restore_checkpoint
from vsa_tf.models.make_model import (
    build_alignment,
    build_defrag,
    build_dvsa_rnn,
    build_embedding,
    build_m_rnn,
    build_similarity,
)
from vsa_tf.program import ProgramError
from vsa_tf.sentence_features.make_sentence_feature import load_sentence_feature
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_BUILDERS = {
    "alignment": build_alignment,
    "defrag": build_defrag,
    "dvsa_rnn": build_dvsa_rnn,
    "m_rnn": build_m_rnn,
    "embedding": build_embedding,
    "similarity": build_similarity,
}
_VOCABULARY = "vocabulary.txt"
_RELATIONS = "relations.txt"
_SENTENCE_FEATURE = "sentence_feature.npz"


def build_model(settings, inputs, vocabulary_size, steps_per_epoch=1):
    """Returns the model of `settings` with all its weights made.

    Args:
        settings: `Settings`.
        inputs: what the model reads, a dict: `num_regions` and `region_feature_size` (0: pixels) of
            the records, `sentence_feature_size` (0: none), and of models that read dependency
            relations `num_relations`.
        vocabulary_size: number of token ids.
        steps_per_epoch: of the training run.
    """
    feature_size = inputs["region_feature_size"]
    own = {name: inputs[name] for name in ("num_relations",) if name in inputs}
    try:
        model = _BUILDERS[settings.training.model](
            settings.model,
            vocabulary_size,
            from_pixels=feature_size == 0,
            steps_per_epoch=steps_per_epoch,
            num_epochs=settings.training.num_epochs,
            **own,
        )
    except ValueError as error:  # such as a --cnn that there is not
        raise ProgramError(str(error)) from error
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


class TrainedModel:
    """A model directory after training.

    Attributes:
        settings: the `Settings` of the run.
        inputs: sizes and encoder of the records it was trained on, a dict.
        text: the `CaptionText`.
        model: the model with the best weights.
        progress: what the checkpoint says of the run.
    """

    def __init__(self, model_dir):
        """Loads the best weights of `model_dir`. Raises ProgramError or CheckpointError."""
        model_dir = pathlib.Path(model_dir)
        self.settings = Settings.load(model_dir)
        checkpoint = model_dir / "checkpoint_best.npz"
        if not checkpoint.is_file():
            raise ProgramError(f"{model_dir} holds no checkpoint yet: train it first")
        self.inputs = Settings.load_inputs(model_dir)
        self.text = load_text(model_dir, self.settings)
        if self.text is None:
            raise ProgramError(f"{model_dir} has no vocabulary.txt. Restore the file")
        # The sizes alone would not tell: words in another order give other sentences.
        for name, fingerprint in self.text.fingerprints().items():
            if self.inputs.get(name, fingerprint) != fingerprint:
                raise ProgramError(
                    f"Expected {model_dir / name}.txt to be as training wrote it. Received: other "
                    "content, which the checkpoint does not fit. Restore the file"
                )
        self.model = build_model(self.settings, self.inputs, len(self.text.vocabulary))
        self.progress = restore_checkpoint(checkpoint, self.model.variables)

    def check_records(self, records):
        """Refuses a `RecordSplit` with other features than the model was trained on.

        Raises:
            ProgramError: names both.
        """
        expected = self.inputs["region_feature_size"], self.inputs["encoder"]
        received = records.info.region_feature_size, records.info.encoder
        if expected != received:
            raise ProgramError(
                "Expected records with the features the model was trained on, "
                f"{expected[0]} numbers of {expected[1].get('spec')}. Received: "
                f"{records.info.data_dir} with {received[0]} of {received[1].get('spec')}, "
                f"settings {received[1]}"
            )


def save_text(model_dir, text):
    """Writes what a `CaptionText` has learnt into `model_dir`."""
    model_dir = pathlib.Path(model_dir)
    if text.relation_types is not None:
        text.relation_types.save(model_dir / _RELATIONS)
    if text.sentence_feature is not None:
        text.sentence_feature.save(model_dir / _SENTENCE_FEATURE)
    # Last: where there is a vocabulary, all is there.
    text.vocabulary.save(model_dir / _VOCABULARY)


def load_text(model_dir, settings):
    """Returns the `CaptionText` that `save_text` wrote; None if there is none yet.

    Args:
        model_dir: the directory.
        settings: the `Settings` of its model.

    Raises:
        ProgramError: the sentence feature or the relation types are missing or damaged.
    """
    model_dir = pathlib.Path(model_dir)
    if not (model_dir / _VOCABULARY).is_file():
        return None
    feature = relation_types = None
    if settings.model.reads_sentence_features:
        feature = _load(load_sentence_feature, model_dir / _SENTENCE_FEATURE)
    if settings.model.reads_dependencies:
        relation_types = _load(RelationTypes.load, model_dir / _RELATIONS)
    vocabulary = Vocabulary.load(model_dir / _VOCABULARY)
    return CaptionText(vocabulary, settings.data.tokenizer, feature, relation_types)


def _load(load, path):
    try:
        return load(path)
    except (OSError, ValueError) as error:
        raise ProgramError(f"{path} cannot be read: {error}. Restore the file") from error
