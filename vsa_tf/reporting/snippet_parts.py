"""A caption's own words, cut where its snippets of tokens end."""

import itertools


def snippet_parts(caption, boundaries, snippets):
    """Gives each word of a caption to the snippet that its first token is in.

    Words without a token, such as a full stop, stay with the word before them.

    Args:
        caption: str.
        boundaries: word i of `caption.split()` has tokens boundaries[i] to boundaries[i + 1] - 1.
        snippets: list of `(first, last)`, the first token of each and the one after its last.

    Returns:
        List of `(text, snippet)` in the order of the words; snippet is None where words are in
        none.

    Example:

    >>> snippet_parts("A dog , running .", [0, 1, 2, 2, 3, 3], [(0, 2), (2, 3)])
    [('A dog ,', 0), ('running .', 1)]
    """
    owners = []
    for word in range(len(caption.split())):
        token = boundaries[word]
        owner = next(
            (index for index, (first, last) in enumerate(snippets) if first <= token < last), None
        )
        if token == boundaries[word + 1]:
            owner = owners[-1] if owners else None
        owners.append(owner)
    pairs = zip(owners, caption.split())
    return [
        (" ".join(word for _, word in run), owner)
        for owner, run in itertools.groupby(pairs, key=lambda pair: pair[0])
    ]
