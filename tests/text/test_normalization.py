import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsa_tf.text.normalization import normalize

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A Dog", "a dog"),
        ("Café", "cafe"),
        ("Cafe\u0301", "cafe"),
        ("STRASSE straße", "strasse strasse"),
        ("İstanbul", "istanbul"),
        ("ﬁsh ① ４２ x²", "fish 1 42 x2"),
        ("½ 3½", " 1/2 3 1/2"),
        ("4×4", "4x4"),
        ("don’t don´t don`t", "don't don't don't"),
        ("“a” «b»", '"a" "b"'),
        ("a—b a–b a‐b a−b", "a -- b a -- b a-b a-b"),
        ("wait…", "wait..."),
        ("a\u00a0b\u3000c\td\ne\u2028f\x00g\x85h", "a b c d e f g h"),
        ("soft\u00adhyphen zero\u200dwidth\ufeff", "softhyphen zerowidth"),
        ("zero\u200bspace", "zero space"),
        ("dog😀cat ★ €5 Lego™", "dog cat    5 lego "),
        ("\ud800 \ufffd \ue000 \U000e0fff", "       "),
        ("собака 犬 개", "собака 犬 개"),
    ],
)
def test_characters_become_their_plain_form(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Läuft Straße CAFÉ", "läuft straße café"),
        ("ÇA ŒUVRE ÅÄÖ", "ça œuvre åäö"),
        ("ёлка Ёлка", "ёлка ёлка"),
        ("ﬁsh ① ４２ x² ½", "fish 1 42 x2  1/2"),
        ("カメラ ガギグ", "カメラ ガギグ"),
        ("犬が走る。猫が寝る。", "犬が走る. 猫が寝る. "),
        ("สุนัขวิ่งที่ชายหาด", "สุนัขวิ่งที่ชายหาด"),
        ("कुत्ता", "कुत्ता"),
        ("a\u200db soft\u00adhyphen ❤\ufe0f 1\u20e3", "ab softhyphen   1"),
        ("“a” — ’s", '"a"  --  \'s'),
    ],
)
def test_letters_that_are_not_folded_keep_their_marks(text, expected):
    assert normalize(text, fold_letters=False) == expected


def test_every_code_point_that_is_not_folded_stays_or_becomes_what_stays():
    for code_point in range(sys.maxunicode + 1):
        result = normalize(chr(code_point), fold_letters=False)
        assert normalize(result, fold_letters=False) == result, hex(code_point)
        for character in result:
            plain = unicodedata.category(character)[0] in "LNM" or " " <= character <= "~"
            assert plain and character != "`", hex(code_point)


def test_every_code_point_becomes_letters_numbers_ascii_punctuation_or_spaces():
    for code_point in range(sys.maxunicode + 1):
        result = normalize(chr(code_point))
        assert normalize(result) == result, hex(code_point)
        for character in result:
            plain = unicodedata.category(character)[0] in "LN" or " " <= character <= "~"
            assert plain and character != "`", hex(code_point)


def test_white_space_becomes_spaces():
    for character in filter(str.isspace, map(chr, range(sys.maxunicode + 1))):
        assert normalize(character) == " ", hex(ord(character))


@settings(deadline=None, max_examples=200)
@given(ANY_TEXT, ANY_TEXT)
def test_characters_do_not_depend_on_their_neighbours(left, right):
    assert normalize(left + right) == normalize(left) + normalize(right)


@settings(deadline=None, max_examples=200)
@given(ANY_TEXT)
def test_normalizing_twice_changes_nothing(text):
    assert normalize(normalize(text)) == normalize(text)


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(max_codepoint=0x10FF)))
def test_composed_and_decomposed_strings_are_equal(text):
    # Conjoining Korean letters, from U+1100, stay apart when they come apart.
    composed = normalize(unicodedata.normalize("NFC", text))
    assert composed == normalize(unicodedata.normalize("NFD", text))
