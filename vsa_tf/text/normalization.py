"""Unicode normalisation, one character at a time.

Each character is replaced without a look at its neighbours, so that a table can do the same in a
TensorFlow graph (`vsa_tf.data.text_ops`). Punctuation becomes ASCII. Letters become lower-case in
their compatibility form (NFKC), or, folded, lose their marks (NFKD, full case folding): what suits
English, and leaves other languages without half of their letters.
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
    "\u3002": ". ",  # no space stands between Chinese or Japanese sentences
    **dict.fromkeys("\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u2018\u2019", "'"),
    **dict.fromkeys("\u201a\u201b\u2032\u2035", "'"),
    **dict.fromkeys("\u00ab\u00bb\u02ba\u201c\u201d\u201e\u201f\u2039\u203a\u300c\u300d", '"'),
    **dict.fromkeys("\u2010\u2012\u2212\u2043", "-"),
    **dict.fromkeys("\u2013\u2014\u2015\u2e3a\u2e3b", " -- "),
}


# Marks that are no part of a letter: variation selectors, and circles and keycaps around signs.
_VARIATIONS = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}


def _replace_once(character, fold_letters):
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    category = unicodedata.category(character)
    if category in ("Cn", "Co", "Cs"):
        return " "
    if category in ("Cf", "Me") or character in _VARIATIONS:
        return ""
    if category[0] == "M" and fold_letters:
        return ""
    decomposition = unicodedata.decomposition(character)
    if not fold_letters and category[0] in "LNM":
        plain = unicodedata.normalize("NFKC", character.lower())
        return " " + plain if decomposition.startswith("<fraction>") else plain
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


def normalize_character(character, fold_letters=True):
    """Replaces one character; every character of the result maps to itself.

    Args:
        character: a string of one code point; lone surrogates are allowed.
        fold_letters: whether letters lose their marks.

    Returns:
        Letters and numbers in their plain form, ASCII punctuation, a space for separators,
        controls, other symbols and unassigned code points, or nothing for invisible formatting
        characters, and for marks where letters are folded.
    """
    text = _replace_once(character, fold_letters)
    while text != character and text not in (" ", ""):
        character, text = text, "".join(_replace_once(each, fold_letters) for each in text)
    return text


class _Replacements(dict):
    """Maps code points to `normalize_character` of them, computed when first asked for."""

    def __init__(self, fold_letters):
        super().__init__()
        self._fold_letters = fold_letters

    def __missing__(self, code_point):
        self[code_point] = normalize_character(chr(code_point), self._fold_letters)
        return self[code_point]


_TABLES = {fold_letters: _Replacements(fold_letters) for fold_letters in (False, True)}


def normalize(text, fold_letters=True):
    """Returns `text` in lower case, with ASCII punctuation and plain spaces.

    The result holds letters and numbers of any script, ASCII punctuation and spaces (runs of
    them are left to the tokeniser). Normalising twice changes nothing, and
    `normalize(a + b) == normalize(a) + normalize(b)`.

    Example:

    >>> normalize("Café “Zoë” — ½ PRICE…")
    'cafe "zoe"  --   1/2 price...'
    >>> normalize("Straßencafé", fold_letters=False)
    'straßencafé'

    Args:
        text: any string.
        fold_letters: whether letters lose their marks.

    Returns:
        The normalised string.

    Reference: Unicode Standard Annex 15 (normalisation forms); the character data are those of
    Python's `unicodedata`.
    """
    return text.translate(_TABLES[fold_letters])
