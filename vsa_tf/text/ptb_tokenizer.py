"""Penn Treebank tokens of a caption, as the COCO caption scores are computed on.

The COCO tool tokenises with Java: Stanford CoreNLP 3.4.1's PTBTokenizer, which lower-cases too, and
then drops punctuation. `ptb_tokenize` gives the same tokens without Java. As in that lexer, every
rule of `_RULES` is tried where the last token ended; the longest match wins, the earlier rule among
equals, and what must follow a token counts for the length.

What may surprise is the tool's: brackets stay (`-lrb-`: it drops `-LRB-`, but after lower-casing),
`%`, `&`, `/` and `!!` stay, `end.The` is one word, `5 1/2` is one token with a hard space in it,
and what the lexer does not know, such as emoji, separates tokens and is gone.

Known to differ from the tool, which reads all captions as one text, a caption a line:

* A line break in a caption is a space here. There only `\\n` is one; `\\r`, `\\v`, `\\f`, U+2028
  and U+2029 break the line, and all later captions get the tokens of one before them.
* A single letter with a full stop at a caption's end (`vitamin C.`) is `c.` here. There it is `c`
  if the next caption begins with one of `_STARTERS`, such as "A man". Markup that begins in one
  caption and ends in a later one is not joined here. Nothing follows the last caption there: a
  smiley or a `'90` at its very end comes out in pieces.
* A URL whose scheme, or whose host and slash, is followed by one lone character beyond U+FFFF;
  white space other than a plain space at the end of an address that ends the caption.
* Lower case is this Python's: letters newer than Java's Unicode tables, and a capital sigma at a
  word's end after something that is no letter, may come out otherwise.

Reference: Marcus, Santorini, Marcinkiewicz (1993), Building a large annotated corpus of English:
the Penn Treebank; Chen et al. (2015), Microsoft COCO captions: data collection and evaluation
server, section 3. The rules' behaviour was checked transition by transition against the automaton
of the tool; tests/text/test_ptb_tokenizer.py runs the tool where it is installed.
"""

import re
import unicodedata

# The COCO tool's list; the brackets in it never occur in lower-cased tokens.
DROPPED_TOKENS = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())


def _characters(ranges):
    """Set of characters from code points in hexadecimal, `A1 A6-A9`."""
    bounds = [[int(bound, 16) for bound in part.split("-")] for part in ranges.split()]
    return {chr(code) for pair in bounds for code in range(pair[0], pair[-1] + 1)}


