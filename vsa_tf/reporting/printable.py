"""Text from records as a page can show it."""


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
