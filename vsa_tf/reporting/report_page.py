"""A page of a report: heading, navigation, tables, and the cards that a script draws."""

import dataclasses
import html
import json
import string

from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS, WHOLE_FRAME_SHARE

_PAGE = string.Template("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>$title · $report</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="report.css">
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header>
<p class="report">$report</p>
<nav aria-label="Sections"><ul>
$sections
</ul></nav>
</header>
<main id="content" tabindex="-1">
<h1>$title</h1>
$introduction$pager
$body$pager_below
</main>
</body>
</html>
""")
_SCRIPTS = """\
<noscript><p class="note">This page needs JavaScript, which is switched off.</p></noscript>
<div id="report"></div>
<script src="data/{name}.js"></script>
<script src="report.js"></script>
"""


@dataclasses.dataclass
class ReportPage:
    """What a page holds; `page_html` makes its file.

    Attributes:
        name: of its files, without an ending.
        title: its heading.
        introduction: what there is to see, in a sentence or two.
        groups: list of dicts, see `group`.
        html: further content, escaped already.
        section: what it is called in the navigation; pages of one section follow one another.
        files: dict of name to bytes, what `html` shows besides.
    """

    name: str
    title: str
    introduction: str = ""
    groups: list = dataclasses.field(default_factory=list)
    html: str = ""
    section: str = ""
    files: dict = dataclasses.field(default_factory=dict)

    @staticmethod
    def group(title="", cards=(), note="", small=False, level=2):
        """Returns cards under a heading, as data.

        Args:
            title: the heading, or empty.
            cards: iterable of `Card`.
            note: a sentence below the heading.
            small: photographs side by side, rather than each with its lines beside it.
            level: of the heading, 2 or 3.
        """
        return {
            "title": printable(title),
            "note": printable(note),
            "small": small,
            "level": level,
            "cards": [card.content for card in cards],
        }

    def data_script(self):
        """Returns the script file that hands the groups to static/report.js."""
        # ASCII alone: no reader can take it for another encoding.
        return f"window.reportPage = {json.dumps({'groups': self.groups})};\n"


class Card:
    """What a page shows of one photograph; static/report.js draws it.

    Args:
        photograph: of `PhotographFolder.photograph`.
        title: what it is called, such as its file name.
        note: a short remark beside it, such as a score.
        right: whether it is a right answer; None: it is not one to judge.
    """

    def __init__(self, photograph, title="", note="", right=None):
        self._boxes = []
        self._colors = {}
        self.content = {
            "photograph": photograph,
            "title": printable(title),
            "note": printable(note),
            "right": right,
            "boxes": self._boxes,
            "lines": [],
        }

    def add_box(self, box, is_truth=False):
        """Adds a box, once.

        Args:
            box: four floats, normalised `ymin, xmin, ymax, xmax`.
            is_truth: drawn dashed, without a colour.

        Returns:
            List of its number; empty for the whole frame, which is not drawn.
        """
        ymin, xmin, ymax, xmax = box = [round(min(1.0, max(0.0, float(x))), 4) for x in box]
        if not is_truth and (ymax - ymin) * (xmax - xmin) >= WHOLE_FRAME_SHARE:
            return []
        color = None if is_truth else self._colors.get(tuple(box))
        if not is_truth and color is None:
            red_green_blue = SNIPPET_COLORS[len(self._colors) % len(SNIPPET_COLORS)]
            color = self._colors[tuple(box)] = "#{:02x}{:02x}{:02x}".format(*red_green_blue)
        entry = {"box": box, "color": color}
        if entry not in self._boxes:
            self._boxes.append(entry)
        return [self._boxes.index(entry)]

    def add_line(self, parts, label="", note="", right=None):
        """Adds a line of text.

        Args:
            parts: list of `Card.part`.
            label: what the line is, such as `generated`.
            note: a short remark, such as a rank.
            right: whether it is a right answer; None: it is not one to judge.
        """
        self.content["lines"].append(
            {"parts": parts, "label": label, "note": printable(note), "right": right}
        )

    @staticmethod
    def part(text, boxes=(), note="", below=""):
        """Returns a part of a line.

        Args:
            text: words.
            boxes: numbers of `add_box` that it points at.
            note: shown when it is pointed at, such as a score.
            below: shown under the words, such as a log probability.
        """
        return {
            "text": printable(text),
            "boxes": list(boxes),
            "note": printable(note),
            "below": below,
        }


def region_cards(hits, data, photographs):
    """Returns a card for each region.

    Args:
        hits: list of `RegionHit`.
        data: the `SplitData` they are of.
        photographs: `PhotographFolder`.

    Returns:
        List of `Card`.
    """
    cards = []
    for hit in hits:
        card = Card(photographs.photograph(hit.image), note=f"{hit.score:.2f}")
        card.add_box(data.records.region_boxes[hit.image, hit.region])
        cards.append(card)
    return cards


def numbered_pages(name, title, introduction, items, per_page, groups_of):
    """Yields the pages of a section that is too long for one.

    Args:
        name: of the section's files.
        title: of the section.
        introduction: of every page.
        items: list of what is shown.
        per_page: how many of them on a page.
        groups_of: given the items of a page, returns its groups.
    """
    count = -(-len(items) // per_page)
    for number, first in enumerate(range(0, len(items), per_page), 1):
        chosen = items[first : first + per_page]
        heading = title if count == 1 else f"{title}, page {number} of {count}"
        yield ReportPage(
            f"{name}_{number:03d}", heading, introduction, groups_of(chosen), section=title
        )


def page_html(page, pages, report):
    """Returns the text of a page's file.

    Args:
        page: `ReportPage`.
        pages: list of all pages of the report, this one too.
        report: what the report is of, str.
    """
    introduction = f"<p>{html.escape(page.introduction)}</p>\n" if page.introduction else ""
    siblings = [other for other in pages if other.section == page.section]
    pager = _pager(page, siblings)
    return _PAGE.substitute(
        title=html.escape(page.title),
        report=html.escape(report),
        introduction=introduction,
        sections=_sections(page, pages),
        pager=pager,
        pager_below=pager,
        body=page.html + (_SCRIPTS.format(name=page.name) if page.groups else ""),
    )


def _sections(page, pages):
    first = {}
    for other in pages:
        first.setdefault(other.section, other)
    return "\n".join(
        f"<li>{_link(other, section, section == page.section)}</li>"
        for section, other in first.items()
    )


def _pager(page, siblings):
    if len(siblings) == 1:
        return ""
    links = [_link(other, str(number), other is page) for number, other in enumerate(siblings, 1)]
    place = siblings.index(page)
    if place:
        links.insert(0, _link(siblings[place - 1], "previous"))
    if place + 1 < len(siblings):
        links.append(_link(siblings[place + 1], "next"))
    items = "".join(f"<li>{link}</li>" for link in links)
    return f'<nav class="pager" aria-label="Pages"><ul>{items}</ul></nav>\n'


def _link(page, text, is_current=False):
    current = ' aria-current="page"' if is_current else ""
    return f'<a href="{page.name}.html"{current}>{html.escape(text)}</a>'


def html_table(title, columns, rows):
    """Returns a table as HTML; the first column names the rows.

    Args:
        title: above the table.
        columns: names.
        rows: list of rows of as many cells, which become text and are escaped.
    """
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    # It scrolls sideways where it is too wide, by the keyboard, too; the shadow is of the style.
    return (
        f'<div class="table" role="region" aria-label="{_text(title)}" tabindex="0">\n'
        f"<table><caption>{_text(title)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def picture_tag(name, size, text):
    """Returns a picture as HTML.

    Args:
        name: of its file.
        size: its width and height in pixels.
        text: what it shows, for those who do not see it.
    """
    width, height = size
    return (
        f'<img class="chart" src="{name}" width="{width}" height="{height}" alt="{_text(text)}">\n'
    )


def _text(value):
    return html.escape(printable(str(value)))


def printable(text):
    """Returns `text` on one line, with a mark in the place of what has no shape.

    Control characters, marks that turn the direction of writing, and halves of surrogate pairs
    could hide or reorder what stands beside them. HTML is not escaped here: it is text to a
    script, and `html.escape` does it in a page.

    Args:
        text: str, such as a caption or a file name.

    Example:

    >>> printable("a\\tdog\\x07 <b>\\u202eruns</b>")
    'a dog\ufffd <b>\ufffdruns</b>'
    """
    return "".join(
        " " if character.isspace() else character if character.isprintable() else "\ufffd"
        for character in text
    )
