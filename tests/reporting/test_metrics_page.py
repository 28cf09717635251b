import html.parser

from vsa_tf.reporting.metrics_page import metric_tables


class _Tables(html.parser.HTMLParser):
    """Reads tables back as lists of rows of text, by their titles."""

    def __init__(self, text):
        super().__init__()
        self.tables, self._cell = [], None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td", "caption"):
            self._cell = []

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag == "caption":
            self.tables[-1].append("".join(self._cell))
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("".join(self._cell))


def _tables(metrics):
    return _Tables(metric_tables(metrics)).tables


def test_rows_of_the_same_columns_share_a_table():
    recalls = {"R@1": 5.432, "median_rank": 2.0}
    interval = {"R@1": [4.0, 6.54]}
    assert _tables(
        {
            "image_to_sentence": {**recalls, "interval_95": interval},
            "sentence_to_image": {"R@1": 30.0, "median_rank": 1234.5},
        }
    ) == [
        [
            "",
            ["", "R@1", "median rank"],
            ["image to sentence", "5.43", "2"],
            ["95 % interval", "4.0 to 6.5", ""],
            ["sentence to image", "30.0", "1234.5"],
        ]
    ]


def test_what_is_below_a_metric_has_a_table_of_its_own():
    kinds = {"people": {"R@1": 0.0, "num_phrases": 3}, "<b>": {"R@1": None, "num_phrases": 0}}
    assert _tables({"phrase_localization": {"R@1": 50.0, "num_dropped": 1, "by_type": kinds}}) == [
        ["", ["", "R@1", "num dropped"], ["phrase localization", "50.0", "1"]],
        [
            "phrase localization, by type",
            ["", "R@1", "num phrases"],
            ["people", "0.0", "3"],
            ["<b>", "–", "0"],
        ],
    ]


def test_a_table_of_many_columns_stands_on_its_side():
    (table,) = _tables({"captions": {f"score_{number}": number for number in range(12)}})
    assert table[1] == ["", "captions"]
    assert table[2:] == [[f"score {number}", str(number)] for number in range(12)]


def test_why_a_metric_is_missing_is_said():
    text = metric_tables({"captions": {"METEOR": None, "skipped": {"METEOR": "no java & co"}}})
    assert "<dt>skipped METEOR</dt><dd>no java &amp; co</dd>" in text
