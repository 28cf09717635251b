"""The font of a picture's text: the one that is given, or one installed that has its letters."""

import functools
import importlib.util
import os
import pathlib
import unicodedata

from PIL import ImageFont

# Where Linux, macOS and Windows keep fonts.
_FOLDERS = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    *("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts"),
    *(r"C:\Windows\Fonts", r"~\AppData\Local\Microsoft\Windows\Fonts"),
)
_ENDINGS = (".ttf", ".ttc", ".otf")
# Names of styles that are chosen where no plain font will do.
_STYLES = ("bold", "italic", "oblique", "mono", "serif", "condensed", "light", "thin", "black")
# No font has a letter here: what it draws for it stands for all that it lacks.
_NO_LETTER = "\U0010ffff"


def choose_font(text, size, font_file=None):
    """Returns the font to draw a text with.

    Args:
        text: what will be drawn.
        size: in pixels.
        font_file: a TrueType or OpenType file; None: Pillow's own font, or, where that lacks
            letters of the text, the one installed that lacks fewest of them.

    Raises:
        ValueError: `font_file` is no font.
    """
    if font_file is not None:
        try:
            return ImageFont.truetype(os.fspath(font_file), size)
        except OSError as error:
            raise ValueError(
                f"Expected font to be a TrueType or OpenType file. Received: {str(font_file)!r}: "
                f"{error}"
            ) from error
    own, letters = ImageFont.load_default(size), frozenset(text)
    num_lacking = _num_missing(letters, own)
    path = _installed_font(letters, num_lacking) if num_lacking else None
    return own if path is None else ImageFont.truetype(path, size)


def drawable(text, font):
    """Returns a text, with letters that the font lacks written without accents where that helps."""
    result = []
    for character in text:
        if not character.isprintable():
            character = " "
        elif is_missing(character, font):
            base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
            character = base or character
        result.append(character)
    return "".join(result)


def is_missing(character, font):
    """Returns whether a font has no letter for a character that can be seen."""
    if character.isspace() or not character.isprintable():
        return False
    return bytes(font.getmask(character)) == bytes(font.getmask(_NO_LETTER))


def missing_letters(text, font_file=None):
    """Returns the letters of a text that will be drawn as boxes, str, each once.

    Args:
        text, font_file: as of `choose_font`.
    """
    font = choose_font(text, 12, font_file)
    drawn = drawable(text, font)
    return "".join(dict.fromkeys(letter for letter in drawn if is_missing(letter, font)))


def _num_missing(characters, font):
    return sum(is_missing(character, font) for character in characters)


@functools.cache
def _installed_font(characters, fewer_than):
    """Returns the path of the first font that lacks fewest of some characters, or None."""
    best = None
    for path in _installed_fonts():
        try:
            num_missing = _num_missing(characters, ImageFont.truetype(path))
        except OSError:  # a file that Pillow cannot read
            continue
        if num_missing < fewer_than:
            best, fewer_than = path, num_missing
        if not fewer_than:
            break
    return best


@functools.cache
def _installed_fonts():
    folders = [os.path.expanduser(folder) for folder in _FOLDERS]
    # Model Garden brings matplotlib, which brings DejaVu.
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib and matplotlib.origin:
        folders.append(str(pathlib.Path(matplotlib.origin).parent / "mpl-data/fonts/ttf"))
    paths = [
        os.path.join(place, name)
        for folder in folders
        for place, _, names in os.walk(folder)
        for name in names
        # It has a letter for everything, which says only of what script that is.
        if name.lower().endswith(_ENDINGS) and "lastresort" not in name.lower()
    ]

    def preference(path):
        name = os.path.basename(path).lower()
        return sum(style in name for style in _STYLES), name, path

    return sorted(paths, key=preference)
