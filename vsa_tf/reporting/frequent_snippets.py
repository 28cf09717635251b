"""Queries that a split itself suggests: what its sentences often say of a region."""

import collections

_ARTICLES = ("a", "an", "the")
_LEAST_WORDS = 2
_MOST_WORDS = 4


def frequent_snippets(snippets, count):
    """Returns the most frequent snippets, without the article before them.

    Snippets of one word, or of more than four, are left out, and so are those that hold, or are
    held by, a more frequent one.

    Args:
        snippets: iterable of lists of tokens.
        count: how many to return, fewer if there are fewer.

    Returns:
        List of lists of tokens, the most frequent first; of equally frequent ones the first met.

    Example:

    >>> sentences = ["a black dog", "the black dog", "black dog runs", "a red ball", "dog"]
    >>> frequent_snippets([sentence.split() for sentence in sentences], 2)
    [['black', 'dog'], ['red', 'ball']]
    """
    counts = collections.Counter()
    for tokens in snippets:
        words = tuple(tokens[1:] if tokens[:1] and tokens[0] in _ARTICLES else tokens)
        if _LEAST_WORDS <= len(words) <= _MOST_WORDS:
            counts[words] += 1
    chosen = []
    for words, _ in counts.most_common():
        if len(chosen) == count:
            break
        if not any(_holds(words, other) or _holds(other, words) for other in chosen):
            chosen.append(words)
    return [list(words) for words in chosen]


def _holds(words, other):
    return any(
        words[start : start + len(other)] == other for start in range(len(words) - len(other) + 1)
    )
