"""A page of a report."""

import dataclasses
import json

from vsa_tf.reporting.printable import printable


@dataclasses.dataclass
class ReportPage:
    """What a page holds; page_html.py makes the file of it.

    Attributes:
        name: of its files, without an ending.
        title: its heading.
        introduction: what there is to see, in a sentence or two.
        groups: list of dicts, see `group`.
        html: further content, escaped already.
        section: what it is called in the navigation; pages of one section follow one another.
    """

    name: str
    title: str
    introduction: str = ""
    groups: list = dataclasses.field(default_factory=list)
    html: str = ""
    section: str = ""

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
        """Returns the script file that hands the groups to page_script.py."""
        # ASCII alone: no reader can take it for another encoding.
        return f"window.reportPage = {json.dumps({'groups': self.groups})};\n"


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
