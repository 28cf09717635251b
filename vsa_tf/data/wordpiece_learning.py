"""Learns the wordpieces of the training captions."""

from vsa_tf.text.tokenizer import CONTINUATION


def learn_wordpieces(word_counts, vocabulary_size):
    """Chooses the pieces that a `WordpieceTokenizer` shall know.

    Every character of the words is a piece, both at the start and inside of words, so that no
    word made of these characters is ever unknown. The result depends on the counts alone.

    Args:
        word_counts: mapping from the words of the training captions to their counts.
        vocabulary_size: how many pieces at most; about as many come out where the words allow it.

    Returns:
        list of pieces: characters first, then by falling count.

    Raises:
        ValueError: when there is no word, or `vocabulary_size` has no room for the characters.
        ImportError: when tensorflow-text is not installed.

    Reference: Schuster and Nakajima (2012), Japanese and Korean voice search, in the top-down
    form of `tensorflow_text.tools.wordpiece_vocab`.
    """
    characters = sorted({character for word in word_counts for character in word})
    if not characters:
        raise ValueError(f"Expected words to learn pieces from. Received: {word_counts!r}")
    alphabet = characters + [CONTINUATION + character for character in characters]
    if vocabulary_size < len(alphabet):
        raise ValueError(
            f"Expected vocabulary_size to be {len(alphabet)} or more: the words hold "
            f"{len(characters)} characters. Received: vocabulary_size={vocabulary_size}"
        )
    try:
        from tensorflow_text.tools.wordpiece_vocab import wordpiece_tokenizer_learner_lib as learner
    except ImportError as error:
        raise ImportError(
            "Expected tensorflow-text, which learns wordpieces, to be installed: "
            f"pip install tensorflow-text, or take tokenizer='word'. Received: {error}"
        ) from error
    # The learner searches for the count below which pieces are left out. A character of the
    # captions counts for about one piece, so no higher count leaves enough of them.
    num_characters = sum(len(word) * count for word, count in word_counts.items())
    learnt = learner.learn(
        sorted(word_counts.items()),
        vocab_size=vocabulary_size,
        reserved_tokens=[],
        lower_thresh=None,
        upper_thresh=max(1, num_characters // vocabulary_size),
        max_unique_chars=len(characters),
        joiner=CONTINUATION,
    )
    # The learner leaves out words of more than 50 characters, and may end above the size.
    pieces = list(dict.fromkeys(alphabet + learnt))
    return pieces[:vocabulary_size]
