"""What a model reads of captions, as its model directory keeps it."""

import pathlib

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.program import ProgramError
from vsa_tf.sentence_features.make_sentence_feature import load_sentence_feature
from vsa_tf.text.vocabulary import RelationTypes, Vocabulary

_VOCABULARY = "vocabulary.txt"
_RELATIONS = "relations.txt"
_SENTENCE_FEATURE = "sentence_feature.npz"


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
