import html.parser
import json

from vsa_tf.reporting.report_page import Card, ReportPage, numbered_pages, page_html

HOSTILE = "</script><img src=x onerror=alert(1)>&amp;"


class _Links(html.parser.HTMLParser):
    """Collects where links lead, which is the current page, and the tags that there are."""

    def __init__(self, text):
        super().__init__()
        self.links, self.current, self.tags = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        values = dict(attributes)
        if tag == "a" and not values["href"].startswith("#"):
            self.links.append(values["href"])
            if "aria-current" in values:
                self.current.append(values["href"])


def _pages():
    images = numbered_pages(
        "images", "Images", "", range(5), 2, lambda chosen: [ReportPage.group(str(list(chosen)))]
    )
    return [ReportPage("index", "Metrics", section="Metrics"), *images]


def test_a_long_section_is_cut_into_pages():
    pages = _pages()[1:]
    assert [page.name for page in pages] == ["images_001", "images_002", "images_003"]
    assert [page.groups[0]["title"] for page in pages] == ["[0, 1]", "[2, 3]", "[4]"]
    assert pages[1].title == "Images, page 2 of 3"


def test_a_page_leads_to_all_sections_and_its_neighbours():
    pages = _pages()
    links = _Links(page_html(pages[2], pages, "a report"))
    pager = [
        "images_001.html",
        "images_001.html",
        "images_002.html",
        "images_003.html",
        "images_003.html",
    ]
    # The sections once, and the pager above and below.
    assert links.links == ["index.html", "images_001.html", *pager, *pager]
    assert set(links.current) == {"images_001.html", "images_002.html"}
    last = _Links(page_html(pages[3], pages, "a report"))
    assert last.links.count("images_003.html") == 2  # there is no next one


def test_text_is_escaped_in_the_page():
    page = ReportPage("index", HOSTILE, HOSTILE, section=HOSTILE)
    text = page_html(page, [page], HOSTILE)
    assert "img" not in _Links(text).tags
    assert "script" not in _Links(text).tags


def test_the_data_of_a_page_is_a_script_that_assigns_json():
    card = Card({"file": None, "width": 4, "height": 3}, HOSTILE)
    card.add_line([Card.part(HOSTILE + "\u2028é")])
    page = ReportPage("images", "Images", groups=[ReportPage.group(HOSTILE, [card])])
    script = page.data_script()
    assert script.isascii()
    name, _, value = script.partition(" = ")
    assert name == "window.reportPage"
    (group,) = json.loads(value.rstrip("\n;"))["groups"]
    assert group["title"] == group["cards"][0]["title"] == HOSTILE
    assert group["cards"][0]["lines"][0]["parts"][0]["text"] == HOSTILE + " é"
