"""A model directory after training: settings, text and weights, and what a new run takes over."""

import pathlib

import numpy as np

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError, differences
from vsa_tf.file_reading import told_as
from vsa_tf.files import array_kind
from vsa_tf.model_dir.checkpoint import neutral_path, restore_checkpoint
from vsa_tf.models.model_table import make_model
from vsa_tf.program import silent
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.settings import Settings
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_VOCABULARY = "vocabulary.txt"
_RELATIONS = "relations.txt"
_SENTENCE_FEATURE = "sentence_feature.npz"
# New words that are listed where a model goes on from another.
_LISTED = 10
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

    def check_records(self, records, say=silent):
        """Refuses a `RecordSplit` with other features than the model was trained on.

        Args:
            records: the `RecordSplit`.
            say: called with a line where it has fewer regions of an image.

        Raises:
            VsaTfError: names both, and what differs.
        """
        check_features(self.inputs, records.info, say)


def check_features(trained, info, say=silent):
    """Refuses records with other features than a model was trained on.

    Args:
        trained: `inputs` of its `config.json`.
        info: the records' `DatasetInfo`.
        say: called with a line where they have fewer regions of an image.

    Raises:
        VsaTfError: names both, and what differs.
    """
    expected = trained["region_feature_size"], trained["encoder"]
    received = info.region_feature_size, info.encoder
    if expected != received:
        others = differences(expected[1], received[1])
        raise VsaTfError(
            "Expected records with the features the model was trained on, "
            f"{expected[0]} numbers of {expected[1].get('spec')}. Received: "
            f"{info.data_dir} with {received[0]} of {received[1].get('spec')}"
            f"{others and ', which differ in '}{others}"
        )
    if info.num_regions < trained["num_regions"]:
        say(
            f"{info.data_dir} holds {info.num_regions} regions of an image, fewer than the "
            f"{trained['num_regions']} that the model was trained on"
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
    with told_as(f"{path} cannot be read", ". Restore the file", (OSError,)):
        return load(path)


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
    with told_as(f"{path} is no sentence feature that can be read"):
        return _SENTENCE_FEATURES[kind].load(path)


def load_start(settings, records):
    """Returns the `TrainedModel` of `--start_from`.

    Args:
        settings: `Settings` of the new run.
        records: `RecordSplit` that it trains on.

    Raises:
        VsaTfError: there is none, or it is another model, reads other text or other features.
    """
    start = TrainedModel(settings.training.start_from)
    old, new = start.settings, settings
    for name, there, here in (
        ("model", old.training.model, new.training.model),
        ("tokenizer", old.data.tokenizer, new.data.tokenizer),
        ("fold_letters", old.data.fold_letters, new.data.fold_letters),
    ):
        if there != here:
            raise VsaTfError(
                f"--start_from={settings.training.start_from} has --{name}={there}. Received: "
                f"--{name}={here}"
            )
    start.check_records(records)
    return start


def take_over(model, text, start, say=silent):
    """Gives a new model the weights of one that was trained before, as far as they fit.

    Tables of words and relation types fit by their first rows: what is known there comes first
    here (`learn_text`). Counters and seeds are those of a new run.

    Args:
        model: the new Keras model, built.
        text: its `CaptionText`.
        start: the `TrainedModel`.
        say: called with a line that says what is new.
    """
    sizes = {(len(start.text.vocabulary), len(text.vocabulary))}
    if text.relation_types is not None:
        sizes.add((len(start.text.relation_types), len(text.relation_types)))
    trained = {neutral_path(each.path): each for each in start.model.weights}
    weights = [each for each in model.weights if "float" in str(each.dtype)]
    new = []
    for weight in weights:
        value = _fitting(weight, trained.get(neutral_path(weight.path)), sizes)
        if value is None:
            new.append(weight.path)
        else:
            weight.assign(value)
    words = text.vocabulary.tokens[len(start.text.vocabulary) :]
    say(
        f"from {start.model_dir}: {len(weights) - len(new)} of {len(weights)} variables, "
        f"{len(start.text.vocabulary)} of {len(text.vocabulary)} tokens; new: "
        f"{', '.join([*new, *words[:_LISTED]]) or 'nothing'}"
        + (f" and {len(words) - _LISTED} more" if len(words) > _LISTED else "")
    )


def _fitting(weight, trained, sizes):
    """Returns the value for a weight, rows of its own where the trained one has none; or None."""
    if trained is None or len(trained.shape) != len(weight.shape):
        return None
    pairs = list(zip(trained.shape, weight.shape))
    if any(old != new and (old, new) not in sizes for old, new in pairs):
        return None
    value = np.array(weight.value)
    value[tuple(slice(old) for old, _ in pairs)] = np.asarray(trained.value)
    return value