# The lexer's letters and digits are those of Unicode 6.1; these came later, or are none any more.
_NEWER_LETTERS = _characters(
    "37F 528-52F 560 588 5EF 860-86A 870-887 889-88E 8A1 8AD-8C9 978 980 9FC AF9 C34 C5A C5D C80 "
    "CDD D04 D54-D56 D5F DE6-DEF E86 E89 E8C E8E-E93 E98 EA0 EA8-EA9 EAC 13F5 13F8-13FD 16F1-16F8 "
    "170D 171F 1878 191D-191E 19B0-19C0 19C8-19C9 1B4C 1C80-1C8A 1C90-1CBA 1CBD-1CBF 1CF2-1CF3 "
    "1CFA 2C2F 2C5F 312E-312F 31BB-31BF 4DB6-4DBF 9FCD-9FFF A698-A69D A78F A794-A79F A7AB-A7F7 "
    "A8FD-A8FE A9E0-A9E4 A9E6-A9FE AA7E-AA7F AB30-AB5A AB5C-AB69 AB70-ABBF"
)
_FORMER_LETTERS = _characters("1885-1886")
# Accents, vowel signs and the like, which it takes as letters of a word.
_MARKS = _characters(
    "2C2-2C5 2D2-2DF 2E5-2EB 2ED 2EF-36F 375 378-379 384-385 3F6 483-487 55A-55F 591-5BD 5BF "
    "5C1-5C2 5C4-5C5 5C7 615-61A 64B-65E 670 6D6-6E4 6E7-6ED 6FD-6FE 70F 711 730-74C 7A6-7B0 "
    "7EB-7F3 900-903 93C 93E-94E 951-955 962-963 981-983 9BC 9BE-9C4 9C7-9C8 9CB-9CD 9D7 9E2-9E3 "
    "A01-A03 A3C A3E-A4F A81-A83 ABC ABE-ACF B82 BBE-BC2 BC6-BC8 BCA-BCD C01-C03 C3E-C56 D3E-D44 "
    "D46-D48 E31 E34-E3A E47-E4E EB1 EB4-EBC EC8-ECD"
)
# Symbols that are tokens of their own.
_SYMBOLS = _characters(
    "A1 A6-A9 AC AE-B1 B4 B6-B8 BF D7 F7 37E 387 589 5BE 5C0 5C3 5C6 5F3-5F4 600-603 606-60A 60C "
    "614 61B 61E-61F 66A 66D 6D4 700-70D 7F6-7F8 964-965 E4F 1FBD 2016-2017 2020-2023 2030-2038 "
    "203B 203E-2042 207C-207E 208C-208E 2100-2101 2103-2106 2108-2109 2114 2116-2118 211E-2123 "
    "2125 2127 2129 212E 213A-213B 2140-2144 214A-214D 214F 2190-2BFF 3002 3012 30FB FF01-FF0F "
    "FF1A-FF20 FF3B-FF40 FF5B-FF65"
)
# Characters that the rules treat alike, under the one that stands for them in the rules.
# U+0080 to U+009F are taken for what they are in Windows' code page 1252.
_ALIKE = {
    "\u2019": "\u2019\x92",
    "\u2018": "\u2018\u201b\x91",
    "\u201c": "\u201a\u201c\u201d\u201e\u201f\u2039\u203a\xab\xbb\x93\x94",
    "\u2013": "\u2013\u2014\u2015\x96\x97",
    "\u2010": "\u2010\u2011\u058a",
    "\xa2": "\xa2\xa3\xa4\xa5\x80\u060b\u0e3f\u20a0\u20a4\u20ac\uffe0\uffe1\uffe5\uffe6",
    "\xbd": "\xbc\xbd\xbe" + "".join(_characters("2153-215E")),
    "\u207a": "\u207a\u207b\u208a\u208b",  # raised and lowered plus and minus
    "\xb2": "\xb2\xb3\xb9\u2070" + "".join(_characters("2074-2079")),
    "\u2080": "".join(_characters("2080-2089")),
    "\u066b": "\u066b\u066c",
    "\u2000": "\u3000" + "".join(_characters("2000-200A")),
    "\v": "\v\u2028\u2029",
    "\0": "\0\x7f\u200b\u200e\u200f\ufeff",
    **{character: character for character in "\x85\xa0\xad\u2026\u2044\u3001"},
    # These are i, s and k where case is ignored.
    **{character: character for character in "\u0130\u0131\u017f\u212a"},
}
_REPRESENTATIVES = {
    member: character for character, members in _ALIKE.items() for member in members
}


def _shape_of(character):
    if character in _REPRESENTATIVES:
        return _REPRESENTATIVES[character]
    if character <= "~":
        return character
    category = unicodedata.category(character)
    if character <= "\uffff" and character not in _NEWER_LETTERS:
        if category[0] == "L" or character in _FORMER_LETTERS:
            return "\xaa"
        if category == "Nd":
            return "\u0660"
    return "\u0300" if character in _MARKS else "\xa7" if character in _SYMBOLS else "\x01"


class _Shapes(dict):
    """Maps code points to `_shape_of` them, computed when first asked for."""

    def __missing__(self, code_point):
        self[code_point] = _shape_of(chr(code_point))
        return self[code_point]


_SHAPES = _Shapes()

