"""What a model reads of captions, learnt from the training split, and the weights it gives."""

import fractions
import math
import time

import numpy as np

from vsa_tf.data.caption_text import CaptionText
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import told_as
from vsa_tf.program import silent
from vsa_tf.sentence_features.bag_of_words import MeanVector, TfIdf
from vsa_tf.sentence_features.fisher_vector import FisherVector
from vsa_tf.sentence_features.word_vector_table import (
    WordVectorTable,
    read_word_vectors,
    train_word_vectors,
)
from vsa_tf.text.vocabulary import (
    OTHER_RELATION,
    PAD_ID,
    SPECIAL_TOKENS,
    START_ID,
    UNK_ID,
    RelationTypes,
)

_MANY_UNKNOWN = 0.5
# Captions by which the pace of a text tower is taken.
_TIMED = 64


def learn_text(captions, settings, dependencies=(), say=silent, start=None):
    """Returns the `CaptionText`: a vocabulary, and what else the model reads.

    Args:
        captions: list of str, of the training split.
        settings: `Settings`.
        dependencies: of each caption its dependency relations, as of `RecordSplit`, for models that
            read them.
        say: called with each line about the work.
        start: the `CaptionText` that is gone on from, whose words and relation types come first and
            whose sentence feature stays; None: there is none.

    Raises:
        VsaTfError: word vectors cannot be had, the captions are too few for the feature, or the
            vocabulary has no word.
    """
    try:
        text = CaptionText.learn(captions, settings.data, start)
    except ValueError as error:
        raise VsaTfError(f"--tokenizer={settings.data.tokenizer}: {error}") from error
    if len(text.vocabulary) == len(SPECIAL_TOKENS):
        raise VsaTfError(
            f"No word of the {len(captions)} training captions is seen as often as "
            f"--min_count={settings.data.min_count}: lower it"
        )
    model = settings.model
    if model.reads_dependencies:
        text.relation_types = _relation_types(dependencies, model.min_relation_share, say)
        if start:
            text.relation_types = start.relation_types.joined(text.relation_types)
    if not model.reads_sentence_features:
        return text
    if start:
        # Another feature would have other dimensions, which no weight fits.
        text.sentence_feature = start.sentence_feature
        return text
    try:
        text.sentence_feature = _sentence_feature(text, captions, settings, say)
    except (ModuleNotFoundError, ValueError) as error:
        raise VsaTfError(f"--text={model.text}: {error}") from error
    return text


def check_text_tower(settings):
    """Refuses a preset without a text tower of CLIP, which needs no captions to tell.

    Raises:
        VsaTfError: names what is wrong with it.
    """
    spec = getattr(settings.model, "text", "")
    if spec.startswith("keras_hub:"):
        from vsa_tf.sentence_features.text_tower import TextTower  # imports TensorFlow

        try:
            TextTower.preset_tokenizer(spec)
        except ValueError as error:
            raise VsaTfError(f"--text={spec}: {error}") from error


def _relation_types(dependencies, min_share, say):
    relations = [relation for relations in dependencies for relation, _, _ in relations]
    # As it is written: 7 of 100 are no less than 0.07, whose float times 100 is above 7.
    min_count = math.ceil(fractions.Fraction(str(min_share)) * len(relations))
    types = RelationTypes.from_relations(relations, max(min_count, 1))
    say(
        f"{len(types) - len(types.special)} types of dependency relations; the rarer ones are "
        f"one more, {types.counts[OTHER_RELATION]} of {len(relations)} relations"
    )
    return types


def _sentence_feature(text, captions, settings, say):
    model, seed = settings.model, settings.training.seed
    if model.text.startswith("keras_hub:"):
        return _text_tower(model.text, captions, say)
    say(f"fitting the sentence feature {model.text} to {len(captions)} captions")
    sentences = [text.tokenize(caption) for caption in captions]
    if model.text == "tf_idf":
        return TfIdf.fit(sentences, min_count=settings.data.min_count)
    vectors = _word_vectors(sentences, settings, say)
    if model.text == "mean_vector":
        return MeanVector.fit(sentences, vectors)
    return FisherVector.fit(
        sentences,
        vectors,
        num_centers=model.num_centers,
        mixture=model.mixture,
        dimension=model.text_feature_size or None,
        seed=seed,
    )


