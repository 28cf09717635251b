import html.parser

from vsa_tf.reporting.metrics_page import metric_tables, summary


class _Tables(html.parser.HTMLParser):
    """Reads tables back as lists of rows of text, by their titles; and what lists define."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.regions, self._cell, self._texts = [], [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td", "caption", "dt", "dd"):
            self._cell = []
        elif dict(attributes).get("role") == "region":
            self.regions.append(dict(attributes))

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag == "caption":
            self.tables[-1].append("".join(self._cell))
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("".join(self._cell))
        elif tag in ("dt", "dd"):
            self._texts.append("".join(self._cell))

    def defined(self):
        return dict(zip(self._texts[::2], self._texts[1::2], strict=True))


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
            "The whole split",
            ["", "R@1", "median rank"],
            ["image to sentence", "5.43", "2"],
            ["95 % interval", "4.0 to 6.5", ""],
            ["sentence to image", "30.0", "1234.5"],
        ]
    ]


def test_what_is_below_a_metric_has_a_table_of_its_own():
    kinds = {"people": {"R@1": 0.0, "num_phrases": 3}, "<b>": {"R@1": None, "num_phrases": 0}}
    assert _tables({"phrase_localization": {"R@1": 50.0, "num_dropped": 1, "by_type": kinds}}) == [
        ["The whole split", ["", "R@1", "num dropped"], ["phrase localization", "50.0", "1"]],
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


def _report(num_images, **metrics):
    return {"num_images": num_images, "num_sentences": 5 * num_images, "metrics": metrics}


def test_the_summary_sets_chance_beside_the_first_rank_and_says_what_each_figure_means():
    recalls = {"R@1": 26.5, "R@5": 55.0, "R@10": 68.3, "median_rank": 4.0, "mean_rank": 17.25}
    report = _report(200, image_to_sentence={**recalls, "R@1": 35.5}, sentence_to_image=recalls)
    page = _Tables(summary(report, {"data": "<mine>", "split": "dev"}))
    # Of 200 photographs one is right; of 1000 sentences five are: 0.5 percent.
    assert page.tables == [
        [
            "Found",
            ["", "R@1", "by chance", "R@5", "R@10", "median rank"],
            ["Image search", "26.5", "0.5", "55.0", "68.3", "4"],
            ["Image annotation", "35.5", "0.5", "55.0", "68.3", "4"],
        ]
    ]
    assert {"data": "<mine>", "split": "dev"}.items() <= page.defined().items()
    rows, columns = page.tables[0][2:], page.tables[0][1][1:]
    for name in (*columns, *(row[0] for row in rows)):
        assert page.defined()[name].count(".") == 1, name


def test_the_summary_of_phrases_and_captions_has_what_there_is():
    phrases = {"R@1": 49.4, "R@5": 67.5, "R@10": 69.4, "pointing": 71.5}
    phrases |= {"upper_bound": 69.8, "chance": 7.25}
    captions = {"Bleu_1": 0.592, "Bleu_4": 0.18, "CIDEr": 0.45, "perplexity": 17.97}
    page = _Tables(summary(_report(1000, phrase_localization=phrases, captions=captions), {}))
    assert page.tables == [
        [
            "Found",
            ["", "R@1", "by chance", "R@5", "R@10", "pointing", "at best"],
            ["Phrases", "49.4", "7.25", "67.5", "69.4", "71.5", "69.8"],
        ],
        [
            "Written",
            ["", "BLEU-1", "BLEU-4", "CIDEr", "perplexity"],
            ["Captions", "0.592", "0.18", "0.45", "18.0"],
        ],
    ]
    # A figure that was not computed has no place, and no table is empty.
    captions = {"Bleu_1": 0.5, "Bleu_4": None, "CIDEr": None, "perplexity": 20.0}
    page = _Tables(summary(_report(1000, captions=captions), {}))
    assert [table[1] for table in page.tables] == [["", "BLEU-1", "perplexity"]]


def test_figures_of_few_photographs_are_said_to_be_rough():
    recalls = {"R@1": 50.0, "R@5": 100.0, "R@10": 100.0, "median_rank": 1.5}
    few, many = (summary(_report(count, sentence_to_image=recalls), {}) for count in (8, 100))
    assert "Of 8 photographs, the figures are rough" in few and "by 12.5." in few
    assert "rough" not in many


def test_tables_are_regions_that_the_keyboard_reaches_and_scrolls():
    page = _Tables(metric_tables({"captions": {"Bleu_1": 0.5}, "by <type>": {"a": {"R@1": 1.0}}}))
    assert [region["aria-label"] for region in page.regions] == ["The whole split", "by <type>"]
    assert [region["tabindex"] for region in page.regions] == ["0", "0"]
