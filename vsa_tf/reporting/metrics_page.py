"""The first page of a report: metrics with their protocol, and how the model was trained."""

import html

from vsa_tf.reporting.report_page import ReportPage, html_table, printable

_INTERVAL = "interval_95"
_MOST_COLUMNS = 9


def metrics_page(report, settings, introduction):
    """Returns the page of metrics.

    Args:
        report: of `evaluation_report`.
        settings: the `Settings` of the model.
        introduction: what the report shows.

    Returns:
        `ReportPage`.
    """
    protocol = _definitions(report["protocol"])
    flags = "\n".join(map(printable, settings.to_flags().splitlines()))
    return ReportPage(
        "index",
        "Metrics",
        introduction,
        section="Metrics",
        html=(
            metric_tables(report["metrics"])
            + f"<h2>Protocol</h2>\n{protocol}"
            + f"<h2>Sentences</h2>\n{_definitions(report['sentences'])}"
            + "<h2>Settings</h2>\n<details><summary>The flags of the training run</summary>\n"
            f"<pre>{html.escape(flags)}</pre></details>\n"
        ),
    )


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
        _table(parent, ("", *(key.replace("_", " ") for key in columns)), rows)
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
