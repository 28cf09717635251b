"""Which sentence features there are."""

from vsa_tf.files import array_kind
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.sentence_features.mean_vector import MeanVector
from vsa_tf.sentence_features.tf_idf import TfIdf

SENTENCE_FEATURES = {feature.kind: feature for feature in (MeanVector, TfIdf, FisherVector)}


def make_sentence_feature(name, sentences, word_vectors=None, **settings):
    """Fits a feature.

    Args:
        name: one of `SENTENCE_FEATURES`.
        sentences: sequence of token lists, of the training split only.
        word_vectors: a `WordVectorTable`; for features whose class says `needs_word_vectors`.
        settings: of the feature's `fit`.

    Returns:
        An object with `transform(sentences)`, `dimension`, `count_empty(sentences)` and
        `save(path)`.

    Raises:
        ValueError: for another name, without the word vectors that it needs, or as `fit` raises.
    """
    if name not in SENTENCE_FEATURES:
        raise ValueError(
            f"Expected a sentence feature of {tuple(SENTENCE_FEATURES)}. Received: {name!r}"
        )
    feature = SENTENCE_FEATURES[name]
    if feature.needs_word_vectors:
        if word_vectors is None:
            raise ValueError(f"Expected word vectors for {name}. Received: none")
        settings["word_vectors"] = word_vectors
    return feature.fit(sentences, **settings)


def load_sentence_feature(path):
    """Reads a feature that its `save` wrote, whichever it is.

    Raises:
        FileNotFoundError: there is none.
        ValueError: when it is another file.
    """
    kind = array_kind(path)
    if kind == "keras_hub":
        from vsa_tf.data.text_tower import TextTower  # imports TensorFlow

        return TextTower.load(path)
    if kind not in SENTENCE_FEATURES:
        raise ValueError(
            f"Expected {path} to hold a sentence feature, {tuple(SENTENCE_FEATURES)}. Received: a "
            f"{kind}"
        )
    return SENTENCE_FEATURES[kind].load(path)
