"""Tables of a page."""

import html

from vsa_tf.reporting.printable import printable


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
    return (
        f'<div class="table"><table><caption>{_text(title)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def _text(value):
    return html.escape(printable(str(value)))
