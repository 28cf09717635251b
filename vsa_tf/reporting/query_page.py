"""The regions of a split that answer snippets of text."""

from vsa_tf.reporting.region_cards import region_cards
from vsa_tf.reporting.report_page import ReportPage
from vsa_tf.scoring.region_queries import snippet_regions

_NUM_REGIONS = 10


def query_page(model, queries, embedded, data, photographs):
    """Returns the page of queries and their best regions.

    Args:
        model: the model, see `snippet_regions`.
        queries: list of str.
        embedded: the `EmbeddedSplit` of the model, or its `EmbeddedPairs`.
        data: its `SplitData`.
        photographs: `PhotographFolder`.

    Returns:
        `ReportPage`.

    Raises:
        ProgramError: a query has no words.
    """
    groups = [
        ReportPage.group(
            query,
            region_cards(
                snippet_regions(model, query, embedded, data, _NUM_REGIONS), data, photographs
            ),
            small=True,
        )
        for query in queries
    ]
    return ReportPage(
        "queries",
        "Snippets and their best regions",
        f"The {_NUM_REGIONS} regions of all images that score highest for a snippet, best first. "
        "A card without a box is of a whole frame.",
        groups,
        section="Queries",
    )
