"""The HTML file of a page: heading, navigation, and where a script puts what it shows."""

import html
import string

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