# Pieces of rules, on shapes. Case counts but within (?i:...), as in the lexer.
_A = "A-Za-z\xaa\u0130\u0131\u017f\u212a"
_ALNUM = f"[{_A}0-9\u0660]"
_DIGIT = "[0-9\u0660]"
_LETTER = f"(?:[{_A}\u0300\xad]|(?i:&[aeiou](?:acute|grave|uml);))"
_LETTERS = f"{_LETTER}(?:{_LETTER}|{_DIGIT})*"
_WORD = rf"{_LETTERS}(?:[.!?]{_LETTERS})*"
_APOSTROPHE = "(?:['\u2019]|(?i:&apos;))"
_APOSTROPHE_OR_QUOTE = "(?:[`'\u2018\u2019]|(?i:&apos;))"
_SPACE = "[ \t\xa0\u2000]"
_SPACE_OR_LINE = "(?:[ \t\xa0\u2000\n\v\f\x85]|\r\n?)"
_COMMA = "[,;:\u3001]"
_HYPHEN = "[-_\u2010]"
_AUXILIARY = f"{_APOSTROPHE}(?:[msdMSD]|(?i:re|ve|ll))"
_NEGATION = f"(?i:n){_APOSTROPHE_OR_QUOTE}(?i:t)"
_MARKUP_NAME = "[A-Za-z][A-Za-z0-9_:.-]*"
_MARKUP = (
    rf"<(?:[!?][A-Za-z-][^>\r\n]*|/{_MARKUP_NAME}|"
    rf"""{_MARKUP_NAME}(?: +{_MARKUP_NAME}(?: *= *(?:'[^']*'|"[^"]*"))?)* */?) *>"""
)
_COUNTRY_ACRONYM = r"(?i:(?:Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(?:U\.K|U\.S\.S\.R))"
_ACRONYM = rf"(?:{_COUNTRY_ACRONYM}|[A-Za-z](?:\.[A-Za-z])+)"
# Months, days, states, companies; some only with a capital, being words as well.
_ABBREVIATION = (
    r"(?:(?i:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu(?:rs)?|Fri|"
    r"Ala|Ariz|Calif|Colo|Conn|Ct|Dak|Fla|Ga|Ind|Kans?|Ky|Md|Mich|Minn|Mo|Mont|Neb|Nev|Okla|"
    r"Penn|Tenn|Va|Vt|Wisc?|Wyo|Inc|Cos?|Corp|Ltd|Plc|Rt|Bancorp|Bhd|Assn|Univ|Intl|Sys|tel|"
    r"est|ext|sq|Jr|Sr|Bros|Blvd|Rd|Esq|(?:Ed|Ph)\.D|etc|al|seq|Bldg)|(?i:Pp?t)[ye](?i:s?)|"
    r"A(?i:z|rk)|D(?i:el)|I(?i:ll)|L(?i:a)|M(?i:ass|iss)|O(?i:re)|P(?i:a)|T(?i:ex)|W(?i:ash))\."
)
# Titles and others that stand before a name, and acronyms.
_TITLE = (
    r"(?:(?i:Mrs?|Ms|Drs?|Profs?|Sens?|Reps?|Attys?|Lt|Col|Gen|Messrs|Govs?|Adm|Rev|Maj|Sgt|Cpl|"
    r"Pvt|Capt|Ste?|Ave|Pres|Lieut|Hon|Brig|Co?mdr|Pfc|Spc|Supts?|Det|Mt|Ft|Adj|Adv|Asst|Assoc|"
    r"Ens|Insp|Mlle|Mme|Msgr|Sfc|Invt|Elec|Natl|Dept|vs|Alex|Wm|Jos|Cie|a\.k\.a|cf|TREAS|Ph)|"
    rf"(?i:M)[ft](?i:g)|{_ACRONYM}|[A-Za-z])\."
)
# A letter and a full stop before one of these end a sentence.
_STARTER_WORDS = (
    r"About According Additionally After An A As At But Earlier He Her Here However If In It "
    r"Last Many More Mr\. Ms\. Now Once One Other Our She Since So Some Such That The Their "
    r"Then There These They This We When While What Yet You"
)
_STARTERS = "|".join(f"{word[0]}(?i:{word[1:]})" for word in _STARTER_WORDS.split())
_FILE_TYPE = (
    "(?i:bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|html?|h|jar|java|jpe?g|mov|mp3|pdf|php|pl|"
    "png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)"
)
_URL_END = r"""[^ \t\n\f\r"<>|.!?(){},-]"""
# The range from comma to underscore in the second alternative is the lexer's.
_HOST = (
    r"""(?:(?i:www)\.(?:[^ \t\n\f\r"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}|"""
    r"""(?:[^ \t\n\f\r"`'<>|.!?(){},-_$]+\.)+(?i:com|net|org|edu))"""
)
_HYPHENATED = rf"[A-Za-z0-9][A-Za-z0-9.,\xad]*(?:-(?:{_ACRONYM}\.|[A-Za-z0-9\xad]+))+"
_FRENCH = f"[dDoOlL]{_APOSTROPHE_OR_QUOTE}{_ALNUM}"  # d'Artagnan, O'Hara
_COMPOUND = f"(?:{_FRENCH})?{_ALNUM}+(?:{_HYPHEN}(?:{_FRENCH})?{_ALNUM}+)*"
_JOINED = "[A-Z]+(?:(?:(?i:&amp;)|[+&])[A-Z]+)+"  # AT&T


