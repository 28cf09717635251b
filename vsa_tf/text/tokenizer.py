"""Words of a caption, split much as in the Penn Treebank.

`WORD_RULES` is the whole definition. Python applies it here with `re`, the graph with RE2
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

# Read on normalised text, where ASCII lower case is all that is left of Latin capitals and
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


def tokenize(text):
    """Splits a caption into words.

    Example:

    >>> tokenize("The dogs' owner doesn't know it's 5:30, “really”!")
    ['the', 'dogs', 'owner', 'does', "n't", 'know', 'it', "'s", '5:30', 'really']

    Args:
        text: any string; it is normalised first.

    Returns:
        list of tokens, lower-case, none of them empty.

    Reference: Marcus, Santorini, Marcinkiewicz (1993), Building a large annotated corpus of
    English: the Penn Treebank; the tokeniser's rules for contractions.
    """
    text = normalize(text)
    for pattern, rewrite in _COMPILED_RULES:
        text = pattern.sub(rewrite, text)
    return text.split()


def tokenize_words(words):
    """Splits words one by one, so that positions in the caption find their tokens.

    Args:
        words: sequence of strings, such as `caption.split()`.

    Returns:
        `(tokens, boundaries)`: the list of all tokens, and `len(words) + 1` ascending integers
        such that `words[i]` gave `tokens[boundaries[i]:boundaries[i + 1]]`; none for a word
        that is punctuation only. `tokens` equals `tokenize(" ".join(words))`.
    """
    tokens = []
    boundaries = [0]
    for word in words:
        tokens.extend(tokenize(word))
        boundaries.append(len(tokens))
    return tokens, boundaries
