"""Wordpieces: words cut into the longest pieces a vocabulary knows."""

from vsa_tf.text import word_tokenizer
from vsa_tf.text.vocabulary import UNK_TOKEN

CONTINUATION = "##"


class WordpieceTokenizer:
    """Splits captions into wordpieces, greedily and longest first.

    A piece that does not begin a word is written with `##` before it. A character that is no
    piece is `<unk>`, alone; what stands around it is split as usual.

    Args:
        pieces: iterable of the known pieces, such as the tokens of a `Vocabulary`.

    Example:

    >>> WordpieceTokenizer(["dog", "##s", "##g", "d", "##o"]).tokenize("Dogs dig")
    ['dog', '##s', 'd', '<unk>', '##g']

    Reference: Wu et al. (2016), Google's neural machine translation system, section 4.1;
    the greedy split is that of BERT and of `tensorflow_text.WordpieceTokenizer`.
    """

    def __init__(self, pieces):
        self._pieces = frozenset(pieces)
        self._longest = max(
            (len(piece.removeprefix(CONTINUATION)) for piece in self._pieces), default=1
        )

    def split_word(self, word):
        """Returns the list of pieces of one word (a token of `word_tokenizer`)."""
        pieces = []
        start = 0
        while start < len(word):
            prefix = CONTINUATION if start else ""
            for end in range(min(len(word), start + self._longest), start, -1):
                if prefix + word[start:end] in self._pieces:
                    pieces.append(prefix + word[start:end])
                    start = end
                    break
            else:
                pieces.append(UNK_TOKEN)
                start += 1
        return pieces

    def tokenize(self, text):
        """Splits a caption into wordpieces.

        Args:
            text: any string.

        Returns:
            list of pieces.
        """
        return [p for word in word_tokenizer.tokenize(text) for p in self.split_word(word)]

    def tokenize_words(self, words):
        """Splits words one by one; `(tokens, boundaries)` as `word_tokenizer.tokenize_words`.

        Args:
            words: sequence of strings, such as `caption.split()`.

        Returns:
            `(tokens, boundaries)`: `words[i]` gave `tokens[boundaries[i]:boundaries[i + 1]]`.
        """
        tokens = []
        boundaries = [0]
        for word in words:
            tokens.extend(self.tokenize(word))
            boundaries.append(len(tokens))
        return tokens, boundaries