def _unchanged(token):
    return token


def _hard_spaces(token):
    return token.replace(" ", "\xa0")


def _no_soft_hyphens(token):
    return token.replace("\xad", "") or "-"


def _ampersands(token):
    return re.sub("(?i:&amp;)", "&", token)


_QUOTES = str.maketrans(
    {
        '"': "''",
        **dict.fromkeys("\x92\u2019\u203a", "'"),
        **dict.fromkeys("\x91\u2018\u201b\u2039", "`"),
        **dict.fromkeys("\x94\u201d\xbb", "''"),
        **dict.fromkeys("\x93\u201c\xab", "``"),
    }
)


def _quotes(token):
    """In LaTeX's form. Opening or closing is no matter for ASCII quotes: both are dropped."""
    return token.replace("&apos;", "'").replace("&quot;", '"').translate(_QUOTES)


def _brackets(token):
    return token.replace("(", "-LRB-").replace(")", "-RRB-")


_OTHER_BRACKETS = {"{": "-LCB-", "}": "-RCB-", "[": "-LSB-", "]": "-RSB-"}
_CURRENCIES = {"\xa2": "cents", "\xa3": "#", **dict.fromkeys("\x80\xa4\u20a0\u20ac", "$")}
_FRACTIONS = {"\xbc": "1/4", "\xbd": "1/2", "\xbe": "3/4", "\u2153": "1/3", "\u2154": "2/3"}

