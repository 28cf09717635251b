"""Choice of the tokeniser by its name in flags and configurations."""

from vsa_tf.text import word_tokenizer
from vsa_tf.text.wordpiece_tokenizer import WordpieceTokenizer

TOKENIZERS = ("word", "wordpiece")


def make_tokenizer(tokenizer, vocabulary=None):
    """Returns the Python execution of what `vsa_tf.data.text_ops.TextToIds` does in a graph.

    Args:
        tokenizer: `word` or `wordpiece`.
        vocabulary: `Vocabulary` whose tokens are the wordpieces; `word` does without.

    Returns:
        An object with `tokenize(text)` and `tokenize_words(words)` (see `word_tokenizer`).

    Raises:
        ValueError: for another `tokenizer`, or `wordpiece` without a vocabulary.
    """
    if tokenizer == "word":
        return word_tokenizer
    if tokenizer != "wordpiece":
        raise ValueError(
            f"Expected tokenizer to be one of {TOKENIZERS}. Received: tokenizer={tokenizer!r}"
        )
    if vocabulary is None:
        raise ValueError(
            "Expected a vocabulary of wordpieces with tokenizer='wordpiece'. "
            "Received: vocabulary=None"
        )
    return WordpieceTokenizer(vocabulary.tokens)
