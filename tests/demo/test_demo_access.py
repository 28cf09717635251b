"""The page by keyboard, on a phone, and in either colour scheme, in a real browser."""

import pytest

from tests.demo.page_actions import ask_for, choose, read_status, shares_of
from tests.demo.small_demo_models import BOXES

pytest_plugins = ("tests.demo.demo_server", "tests.demo.demo_browser")

_PHONE = {"width": 360, "height": 740}


def test_the_keyboard_alone_is_enough(open_page, photograph):
    page = open_page()
    # Long before the key: the browser is told in the background that a dialog is waited for.
    page.on("filechooser", lambda chooser: chooser.set_files(str(photograph)))

    def tab_to(selector):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached")

    tab_to("#file")
    page.keyboard.press("Enter")
    page.wait_for_selector("#caption li")
    # From a caption to its alignment: word 0 of it is grey, words 1 and 2 have boxes.
    tab_to("#caption .quiet")
    page.keyboard.press("Enter")
    read_status(page, "align", "Score 1.00")
    tab_to("#align .part:nth-of-type(2)")
    frame = page.locator("#picture .frame")
    active = frame.locator(".box.active")
    assert shares_of(active, frame) == pytest.approx(BOXES[1], abs=0.01)
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert float(page.evaluate(outline).removesuffix("px")) >= 2
    page.keyboard.press("Tab")
    assert shares_of(active, frame) == pytest.approx(BOXES[2], abs=0.01)
    tab_to("#phrase")
    page.keyboard.type("a dog")
    page.keyboard.press("Enter")
    read_status(page, "localize", "The best of 3 boxes")
    tab_to("#query")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    read_status(page, "search", "3 photographs")


def test_a_phone_brings_answers_into_view(open_page, photograph):
    page = open_page(viewport=_PHONE, has_touch=True, is_mobile=True)
    choose(page, photograph)
    for section, found in (("align", ".part"), ("localize", ".part"), ("search", "li img")):
        ask_for(page, section, "a red dog")
        page.wait_for_selector(f"#{section} {found}")
        page.wait_for_timeout(200)
        box = page.locator(f"#{section} {found}").first.bounding_box()
        # Below the photograph, which stays in sight, and above the end of the screen.
        picture = page.locator("#picture").bounding_box()
        assert picture["y"] + picture["height"] <= box["y"] <= _PHONE["height"] - 24
        # The keyboard on the screen goes.
        assert not page.evaluate("document.activeElement.matches('input[type=text]')")


def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_page, photograph):
    page = open_page(viewport=_PHONE, has_touch=True, is_mobile=True)
    choose(page, photograph)
    ask_for(page, "align", "a dog " + "wordwithoutend" * 12)
    page.wait_for_selector("#align .part")
    ask_for(page, "search", "red")
    read_status(page, "search", "3 photographs")
    assert page.evaluate("document.documentElement.scrollWidth") <= _PHONE["width"]
    # What is to be touched is large enough (WCAG 2.2: 24 pixels).
    for element in page.locator("button:visible, input:visible").all():
        box = element.bounding_box()
        assert min(box["width"], box["height"]) >= 24
        assert box["x"] >= 0 and box["x"] + box["width"] <= _PHONE["width"]
    # The photograph stays in sight above the words, and hides no field that is typed into.
    page.locator("#align .part").nth(1).tap()
    picture = page.locator("#picture")
    frame = picture.locator(".frame").bounding_box()
    assert 0 <= frame["y"] and frame["y"] + frame["height"] <= _PHONE["height"]
    assert picture.locator(".box.active").count() == 1
    field = page.locator("#sentence")
    field.evaluate("field => window.scrollBy(0, field.getBoundingClientRect().top - 40)")
    assert 30 < field.bounding_box()["y"] < 50
    field.focus()
    covered = picture.bounding_box()
    assert field.bounding_box()["y"] >= covered["y"] + covered["height"]


_CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const linear = [red, green, blue].map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const pixel = (color) => {  // also of color-mix and other ways to write it
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = pixel(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
  };
  const results = {};
  for (const element of document.body.querySelectorAll("*")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [pixel(getComputedStyle(element).color), background(element)].map(luminance);
    results[element.textContent] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return results;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_either_colour_scheme(open_page, photograph, scheme):
    page = open_page(color_scheme=scheme)
    choose(page, photograph)
    ask_for(page, "align", " ".join("abcdefghi"))
    page.wait_for_selector("#align .part")
    page.click("#search button[type=submit]")
    read_status(page, "search", "Type some words first.")
    contrasts = page.evaluate(_CONTRASTS)
    assert len(contrasts) > 15
    # WCAG 2, level AA.
    assert {text: value for text, value in contrasts.items() if value < 4.5} == {}
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
