"""The first page of a report: a summary, all metrics with their protocol, and the settings."""

import html

from vsa_tf.evaluation.retrieval_metrics import chance_recalls
from vsa_tf.reporting.report_page import ReportPage, html_table, printable

_INTERVAL = "interval_95"
_MOST_COLUMNS = 9
_WHOLE = "The whole split"
_FEW_IMAGES = 100
# The main figures, and what each means in a sentence.
DIRECTION_TEXTS = {
    "sentence_to_image": ("Image search", "A sentence looks for its photograph."),
    "image_to_sentence": ("Image annotation", "A photograph looks for its sentences."),
}
_PHRASES = (
    "Phrases",
    "A phrase looks for its box, and has found it where half of the two overlap.",
)
_AGREED_PHRASES = (
    "Phrases, by agreement",
    "Its box is the one that overlaps most with all that fit, as pages of phrases show it.",
)
_RANKS = {
    "R@1": "Of a hundred queries, so many have a right answer in the first place.",
    "by chance": "R@1 if the answers came in random order.",
    "R@5": "Of a hundred queries, so many have a right answer among the first five.",
    "R@10": "Of a hundred queries, so many have a right answer among the first ten.",
    "median rank": "Half of the queries have a right answer at this place or before it; 1 is best.",
    "pointing": "Of a hundred phrases, so many have the middle of the first box within their own.",
    "at best": "R@1 if the best of the regions were always found.",
}
_CAPTIONS = ("Captions", "One that the model wrote for each photograph, beside those of people.")
_CAPTION_SCORES = {
    "Bleu_1": ("BLEU-1", "How many of a caption's words people wrote, too; 0 to 1."),
    "Bleu_4": ("BLEU-4", "How many of its words, and of two to four in a row; 0 to 1."),
    "CIDEr": ("CIDEr", "The same, where rare words count more; 0 to 10."),
    "perplexity": (
        "perplexity",
        "Among so many words the model hesitates at each word of people; fewer is better.",
    ),
}


def metrics_page(report, settings, facts):
    """Returns the page of metrics.

    Args:
        report: of `evaluation_report`.
        settings: the `Settings` of the model.
        facts: what the report is of, dict of name to text.

    Returns:
        `ReportPage`.
    """
    protocol = _definitions(report["protocol"])
    flags = "\n".join(map(printable, settings.to_flags().splitlines()))
    return ReportPage(
        "index",
        "Metrics",
        section="Metrics",
        html=(
            summary(report, facts)
            + f"<h2>All metrics</h2>\n{metric_tables(report['metrics'])}"
            + f"<h2>Protocol</h2>\n{protocol}"
            + f"<h2>Sentences</h2>\n{_definitions(report['sentences'])}"
            + "<h2>Settings</h2>\n<details><summary>The flags of the training run</summary>\n"
            f"<pre>{html.escape(flags)}</pre></details>\n"
        ),
    )


def summary(report, facts):
    """Returns a card of the main figures and what they mean, as HTML.

    Args:
        report: of `evaluation_report`.
        facts: of `metrics_page`.
    """
    num_images = report["num_images"]
    few = (
        f"<p>Of {num_images} photographs, the figures are rough: one that is found or not moves "
        f"R@1 by {_cell(100 / num_images)}.</p>\n"
    )
    return (
        '<section class="summary" aria-label="Summary">\n'
        + _definitions(facts)
        + _figures("Found", _ranked(report), _RANKS)
        + _figures("Written", _captioned(report["metrics"]), dict(_CAPTION_SCORES.values()))
        + (few if num_images < _FEW_IMAGES else "")
        + "</section>\n"
    )


def _figures(title, rows, meanings):
    """Returns a table of `rows`, `(name, meaning, values)`, and what all of it means."""
    names = [name for name in meanings if any(name in values for _, _, values in rows)]
    if not names:
        return ""
    cells = [
        [row, *(_cell(values[name]) if name in values else "" for name in names)]
        for row, _, values in rows
    ]
    of_rows = {row: meaning for row, meaning, _ in rows}
    return html_table(title, ("", *names), cells) + _definitions(
        of_rows | {name: meanings[name] for name in names}
    )


def _ranked(report):
    """Returns the rows of what is found by rank, see `_figures`."""
    metrics, rows, chances = report["metrics"], [], chance_recalls(report, 1)
    for key, words in DIRECTION_TEXTS.items():
        if key in metrics:
            values = metrics[key]
            extra = {"by chance": chances[key], "median rank": values["median_rank"]}
            rows.append((*words, values | extra))
    if "phrase_localization" in metrics:
        values = metrics["phrase_localization"]
        extra = {"by chance": values["chance"], "at best": values["upper_bound"]}
        rows.append((*_PHRASES, values | extra))
        if "agreed" in values:
            rows.append((*_AGREED_PHRASES, values["agreed"]))
    return rows


def _captioned(metrics):
    """The same of generated captions."""
    values = metrics.get("captions", {})
    names = {key: name for key, (name, _) in _CAPTION_SCORES.items()}
    found = {name: values[key] for key, name in names.items() if values.get(key) is not None}
    return [(*_CAPTIONS, found)]


def metric_tables(metrics):
    """Returns tables of all numbers in nested metrics; rows with the same columns share one.

    Args:
        metrics: dict laid out as the metrics of `metrics.json`.
    """
    tables, texts = {}, {}
    for parent, name, values in _rows("", metrics):
        numbers = {key: value for key, value in values.items() if _is_cell(value)}
        texts |= {f"{name} {k}": v for k, v in values.items() if isinstance(v, str)}
        if not numbers:
            continue
        rows = tables.setdefault((parent, tuple(numbers)), [])
        rows.append([name, *map(_cell, numbers.values())])
        intervals = values.get(_INTERVAL)
        if intervals:
            bounds = [intervals.get(key) for key in numbers]
            rows.append(
                [
                    "95 % interval",
                    *("" if b is None else f"{b[0]:.1f} to {b[1]:.1f}" for b in bounds),
                ]
            )
    shown = [
        _table(parent or _WHOLE, ("", *(key.replace("_", " ") for key in columns)), rows)
        for (parent, columns), rows in tables.items()
    ]
    return "".join(shown) + (_definitions(texts) if texts else "")


def _table(title, columns, rows):
    # What would be too wide for a page stands on its side.
    if len(columns) > _MOST_COLUMNS:
        columns, *rows = zip(columns, *rows)
    return html_table(title, columns, rows)


def _rows(parent, values):
    """Yields `(parent, name, values)` of all dicts in a dict."""
    for key, value in values.items():
        if isinstance(value, dict) and key != _INTERVAL:
            name = key.replace("_", " ")
            yield parent, name, value
            yield from _rows(f"{parent}, {name}" if parent else name, value)


def _is_cell(value):
    return value is None or isinstance(value, (bool, int, float))


def _cell(value):
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return f"{value:.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}"


def _definitions(values):
    items = "".join(
        f"<dt>{html.escape(name.replace('_', ' '))}</dt>"
        f"<dd>{html.escape(printable(str(value)))}</dd>\n"
        for name, value in values.items()
    )
    return f"<dl>\n{items}</dl>\n"
