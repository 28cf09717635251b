"""A model directory after training: settings, text and weights."""

import pathlib

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of
from vsa_tf.files import array_kind
from vsa_tf.model_dir.checkpoint import restore_checkpoint
from vsa_tf.models.model_table import make_model
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_VOCABULARY = "vocabulary.txt"
_RELATIONS = "relations.txt"
_SENTENCE_FEATURE = "sentence_feature.npz"
_SENTENCE_FEATURES = {feature.kind: feature for feature in (MeanVector, TfIdf, FisherVector)}


class TrainedModel:
    """A model directory after training.

    Attributes:
        settings: the `Settings` of the run.
        inputs: sizes and encoder of the records it was trained on, a dict.
        text: the `CaptionText`.
        model: the model with the best weights.
        progress: what the checkpoint says of the run.
        model_dir: pathlib.Path of the directory.
    """

    def __init__(self, model_dir):
        """Loads the best weights of `model_dir`. Raises VsaTfError."""
        self.model_dir = model_dir = pathlib.Path(model_dir)
        self.settings = Settings.load(model_dir)
        checkpoint = model_dir / "checkpoint_best.npz"
        if not checkpoint.is_file():
            raise VsaTfError(f"{model_dir} holds no checkpoint yet: train it first")
        self.inputs = Settings.load_inputs(model_dir)
        self.text = trained_text(model_dir, self.settings, self.inputs)
        self.model = make_model(self.settings, self.inputs, len(self.text.vocabulary))
        self.progress = restore_checkpoint(checkpoint, self.model.variables)

    def check_records(self, records):
        """Refuses a `RecordSplit` with other features than the model was trained on.

        Raises:
            VsaTfError: names both.
        """
        expected = self.inputs["region_feature_size"], self.inputs["encoder"]
        received = records.info.region_feature_size, records.info.encoder
        if expected != received:
            raise VsaTfError(
                "Expected records with the features the model was trained on, "
                f"{expected[0]} numbers of {expected[1].get('spec')}. Received: "
                f"{records.info.data_dir} with {received[0]} of {received[1].get('spec')}, "
                f"settings {received[1]}"
            )


def trained_text(model_dir, settings, inputs):
    """Returns the `CaptionText` that a model was trained with.

    Args:
        model_dir: the directory.
        settings, inputs: of its `config.json`.

    Raises:
        VsaTfError: a file is missing, damaged, or another one.
    """
    text = load_text(model_dir, settings)
    if text is None:
        raise VsaTfError(f"{model_dir} has no vocabulary.txt. Restore the file")
    # The sizes alone would not tell: words in another order give other sentences.
    for name, fingerprint in text.fingerprints().items():
        if inputs.get(name, fingerprint) != fingerprint:
            raise VsaTfError(
                f"Expected {pathlib.Path(model_dir) / name}.txt to be as training wrote it. "
                "Received: other content, which the checkpoint does not fit. Restore the file"
            )
    return text


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
        VsaTfError: a file is missing or damaged.
    """
    model_dir = pathlib.Path(model_dir)
    if not (model_dir / _VOCABULARY).is_file():
        return None
    feature = relation_types = None
    if settings.model.reads_sentence_features:
        feature = _load(load_sentence_feature, model_dir / _SENTENCE_FEATURE)
    if settings.model.reads_dependencies:
        relation_types = _load(RelationTypes.load, model_dir / _RELATIONS)
    vocabulary = _load(Vocabulary.load, model_dir / _VOCABULARY)
    data = settings.data
    return CaptionText(vocabulary, data.tokenizer, feature, relation_types, data.fold_letters)


def _load(load, path):
    try:
        return load(path)
    except (OSError, *NOT_AS_EXPECTED) as error:
        raise VsaTfError(f"{path} cannot be read: {reason_of(error)}. Restore the file") from error


def load_sentence_feature(path):
    """Reads a feature that its `save` wrote, whichever it is.

    Raises:
        FileNotFoundError: there is none.
        ValueError: when it is another file.
    """
    kind = array_kind(path)
    if kind == "keras_hub":
        from vsa_tf.sentence_features.text_tower import TextTower  # imports TensorFlow

        return TextTower.load(path)
    if kind not in _SENTENCE_FEATURES:
        raise ValueError(
            f"Expected {path} to hold a sentence feature, {tuple(_SENTENCE_FEATURES)}. "
            f"Received: a {kind}"
        )
    return _SENTENCE_FEATURES[kind].load(path)
