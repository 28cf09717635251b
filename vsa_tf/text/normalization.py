"""Unicode normalisation, one character at a time.

Each character is replaced without a look at its neighbours, so that a table can do the same in a
TensorFlow graph (`vsa_tf.data.text_ops`). Compatibility forms are decomposed, letters are
case-folded and marks dropped (NFKD, full case folding); punctuation becomes ASCII.
"""

import unicodedata

# Symbols that the decomposition does not bring to ASCII, or not to what their writers mean.
_REPLACEMENTS = {
    "`": "'",
    "\u200b": " ",  # zero width space: the one invisible character that separates words
    "\u00d7": "x",  # multiplication sign, as in 4x4
    "\u2044": "/",
    "\u2215": "/",
    "\u2122": " ",  # trade mark and service mark: 'TM' would become part of the name before it
    "\u2120": " ",
    "\u3001": ",",
    "\u3002": ".",
    **dict.fromkeys("\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u2018\u2019", "'"),
    **dict.fromkeys("\u201a\u201b\u2032\u2035", "'"),
    **dict.fromkeys("\u00ab\u00bb\u02ba\u201c\u201d\u201e\u201f\u2039\u203a\u300c\u300d", '"'),
    **dict.fromkeys("\u2010\u2012\u2212\u2043", "-"),
    **dict.fromkeys("\u2013\u2014\u2015\u2e3a\u2e3b", " -- "),
}


def _replace_once(character):
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    category = unicodedata.category(character)
    if category in ("Cn", "Co", "Cs"):
        return " "
    if category == "Cf" or category[0] == "M":
        return ""
    decomposition = unicodedata.decomposition(character)
    if category[0] in "LN" or " " < character <= "~":
        folded = character.casefold()
        if not decomposition and folded == character:
            return character
        decomposed = unicodedata.normalize("NFKD", folded)
        bare = "".join(c for c in decomposed if unicodedata.category(c)[0] != "M")
        # 3½ is three and a half, not thirty-one halves.
        space = " " if decomposition.startswith("<fraction>") else ""
        return space + unicodedata.normalize("NFC", bare)
    return unicodedata.normalize("NFKD", character) if decomposition else " "


def normalize_character(character):
    """Replaces one character; every character of the result maps to itself.

    Args:
        character: a string of one code point; lone surrogates are allowed.

    Returns:
        Letters and numbers in their plain form, ASCII punctuation, a space for separators,
        controls, other symbols and unassigned code points, or nothing for marks and for
        invisible formatting characters.
    """
    text = _replace_once(character)
    while text != character and text not in (" ", ""):
        character, text = text, "".join(map(_replace_once, text))
    return text


class _Replacements(dict):
    """Maps code points to `normalize_character` of them, computed when first asked for."""

    def __missing__(self, code_point):
        self[code_point] = normalize_character(chr(code_point))
        return self[code_point]


_TABLE = _Replacements()


def normalize(text):
    """Returns `text` case-folded, without accents, with ASCII punctuation and plain spaces.

    The result holds letters and numbers of any script, ASCII punctuation and spaces (runs of
    them are left to the tokeniser). Normalising twice changes nothing, and
    `normalize(a + b) == normalize(a) + normalize(b)`.

    Example:

    >>> normalize("Café “Zoë” — ½ PRICE…")
    'cafe "zoe"  --   1/2 price...'

    Args:
        text: any string.

    Returns:
        The normalised string.

    Reference: Unicode Standard Annex 15 (normalisation forms); the character data are those of
    Python's `unicodedata`.
    """
    return text.translate(_TABLE)
