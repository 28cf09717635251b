"""The words and regions to which an alignment model listens most and least."""

from vsa_tf.metrics.magnitude import word_magnitude_table
from vsa_tf.reporting.html_table import html_table
from vsa_tf.reporting.region_cards import region_cards
from vsa_tf.reporting.report_page import ReportPage
from vsa_tf.scoring.region_queries import regions_by_magnitude

_NUM_REGIONS = 40


def magnitude_page(embedded, data, photographs):
    """Returns the page of magnitudes (D section 1 of the supplement).

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.
        photographs: `PhotographFolder`.

    Returns:
        `ReportPage`.
    """
    tables = [
        html_table(
            f"Words of {name} magnitude",
            ("word", "magnitude", "count"),
            [(row["word"], f"{row['magnitude']:.2f}", row["count"]) for row in rows],
        )
        for name, rows in word_magnitude_table(embedded, data).items()
    ]
    hits = regions_by_magnitude(embedded.regions, embedded.region_mask, _NUM_REGIONS)
    regions = ReportPage.group(
        "Regions of largest magnitude", region_cards(hits, data, photographs), small=True
    )
    return ReportPage(
        "magnitudes",
        "Magnitudes of words and regions",
        "A score is a sum of inner products, so that a short vector hardly counts in it. A word's "
        "magnitude is the mean length of its vectors in the split.",
        [regions],
        f'<div class="tables">{"".join(tables)}</div>\n',
        "Magnitudes",
    )
