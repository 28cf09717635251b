"""Texts for formats of one text a line."""


def one_line(text):
    """Returns a text without line ends, those within it as spaces.

    Example:

    >>> one_line("a dog\\r\\nruns  fast")
    'a dog runs  fast'
    """
    return " ".join(part for part in text.splitlines() if part)