def _text_tower(spec, captions, say):
    """Returns the `TextTower` of a preset, and says how long it will take: minutes in silence."""
    from vsa_tf.sentence_features.text_tower import TextTower  # imports TensorFlow

    tower = TextTower.of_preset(spec)
    texts = captions[:_TIMED]
    tower.transform(texts)  # once in vain: the first pass takes longer
    start = time.monotonic()
    tower.transform(texts)
    rate = len(texts) / (time.monotonic() - start)
    say(
        f"{spec} reads {rate:.3g} captions a second: these {len(captions)} take about "
        f"{len(captions) / rate / 60:.1f} minutes"
    )
    return tower


def _word_vectors(sentences, settings, say):
    model = settings.model
    if model.word_vectors:
        return _read_table({word for sentence in sentences for word in sentence}, model, say)
    say("no --word_vectors: word vectors are trained on the training captions alone")
    return train_word_vectors(
        sentences,
        model.word_embedding_size,
        min_count=settings.data.min_count,
        seed=settings.training.seed,
    )


def _read_table(words, network, say):
    table = WordVectorTable.read(network.word_vectors, words, network.word_embedding_size)
    say(f"{len(table.words)} of {len(words)} words have a vector in {network.word_vectors}")
    return table


def set_initial_weights(model, text, settings, say=silent):
    """Sets where words start from vectors of others and the softmax bias, as the settings say.

    Args:
        model: a built model.
        text: its `CaptionText`.
        settings: its `Settings`.
        say: called with each line about the work.

    Raises:
        VsaTfError: the file of word vectors does not fit.
    """
    network = settings.model
    if network.word_vectors and not network.reads_sentence_features:
        _assign_word_vectors(model.word_table.embeddings, text.vocabulary, network, say)
    elif network.word_vectors and network.text == "tf_idf":
        _project_word_vectors(
            model.text_branch.first_projection.kernel,
            text.sentence_feature.words,
            network,
            settings.training.seed,
            say,
        )
    if network.initialize_bias:
        model.softmax.bias.assign(log_frequencies(text.vocabulary))


def log_frequencies(vocabulary):
    """Returns the logarithm of each token's share of the training captions.

    See D supplement, section 5.

    Tokens that never follow another, PAD and START, get that of a token seen half a time.

    Args:
        vocabulary: a `Vocabulary`.

    Returns:
        float32 `[V]`.
    """
    counts = np.array(vocabulary.counts, np.float64)
    counts[[PAD_ID, START_ID]] = 0.0
    return np.log(np.maximum(counts, 0.5) / counts.sum()).astype(np.float32)


def _assign_word_vectors(table, vocabulary, settings, say):
    values = np.array(table.value)
    with told_as("--word_vectors"):
        found = read_word_vectors(settings.word_vectors, vocabulary, values.shape[1])
    for index, vector in found.items():
        values[index] = vector
    table.assign(values)
    say(f"{len(found)} of {len(vocabulary)} words have a vector in {settings.word_vectors}")


def _project_word_vectors(kernel, words, settings, seed, say):
    """Makes the rows of a matrix that reads bags of words as much alike as the words' vectors are.

    Row w becomes `u_w G`: u_w the word's vector at length 1, G of random numbers as large as the
    matrix starts with. The hidden layer starts with a random view of the weighted sum of a
    sentence's word vectors.
    """
    values = np.array(kernel.value)
    with told_as("--word_vectors"):
        table = _read_table(words, settings, say)
    units = table.vectors / np.maximum(np.linalg.norm(table.vectors, axis=1, keepdims=True), 1e-6)
    row_of = {word: row for row, word in enumerate(words)}
    rng = np.random.default_rng(seed)
    projection = rng.normal(scale=values.std(), size=(table.size, values.shape[1]))
    values[[row_of[word] for word in table.words]] = units @ projection
    kernel.assign(values)


def unknown_words_line(data):
    """Returns a line where most words of a split are unknown to the vocabulary, else None.

    Args:
        data: `SplitData` of words.
    """
    if data.text.relation_types is not None:
        return None
    ids = data.tokens.packed_ids
    share = float((ids == UNK_ID).mean())
    if share <= _MANY_UNKNOWN:
        return None
    return (
        f"{data.records.split}: {share:.0%} of the words are unknown to the vocabulary of "
        f"{len(data.text.vocabulary)}. Lower --min_count, or write all splits in one language; "
        "sentences without spaces need --tokenizer=wordpiece"
    )
