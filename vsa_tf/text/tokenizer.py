"""Captions to tokens: words, split much as in the Penn Treebank, or wordpieces of these.

`WORD_RULES` is the whole definition of words. Python applies it here with `re`, the graph with RE2
(`vsa_tf.data.text_ops`): the patterns keep to what both read alike, without look-around.
Every rule works within a run of non-spaces, so a caption's tokens are those of its
space-separated words, one after the other.

* Clitics are tokens: `do n't`, `ca n't`, `dog 's`, `i 'm`, `they 're`; so are they when the
  caption comes split already. `cannot`, `gonna` and the like are two tokens.
* Sentence punctuation, quotes, brackets and dashes are dropped, the apostrophe of `dogs'` too.
* Hyphens, dots and apostrophes stay within a word (`t-shirt`, `o'clock`, `10.5`), and `,`, `:`
  and `/` between digits (`3,000`, `5:30`, `1/2`).
* Dots at the end of a word go even from abbreviations: `u.s.` and `u.s` are both `u.s`.
* `$`, `%`, `#` and `+`, which are read aloud, are tokens of their own. So are `&` and `@`, but
  between letters or digits they stay (`at&t`).
"""

import re

from vsa_tf.text.normalization import normalize
from vsa_tf.text.vocabulary import UNK_TOKEN

# Read on normalised text, where ASCII lower case is all that is left of ASCII capitals and
# ASCII punctuation of all punctuation. '`' cannot occur there: it marks a clitic's apostrophe.
WORD_RULES = (
    # What never belongs to a word.
    (r'["()\[\]{}<>!?;*\\^_|~=]|--+|\.\.+|\'\'+|[,:/][,:/]+', " "),
    (r"([^0-9])[,:/]", r"\1 "),
    (r"[,:/]([^0-9])", r" \1"),
    (r"^[,:/]|[,:/]$", " "),
    # Symbols that are words.
    (r"([$%#+])", r" \1 "),
    (r"([&@])[&@]+", r" \1 "),
    (r"([^a-z0-9])([&@])", r"\1 \2 "),
    (r"([&@])([^a-z0-9])", r" \1 \2"),
    (r"^([&@])", r"\1 "),
    (r"([&@])$", r" \1"),
    # Ends of words, and the clitics there.
    (r"[.'-]+( |$)", r"\1"),
    (r"'s-", " `s -"),
    (r"'(s|m|d|re|ve|ll)( |$)", r" `\1\2"),
    (r"([^ ])n't( |$)", r"\1 n't\2"),
    (r"[.'-]+( |$)", r"\1"),
    (r"(^| )[.'-]+", r"\1"),
    (r"`", "'"),
    # Two spaces between words, so that one word's match leaves the next its space.
    (r" +", "  "),
    (r"(^| )cannot( |$)", r"\1can not\2"),
    (r"(^| )(gim|lem)me( |$)", r"\1\2 me\3"),
    (r"(^| )(gon|wan)na( |$)", r"\1\2 na\3"),
    (r"(^| )gotta( |$)", r"\1got ta\2"),
)
_COMPILED_RULES = tuple((re.compile(pattern), rewrite) for pattern, rewrite in WORD_RULES)
CONTINUATION = "##"
TOKENIZERS = ("word", "wordpiece")


class WordTokenizer:
    """Splits captions into words, lower-case: `WORD_RULES`.

    Args:
        fold_letters: whether letters lose their marks, see `normalize`.

    Example:

    >>> WordTokenizer().tokenize("The dogs' owner doesn't know it's 5:30, “really”!")
    ['the', 'dogs', 'owner', 'does', "n't", 'know', 'it', "'s", '5:30', 'really']

    Reference: Marcus, Santorini, Marcinkiewicz (1993), Building a large annotated corpus of
    English: the Penn Treebank; the tokeniser's rules for contractions.
    """

    def __init__(self, fold_letters=True):
        self._fold_letters = fold_letters

    def tokenize(self, text):
        """Splits a caption.

        Args:
            text: any string; it is normalised first.

        Returns:
            list of tokens, none of them empty.
        """
        text = normalize(text, self._fold_letters)
        for pattern, rewrite in _COMPILED_RULES:
            text = pattern.sub(rewrite, text)
        return text.split()

    def split_word(self, word):
        """Returns the list of tokens of one word of `tokenize`: itself."""
        return [word]


class WordpieceTokenizer(WordTokenizer):
    """Splits captions into wordpieces, greedily and longest first.

    A piece that does not begin a word is written with `##` before it. A character that is no
    piece is `<unk>`, alone; what stands around it is split as usual.

    Args:
        pieces: iterable of the known pieces, such as the tokens of a `Vocabulary`.
        fold_letters: whether letters lose their marks, see `normalize`.

    Example:

    >>> WordpieceTokenizer(["dog", "##s", "##g", "d", "##o"]).tokenize("Dogs dig")
    ['dog', '##s', 'd', '<unk>', '##g']

    Reference: Wu et al. (2016), Google's neural machine translation system, section 4.1;
    the greedy split is that of BERT and of `tensorflow_text.WordpieceTokenizer`.
    """

    def __init__(self, pieces, fold_letters=True):
        super().__init__(fold_letters)
        self._pieces = frozenset(pieces)
        self._longest = max(
            (len(piece.removeprefix(CONTINUATION)) for piece in self._pieces), default=1
        )

    def split_word(self, word):
        """Returns the list of pieces of one word (a token of `WordTokenizer`)."""
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
        """Splits a caption; returns the list of its pieces."""
        return [p for word in super().tokenize(text) for p in self.split_word(word)]


def wordpiece_alphabet(words):
    """Returns the pieces of one character, at the start and inside of words, a sorted list.

    Args:
        words: iterable of str.
    """
    characters = sorted({character for word in words for character in word})
    return characters + [CONTINUATION + character for character in characters]


def make_tokenizer(tokenizer, vocabulary=None, fold_letters=True):
    """Returns the Python execution of what `vsa_tf.data.text_ops.TextToIds` does in a graph.

    Args:
        tokenizer: `word` or `wordpiece`.
        vocabulary: `Vocabulary` whose tokens are the wordpieces; `word` does without.
        fold_letters: whether letters lose their marks, see `normalize`.

    Returns:
        `WordTokenizer`, or the `WordpieceTokenizer` of the vocabulary.

    Raises:
        ValueError: for another `tokenizer`, or `wordpiece` without a vocabulary.
    """
    if tokenizer == "word":
        return WordTokenizer(fold_letters)
    if tokenizer != "wordpiece":
        raise ValueError(
            f"Expected tokenizer to be one of {TOKENIZERS}. Received: tokenizer={tokenizer!r}"
        )
    if vocabulary is None:
        raise ValueError(
            "Expected a vocabulary of wordpieces with tokenizer='wordpiece'. "
            "Received: vocabulary=None"
        )
    return WordpieceTokenizer(vocabulary.tokens, fold_letters)
