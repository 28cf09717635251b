"""Pictures of a sentence's snippets and the regions of a photograph they were aligned to."""

import math
import numbers

import numpy as np
from PIL import Image, ImageDraw

from vsa_tf.visualization.fonts import choose_font, drawable

# Okabe and Ito's colours for all kinds of colour vision, then Paul Tol's bright ones.
SNIPPET_COLORS = (
    (213, 94, 0),
    (0, 114, 178),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (170, 51, 119),
    (102, 102, 0),
    (34, 136, 51),
    (68, 119, 170),
)

# Narrower photographs are enlarged, so that the text below is read; wider ones are reduced.
OWN_WIDTHS = (480, 1280)

_INK = (40, 40, 40)
_GREY = (140, 140, 140)
_PAPER = (255, 255, 255)

# A box that covers this share of the frame says nothing about where: its words stay grey.
WHOLE_FRAME_SHARE = 0.98


def alignment_picture(
    image, words, snippets, title=None, width=None, show_scores=False, truth_boxes=(), font=None
):
    """Draws the boxes of a sentence's snippets, and the sentence below in the boxes' colours.

    Args:
        image: uint8 `[h, w, 3]` (or `[h, w]`), or a PIL image.
        words: sequence of strings; the sentence.
        snippets: sequence of objects with `box` (normalised `ymin, xmin, ymax, xmax`),
            `first_word`, `last_word` (included) and `score`, as `decoding.segment_alignment`
            returns. Snippets on one box share a colour. Words in no snippet, and those of the
            whole frame, are grey.
        title: a line above the picture, or None.
        width: width of the result in pixels, to which the photograph is enlarged or reduced; None:
            its own, within `OWN_WIDTHS`.
        show_scores: write the scores into the boxes' labels.
        truth_boxes: boxes `[n, 4]` drawn dashed in black and white, for instance annotated ones.
        font: a TrueType or OpenType file; None: chosen by `choose_font`.

    Returns:
        A PIL image in RGB, `width` wide; its height follows from the photograph and the text.

    Raises:
        ValueError: if the image is not one, or a snippet does not fit the sentence.
    """
    photograph = _photograph(image, width)
    width = photograph.width
    size = min(max(12, round(width / 27)), 32)
    text = "".join(map(str, (*words, title or "")))
    small = choose_font(text, max(10, round(size * 0.8)), font)
    font = choose_font(text, size, font)
    words = [drawable(str(word), font) for word in words]
    colors = _snippet_colors(words, snippets)
    word_colors = [_GREY] * len(words)
    box_snippets = {}
    for snippet, color in zip(snippets, colors):
        for position in range(snippet.first_word, snippet.last_word + 1):
            word_colors[position] = color or _GREY
        if color:
            box_snippets.setdefault(tuple(snippet.box), (color, []))[1].append(snippet)

    draw = ImageDraw.Draw(photograph)
    for box in truth_boxes:
        _draw_dashed(draw, _pixels(box, photograph.size), max(1, width // 240))
    # Larger boxes first, so that a small one inside stays visible.
    by_area = sorted(box_snippets.items(), key=lambda item: -_area(item[0]))
    for box, (color, _) in by_area:
        _draw_box(draw, _pixels(box, photograph.size), color, max(2, width // 160))
    taken = []
    for box, (color, members) in by_area:
        _draw_label(
            draw,
            _pixels(box, photograph.size),
            _label(words, members, show_scores),
            color,
            small,
            photograph.size,
            taken,
        )

    margin = size // 2
    title_words = [] if title is None else drawable(str(title), font).split()
    title_lines = _wrapped(title_words, [_INK] * len(title_words), font, width - 2 * margin)
    sentence_lines = _wrapped(words, word_colors, font, width - 2 * margin)
    line_height = round(size * 1.35)
    top = line_height * len(title_lines) + (margin if title_lines else 0)
    height = top + photograph.height + line_height * len(sentence_lines) + 2 * margin
    picture = Image.new("RGB", (width, height), _PAPER)
    picture.paste(photograph, (0, top))
    draw = ImageDraw.Draw(picture)
    _draw_lines(draw, title_lines, margin, margin // 2, line_height, font)
    _draw_lines(draw, sentence_lines, margin, top + photograph.height + margin, line_height, font)
    return picture


def contact_sheet(pictures, columns=3, gap=12):
    """Several pictures on one white sheet, row by row, each centred in its column.

    Args:
        pictures: PIL images; sizes may differ.
        columns: pictures in a row.
        gap: pixels between pictures and around them.

    Returns:
        A PIL image in RGB.

    Raises:
        ValueError: if there is no picture or no column.
    """
    pictures = list(pictures)
    if not pictures or columns < 1:
        raise ValueError(
            "Expected at least one picture and one column. "
            f"Received: {len(pictures)} pictures, columns={columns}"
        )
    columns = min(columns, len(pictures))
    cell = max(picture.width for picture in pictures)
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) for row in rows]
    sheet = Image.new(
        "RGB", (columns * cell + (columns + 1) * gap, sum(heights) + (len(rows) + 1) * gap), _PAPER
    )
    y = gap
    for row, height in zip(rows, heights):
        for column, picture in enumerate(row):
            sheet.paste(picture, (gap + column * (cell + gap) + (cell - picture.width) // 2, y))
        y += height + gap
    return sheet


def _photograph(image, width):
    if width is not None and not (isinstance(width, numbers.Integral) and width >= 40):
        raise ValueError(f"Expected a width of at least 40 pixels. Received: width={width!r}")
    if not isinstance(image, Image.Image):
        image = np.asarray(image)
        if (
            image.dtype != np.uint8
            or not (image.ndim == 2 or image.shape[2:] == (3,))
            or (not image.size)
        ):
            raise ValueError(
                "Expected an image of type uint8 and shape [height, width, 3]. "
                f"Received: type {image.dtype}, shape {image.shape}"
            )
        image = Image.fromarray(image)
    image = image.convert("RGB")
    if width is None:
        width = min(max(image.width, OWN_WIDTHS[0]), OWN_WIDTHS[1])
    height = min(max(1, round(image.height * width / image.width)), 4 * width)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _snippet_colors(words, snippets):
    """One colour per snippet, None for the whole frame; equal boxes have equal colours."""
    colors, result = {}, []
    for snippet in snippets:
        if not 0 <= snippet.first_word <= snippet.last_word < len(words):
            raise ValueError(
                f"Expected snippets within the sentence's {len(words)} words. Received: words "
                f"{snippet.first_word} to {snippet.last_word}"
            )
        box = tuple(snippet.box)
        if len(box) != 4 or not all(math.isfinite(value) for value in box):
            raise ValueError(f"Expected boxes of four finite numbers. Received: box={box}")
        if _area(box) < WHOLE_FRAME_SHARE:
            colors.setdefault(box, SNIPPET_COLORS[len(colors) % len(SNIPPET_COLORS)])
        result.append(colors.get(box))
    return result


def _label(words, members, show_scores):
    texts = []
    for snippet in members:
        text = " ".join(words[snippet.first_word : snippet.last_word + 1])
        text = text if len(text) <= 32 else text[:31] + "…"
        texts.append(f"{text} {snippet.score:.1f}" if show_scores else text)
    return " · ".join(texts[:2]) + (" · …" if len(texts) > 2 else "")


def _area(box):
    ymin, xmin, ymax, xmax = (min(1.0, max(0.0, value)) for value in box)
    return max(0.0, ymax - ymin) * max(0.0, xmax - xmin)


def _pixels(box, size):
    """Normalised box to `left, top, right, bottom` inside the photograph."""
    ymin, xmin, ymax, xmax = (min(1.0, max(0.0, float(value))) for value in box)
    width, height = size[0] - 1, size[1] - 1
    return (
        round(min(xmin, xmax) * width),
        round(min(ymin, ymax) * height),
        round(max(xmin, xmax) * width),
        round(max(ymin, ymax) * height),
    )


def _draw_box(draw, corners, color, thickness):
    left, top, right, bottom = corners
    # A white seam keeps the colour apart from a photograph of the same colour.
    seam = thickness + 2
    for extra, shade in ((seam, _PAPER), (thickness, color)):
        inset = (seam - extra + 1) // 2
        if right - left > 2 * extra and bottom - top > 2 * extra:
            draw.rectangle(
                (left + inset, top + inset, right - inset, bottom - inset),
                outline=shade,
                width=extra,
            )
        else:
            draw.rectangle(corners, outline=shade)


def _draw_dashed(draw, corners, thickness):
    left, top, right, bottom = corners
    draw.rectangle(corners, outline=(0, 0, 0), width=thickness)
    dash = 5 * thickness
    for start in range(left, right, 2 * dash):
        end = min(start + dash, right)
        draw.rectangle((start, top, end, min(top + thickness - 1, bottom)), fill=_PAPER)
        draw.rectangle((start, max(bottom - thickness + 1, top), end, bottom), fill=_PAPER)
    for start in range(top, bottom, 2 * dash):
        end = min(start + dash, bottom)
        draw.rectangle((left, start, min(left + thickness - 1, right), end), fill=_PAPER)
        draw.rectangle((max(right - thickness + 1, left), start, right, end), fill=_PAPER)


def _draw_label(draw, corners, text, color, font, size, taken):
    """Puts the label at the first free place: above the box, inside it if it is large, below."""
    left, top, right, bottom = corners
    text = _shortened(text, font, size[0] - 12)
    ascent, descent = font.getmetrics()
    width, height = math.ceil(font.getlength(text)) + 8, ascent + descent + 4
    x = max(0, min(left, size[0] - width))
    inside = [top, bottom - height + 1]
    places = [top - height, bottom + 1]
    places[1:1] = inside if bottom - top > 4 * height else []
    places += inside
    places = [y for y in places if 0 <= y <= size[1] - height] or [0]
    free = [
        y
        for y in places
        if not any(
            x < other[2] and other[0] < x + width and y < other[3] and other[1] < y + height
            for other in taken
        )
    ]
    y = (free or places)[0]
    taken.append((x, y, x + width, y + height))
    draw.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
    draw.text((x + 4, y + 2), text, font=font, fill=_contrasting(color))


def _contrasting(color):
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    return (0, 0, 0) if luminance > 150 else (255, 255, 255)


def _shortened(text, font, width):
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _wrapped(words, colors, font, width):
    """Lines of (x, word, colour), broken between words; a word wider than a line is shortened."""
    space = font.getlength(" ")
    lines, x = [[]], 0.0
    for word, color in zip(words, colors):
        word = _shortened(word, font, width)
        length = font.getlength(word)
        if lines[-1] and x + length > width:
            lines.append([])
            x = 0.0
        lines[-1].append((x, word, color))
        x += length + space
    return lines if lines[0] else []


def _draw_lines(draw, lines, left, top, line_height, font):
    for number, line in enumerate(lines):
        for x, word, color in line:
            # Between pixels letters would be blurred.
            draw.text((left + round(x), top + number * line_height), word, font=font, fill=color)
