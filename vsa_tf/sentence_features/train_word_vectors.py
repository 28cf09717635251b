"""Word vectors from the training captions alone."""

from vsa_tf.sentence_features.word_vector_table import WordVectorTable


def train_word_vectors(sentences, size=300, min_count=5, num_epochs=15, seed=0):
    """Trains skip-gram vectors with negative sampling on sentences, by gensim.

    One thread trains, and vectors start from `seed` alone: a run gives the same vectors again,
    whatever PYTHONHASHSEED is.

    Args:
        sentences: sequence of token lists, of the training split only.
        size: numbers in a vector.
        min_count: words that occur less often get no vector: theirs would be noise.
        num_epochs: passes over the sentences.
        seed: of the first vectors and of the samples.

    Returns:
        A `WordVectorTable`, words by descending count.

    Raises:
        ModuleNotFoundError: gensim is not installed.
        ValueError: no word occurs `min_count` times.

    Reference: Mikolov, Sutskever, Chen, Corrado, Dean, Distributed representations of words and
    phrases and their compositionality, 2013.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Word vectors are trained by gensim, which is not installed: "
            'pip install "vsa_tf[gensim]", or name a file of word vectors'
        ) from error

    sentences = [list(sentence) for sentence in sentences]
    model = Word2Vec(
        vector_size=size,
        min_count=min_count,
        epochs=num_epochs,
        seed=seed,
        workers=1,
        sg=1,
        window=5,
        negative=5,
        sample=1e-3,
    )
    model.build_vocab(sentences)
    if not len(model.wv):
        raise ValueError(
            f"Expected words that occur {min_count} times or more. Received: "
            f"{len(sentences)} sentences without any; set a smaller min_count"
        )
    model.train(sentences, total_examples=model.corpus_count, epochs=num_epochs)
    return WordVectorTable(model.wv.index_to_key, model.wv.vectors)
