import importlib.util
import pathlib

import numpy as np
import pytest
from PIL import Image

from vsa_tf.visualization import fonts
from vsa_tf.visualization.alignment_picture import alignment_picture
from vsa_tf.visualization.fonts import choose_font, drawable, is_missing

RUSSIAN, CHINESE = "Собака бежит", "一只狗"


@pytest.fixture
def dejavu(monkeypatch, tmp_path):
    """No fonts but DejaVu's, that matplotlib brings to Model Garden: Cyrillic, not Chinese."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(fonts, "_FOLDERS", (str(tmp_path),))
    for function in (fonts._installed_font, fonts._installed_fonts):
        function.cache_clear()
    yield pathlib.Path(importlib.util.find_spec("matplotlib").origin).parent / "mpl-data/fonts/ttf"
    for function in (fonts._installed_font, fonts._installed_fonts):
        function.cache_clear()


def test_english_is_drawn_with_pillows_own_font():
    assert choose_font("A dog's ball, 5 m", 20).getname() == choose_font("", 20).getname()


def test_letters_of_other_scripts_find_an_installed_font(dejavu):
    font = choose_font(RUSSIAN, 20)
    assert font.getname()[0].startswith("DejaVu") and font.getname()[1] == "Book"
    assert not any(is_missing(character, font) for character in RUSSIAN)
    assert drawable(RUSSIAN, font) == RUSSIAN


def test_what_no_font_has_is_drawn_with_pillows_own(dejavu):
    font = choose_font(CHINESE, 20)
    assert font.getname() == choose_font("", 20).getname()
    assert all(is_missing(character, font) for character in CHINESE)


def test_a_letter_that_no_font_has_does_not_cost_the_others_theirs(dejavu):
    font = choose_font(f"{RUSSIAN} {CHINESE}", 20)
    assert [is_missing(character, font) for character in "Со" + CHINESE] == [False] * 2 + [True] * 3


def test_a_font_that_is_given_is_taken(dejavu, tmp_path):
    file = dejavu / "DejaVuSansMono.ttf"
    assert choose_font("a dog", 20, file).getname()[0] == "DejaVu Sans Mono"
    (tmp_path / "no.ttf").write_text("no font")
    with pytest.raises(ValueError, match="Expected font to be a TrueType .*no.ttf"):
        choose_font("a dog", 20, tmp_path / "no.ttf")


def test_files_that_are_no_fonts_are_passed_over(dejavu, tmp_path):
    (tmp_path / "a.ttf").write_text("no font")
    assert choose_font(RUSSIAN, 20).getname()[0].startswith("DejaVu")


def test_pictures_differ_by_their_words_in_other_scripts(dejavu):
    image = Image.new("RGB", (300, 60), "grey")
    pictures = [
        np.asarray(alignment_picture(image, [word], [], width=300)) for word in ("Собака", "Кошкаа")
    ]
    assert pictures[0].shape == pictures[1].shape and (pictures[0] != pictures[1]).any()
