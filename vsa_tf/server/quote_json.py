"""Values of a request in its error message."""

import json

_LONGEST = 100


def quote_json(value):
    """Returns a JSON value as text, cut short: it may be a photograph."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "nested too deeply to show"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