# Name, pattern, what must follow, rewriting of the token (none: it is no token).
_RULES = (
    ("programming language", r"(?i:c)(?:\+\+|#)|(?i:f)#", "", _unchanged),
    ("first of two words", "(?i:can)", "(?i:not)", _unchanged),
    ("first of two words", "(?i:got)", "(?i:ta)", _unchanged),
    ("first of two words", "(?i:gon|wan)", "(?i:na)", _unchanged),
    ("first of two words", "(?i:gim|lem)", "(?i:me)", _unchanged),
    ("'tis and 'twas", "'(?i:t)", "(?i:is|was)", _unchanged),
    ("markup", _MARKUP, "", _hard_spaces),
    ("dash", "\u2013|(?i:&(?:MD|mdash|ndash);)", "", lambda token: "--"),
    ("ampersand", "(?i:&amp;)", "", _ampersands),
    ("entity", "(?i:&(?:HT|TL|UR|LR|QC|QL|QR|odq|cdq|#[0-9]+);)", "", _unchanged),
    ("word before 's", _WORD, _AUXILIARY, _no_soft_hyphens),
    ("word before n't", r"[A-Za-z\xad]*[A-MO-Za-mo-z]\xad*", _NEGATION, _no_soft_hyphens),
    ("word", _WORD, "", _no_soft_hyphens),
    (
        "word with apostrophe",
        f"{_APOSTROPHE}(?i:n){_APOSTROPHE}?|(?i:Dunkin|somethin|ol){_APOSTROPHE}|"
        f"[A-HJ-XZn]{_APOSTROPHE_OR_QUOTE}[{_A}]{{2,}}|(?i:O){_APOSTROPHE_OR_QUOTE}(?i:o)|"
        f"[{_A}]+[aeiouyAEIOUY]{_APOSTROPHE_OR_QUOTE}[aeiouA-Z][{_A}]*|"
        f"{_APOSTROPHE}(?:(?i:em|till?|cause)|[2-9]0(?i:s))|"
        r"(?i:cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l)|"
        f"[lLdDjJ]{_APOSTROPHE}",
        "",
        _unchanged,
    ),
    ("y' of y'all", f"(?i:y){_APOSTROPHE}", f"[{_A}]", _unchanged),
    ("URL with scheme", rf"""(?i:https?://)[^ \t\n\f\r"<>|(){{}}]+{_URL_END}""", "", _unchanged),
    ("likely URL with path", rf"""{_HOST}/[^ \t\n\f\r"<>|()]+{_URL_END}""", "", _unchanged),
    ("likely URL", _HOST, "", _unchanged),
    (
        "e-mail address",
        r"""(?:(?i:&lt;)|<)?[a-zA-Z0-9][^ \t\n\f\r"<>|(){}\xa0]*@"""
        r"""(?:[^ \t\n\f\r"<>|(){}.\xa0]+\.)*[^ \t\n\f\r"<>|(){}.\xa0]+(?:(?i:&gt;)|>)?""",
        "",
        _unchanged,
    ),
    ("@name or #topic", f"@[a-zA-Z_][a-zA-Z_0-9]*|#{_LETTER}+", "", _unchanged),
    ("'s or n't", f"{_AUXILIARY}|{_NEGATION}", "[^A-Za-z]", _quotes),
    ("date", f"{_DIGIT}{{1,2}}[-/]{_DIGIT}{{1,2}}[-/]{_DIGIT}{{2,4}}", "", _unchanged),
    ("number", rf"[-+]?(?:{_DIGIT}*(?:[.:,\xad\u066b]{_DIGIT}+)+|{_DIGIT}+)", "", _no_soft_hyphens),
    ("raised or lowered number", "\u207a?(?:\xb2+|\u2080+)", "", _unchanged),
    (
        "fraction",
        rf"(?:{_DIGIT}{{1,4}}[- \xa0])?{_DIGIT}{{1,4}}(?:\\?/|\u2044){_DIGIT}{{1,4}}",
        "",
        _hard_spaces,
    ),
    ("fraction character", "\xbd", "", lambda token: _FRACTIONS.get(token, token)),
    (
        "special word",
        r"(?i:-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(?:&|&amp;)(?:P-500|Ls)|"
        f"Cap{_APOSTROPHE}n|c{_APOSTROPHE}est)",
        "",
        _ampersands,
    ),
    (
        "words with slash",
        r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}",
        "",
        _unchanged,
    ),
    ("currency", r"[A-Z]*\$|#", "", _unchanged),
    ("currency", "\xa2", "", lambda token: _CURRENCIES.get(token, token)),
    (
        "letter at a sentence's end",
        "[A-Za-z]",
        rf"\.{_SPACE_OR_LINE}+(?:{_STARTERS}|{_MARKUP}){_SPACE_OR_LINE}",
        _unchanged,
    ),
    (
        "abbreviation before number",
        r"(?i:ca|figs?|prop|nos?|art|bldg|pp|op)\.",
        f"{_SPACE_OR_LINE}?{_DIGIT}",
        _unchanged,
    ),
    ("abbreviation before ltd", r"(?i:pt[ey]|co)\.", f"{_SPACE}(?i:ltd|lim)", _unchanged),
    ("abbreviation", _ABBREVIATION, r"[\s\S]{0,2}", _unchanged),
    ("title or acronym", _TITLE, "", _unchanged),
    ("acronym without full stop", _ACRONYM, _SPACE_OR_LINE, _unchanged),
    ("'90", f"{_APOSTROPHE}[0-9][0-9]", _SPACE_OR_LINE, _unchanged),
    ("word with full stop before comma", rf"{_WORD}\.", _COMMA, _no_soft_hyphens),
    (
        "telephone number",
        r"(?:\([0-9]{2,3}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{2,4}[- \xa0])?[0-9]{2,4}[- \xa0])"
        r"[0-9]{3,4}[- \xa0]?[0-9]{3,5}|"
        r"(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}",
        "",
        lambda token: _brackets(_hard_spaces(token)),
    ),
    ("double quote", '"|(?i:&quot;)', "", _quotes),
    ("less than", "<|(?i:&lt;)", "", lambda token: "<"),
    ("greater than", ">|(?i:&gt;)", "", lambda token: ">"),
    ("smiley", r"[<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]]", "[^A-Za-z0-9]", _brackets),
    # The last alternative is a slip in the lexer's rules, kept as it is there.
    (
        "Asian smiley",
        r"[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'`]\)|"
        r"[\^x=~<>]\.\[\^[xX]=[^<]*<>\]",
        "",
        _brackets,
    ),
    ("bracket", "[()]", "", _brackets),
    ("bracket", r"[{}\[\]]", "", _OTHER_BRACKETS.get),
    ("hyphens", "-+", "", lambda token: "--" if len(token) in (3, 4) else token),
    ("ellipsis", r"\.{3,5}|(?:\.[ \xa0]){2,4}\.|[\u2026\x85]", "", lambda token: "..."),
    ("punctuation", rf"@+|#+|_+|\*+|(?:\\\*){{1,3}}|{_COMMA}|[?!]+|[=/]", "", _unchanged),
    ("hyphenated word with full stop before comma", rf"{_HYPHENATED}\.", _COMMA, _no_soft_hyphens),
    ("hyphenated word", _HYPHENATED, "", _no_soft_hyphens),
    (
        "file name",
        rf"(?:{_LETTER}|{_DIGIT})+(?:\.(?:{_LETTER}|{_DIGIT})+)*\.{_FILE_TYPE}",
        f"(?:{_SPACE_OR_LINE}|[.?!,])",
        _unchanged,
    ),
    ("compound with full stop before comma", rf"{_COMPOUND}\.", _COMMA, _unchanged),
    ("compound", _COMPOUND, "", _unchanged),
    ("joined capitals with full stop before comma", rf"{_JOINED}\.", _COMMA, _ampersands),
    ("joined capitals", _JOINED, "", _ampersands),
    ("quotes", f"''|[`\u2018\u2019\u201c]{{1,2}}|{_APOSTROPHE}", "", _quotes),
    ("quote before word", "'", r"[A-Za-z][^ \t\n\r\xa0]", _quotes),
    ("'s or n't before letter", f"{_AUXILIARY}|{_NEGATION}", "", _quotes),
    ("symbol", r"<<|>>|[.+%&~^|\\\xa7\u207a\u2044]", "", _unchanged),
    ("space", f"\0|{_SPACE}+|{_SPACE_OR_LINE}|(?i:&nbsp;)", "", None),
    ("unknown", r"[\s\S]", "", None),
)
_COMPILED_RULES = tuple(
    (re.compile(f"({pattern}){following}"), rewrite) for _, pattern, following, rewrite in _RULES
)
# Nearly every word of a caption, where no other rule can match as much or comes before `word`.
_PLAIN_WORD = re.compile(
    r" *(?!(?i:cannot|gotta|gonna|wanna|gimme|lemme)[ \n])([A-Za-z]+)(?=[ \n])"
)


def _longest_match(shape, position):
    longest = 0
    for pattern, rewrite in _COMPILED_RULES:
        match = pattern.match(shape, position)
        if match and match.end() > longest:
            longest, end, chosen = match.end(), match.end(1), rewrite
    return end, chosen


def ptb_tokenize(text):
    """Splits a caption as the COCO tool does before it scores.

    Example:

    >>> ptb_tokenize("The dogs' owner (in a T-shirt) can't pay!")
    ['the', 'dogs', 'owner', '-lrb-', 'in', 'a', 't-shirt', '-rrb-', 'ca', "n't", 'pay']

    Args:
        text: any string.

    Returns:
        list of tokens, lower-case, none of them empty or with a space, without `DROPPED_TOKENS`.
    """
    text = text.replace("\n", " ")
    shape = text.translate(_SHAPES) + "\n"
    tokens = []
    position = 0
    while position < len(text):
        plain = _PLAIN_WORD.match(shape, position)
        if plain:
            tokens.append(plain[1].lower())
            position = plain.end()
            continue
        end, rewrite = _longest_match(shape, position)
        if rewrite:
            tokens.append(rewrite(text[position:end]).lower())
        position = end
    return [token for token in tokens if token not in DROPPED_TOKENS]
