"""What the page does with photographs and texts, in a real browser."""

import os
import pathlib
import re

import pytest
from PIL import Image

from tests.demo.page_actions import PHOTOGRAPH_SIZE, ask_for, choose, read_status, shares_of
from tests.demo.small_demo_models import BOXES, HTML, REFUSED_WORD, write_region_caption_model
from tests.server.running_server import LIMITS
from tests.server.small_saved_models import write_small_model
from vsa_tf.demo.demo_application import DemoApplication
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer

pytest_plugins = ("tests.demo.demo_server", "tests.demo.demo_browser")


def test_a_photograph_goes_in_and_captions_come_out(open_page, photograph):
    page = open_page()
    assert page.url.endswith("/demo/")
    assert "alignment (version 1), captions (version 2)" in page.inner_text("#models")
    choose(page, photograph)
    captions = page.locator("#caption li").all_inner_texts()
    width, height = PHOTOGRAPH_SIZE
    assert captions[0].startswith(f"a photograph of {width} by {height} log probability -1.00")
    assert len(captions) == 2
    image = page.locator("#picture img")
    assert image.evaluate("image => image.naturalWidth") == width
    assert image.get_attribute("alt") == "Your photograph sky.jpg"


def test_html_in_captions_and_sentences_stays_text(open_page, photograph):
    page = open_page()
    title = page.title()
    choose(page, photograph)
    assert HTML in page.locator("#caption li").nth(1).inner_text()
    ask_for(page, "align", "x " + HTML.replace(" ", "_"))
    page.wait_for_selector("#align .part")
    assert HTML.replace(" ", "_") in page.inner_text("#align .sentence")
    assert page.locator("main b, main img[onerror]").count() == 0
    assert page.title() == title


def test_a_dropped_photograph_is_taken(open_page, photograph):
    page = open_page()
    data = page.evaluate_handle(
        """bytes => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "drop.jpg", { type: "image/jpeg" }));
          return data;
        }""",
        list(photograph.read_bytes()),
    )
    page.dispatch_event("h1", "dragover", {"dataTransfer": data})
    assert "over" in page.get_attribute(".drop", "class")
    page.dispatch_event("h1", "drop", {"dataTransfer": data})
    read_status(page, "photograph", "drop.jpg is here.")
    page.wait_for_selector("#caption li")
    assert "over" not in page.get_attribute(".drop", "class")


def test_a_large_photograph_is_made_smaller_before_it_is_sent(open_page, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGBA", (3000, 1500), (10, 200, 10, 128)).save(path)
    page = open_page()
    choose(page, path)
    # 3000 x 1500 within 1024.
    assert page.locator("#caption li").first.inner_text().startswith("a photograph of 1024 by 512")
    assert "3000 × 1500 pixels, sent with 1024" in page.inner_text("#picture figcaption")


def test_words_have_the_colours_of_their_boxes(open_page, photograph):
    page = open_page()
    choose(page, photograph)
    # Word n goes to box n modulo 3, and box 0 is the whole frame.
    ask_for(page, "align", "the dog runs over grass")
    read_status(page, "align", "Score 1.00. Grey words go with the whole photograph.")
    frame = page.locator("#picture .frame")
    boxes = frame.locator(".box")
    assert boxes.count() == 2
    color = "element => getComputedStyle(element).borderBottomColor"
    words = {word.inner_text().split("\n")[-1]: word for word in page.locator("#align .part").all()}
    assert [key.lstrip("12") for key in words] == ["the", "dog", "runs", "over", "grass"]
    the, dog, runs, over, grass = words.values()
    assert "plain" in the.get_attribute("class") and "plain" in over.get_attribute("class")
    colors = [word.evaluate(color) for word in (dog, runs, grass)]
    assert colors[0] == colors[2] != colors[1]
    # Which box is whose is told by where it lies.
    for word, expected in ((dog, BOXES[1]), (runs, BOXES[2])):
        word.hover()
        active = frame.locator(".box.active")
        assert active.count() == 1
        assert active.evaluate(color) == word.evaluate(color)
        assert shares_of(active, frame) == pytest.approx(expected, abs=0.01)
    # And from the box to its words.
    page.mouse.move(0, 0)
    assert frame.locator(".box.active").count() == 0
    outer = frame.bounding_box()
    page.mouse.move(outer["x"] + 0.25 * outer["width"], outer["y"] + 0.5 * outer["height"])
    active = page.locator("#align .part.active")
    assert [text.lstrip("1\n") for text in active.all_inner_texts()] == ["dog", "grass"]


def test_a_phrase_brings_out_its_best_box(open_page, photograph):
    page = open_page()
    choose(page, photograph)
    ask_for(page, "localize", "a dog")
    read_status(page, "localize", "The best of 3 boxes is brought out.")
    frame = page.locator("#picture .frame")
    active = frame.locator(".box.active")
    assert shares_of(active, frame) == pytest.approx(BOXES[2], abs=0.01)
    texts = page.locator("#localize .part").all_inner_texts()
    assert [re.search(r"score ([\d.]+)", text)[1] for text in texts] == ["3.00", "2.00", "1.00"]
    assert texts[2].startswith("the whole photograph")
    page.locator("#localize .part").nth(1).hover()
    assert shares_of(active, frame) == pytest.approx(BOXES[1], abs=0.01)


def test_boxes_and_words_of_two_answers_are_not_confused(open_page, photograph):
    page = open_page()
    choose(page, photograph)
    frame = page.locator("#picture .frame")

    def shown(section):
        """The labels of a section that are to be seen, which are those on the photograph."""
        labels = page.locator(f"#{section} .part > .number").filter(visible=True)
        assert page.locator(f"#{section} .part.away").count() == (0 if labels.count() else 3)
        return labels.all_inner_texts()

    ask_for(page, "localize", "a dog")
    read_status(page, "localize", "The best of 3 boxes")
    assert shown("localize") == ["A", "B"]  # the third is the whole photograph
    # The photograph shows one answer at a time: the last one that was asked for or pointed at.
    page.mouse.move(0, 0)
    ask_for(page, "align", "the dog runs")
    read_status(page, "align", "Score 1.00")
    assert sorted(frame.locator(".number").all_inner_texts()) == ["1", "2"]
    assert (shown("align"), shown("localize")) == (["1", "2"], [])
    assert page.inner_text("#picture .owner") == "Boxes of: the aligned sentence"
    assert page.locator("#localize .part.active").count() == 0
    page.locator("#localize .part").nth(1).hover()
    assert sorted(frame.locator(".number").all_inner_texts()) == ["A", "B"]
    assert (shown("align"), shown("localize")) == ([], ["A", "B"])
    assert page.inner_text("#picture .owner") == "Boxes of: the phrase"


def test_captions_of_regions_point_at_them(open_page, tmp_path, photograph):
    write_region_caption_model(tmp_path / "regions" / "1")
    config = ModelConfig("regions", str(tmp_path / "regions"))
    with ModelServer([config], LIMITS, settle_seconds=0, pages=DemoApplication) as server:
        page = open_page(server)
        choose(page, photograph)
        captions = page.locator("#caption .part")
        assert captions.all_inner_texts() == ["all", "R1a dog"]  # region 0 is the whole frame
        captions.nth(1).focus()
        frame = page.locator("#picture .frame")
        active = frame.locator(".box.active")
        assert shares_of(active, frame) == pytest.approx(BOXES[1], abs=0.01)


def test_the_index_is_searched(open_page):
    page = open_page()
    assert "3 photographs" in page.inner_text("#models")
    ask_for(page, "search", "a red bus")
    read_status(page, "search", "3 photographs, the best first.")
    cards = page.locator("#search li")
    assert cards.locator(".name").all_inner_texts() == ["red.png", "grey.png", "sub/gone.png"]
    first = cards.first
    first.locator("img").evaluate("image => image.decode()")
    assert shares_of(first.locator(".box"), first.locator(".frame")) == pytest.approx(
        BOXES[2], abs=0.02
    )
    cards.nth(2).scroll_into_view_if_needed()
    cards.nth(2).locator(".frame", has_text="can no longer be read").wait_for()


def test_what_was_found_opens(open_page):
    page = open_page()
    ask_for(page, "search", "a red bus")
    read_status(page, "search", "3 photographs, the best first.")
    with page.context.expect_page() as opened:
        page.locator("#search a.frame").first.click()
    opened.value.wait_for_load_state()
    size = "[document.images[0].naturalWidth, document.images[0].naturalHeight]"
    assert opened.value.evaluate(size) == [640, 320]


def test_the_index_is_searched_by_the_photograph(open_page, photograph):
    page = open_page()
    button = page.get_by_role("button", name="Search by the photograph")
    assert button.count() == 0  # hidden, as long as there is none
    choose(page, photograph)
    button.click()
    read_status(page, "search", "3 photographs, the best first. They are like sky.jpg.")
    assert page.locator("#search li").count() == 3


class TestErrors:
    def test_what_the_server_refuses_is_told_and_then_mended(self, open_page, photograph):
        page = open_page()
        choose(page, photograph)
        ask_for(page, "align", f"an {REFUSED_WORD} dog")
        message = read_status(page, "align", "The server refuses")
        assert "(400)" in message and "Expected a possible sentence" in message
        assert "error" in page.get_attribute("#align .status", "class")
        ask_for(page, "align", "a dog")
        read_status(page, "align", "Score 1.00")
        assert "error" not in page.get_attribute("#align .status", "class")
        assert page.locator("#picture .box").count() == 1
        # What an error answers has no boxes, and leaves none of before.
        ask_for(page, "align", REFUSED_WORD)
        read_status(page, "align", "The server refuses")
        assert page.locator("#picture .box").count() == 0

    def test_a_file_that_is_no_image_is_told(self, open_page, tmp_path):
        path = tmp_path / "notes.jpg"
        path.write_text("no image")
        page = open_page()
        page.set_input_files("#file", str(path))
        read_status(page, "photograph", "notes.jpg is no image that this browser can read.")

    def test_without_photograph_or_words_nothing_is_asked(self, open_page):
        page = open_page()
        page.click("#align button[type=submit]")
        read_status(page, "align", "Type some words first.")
        ask_for(page, "align", "a dog")
        read_status(page, "align", "Choose a photograph first.")
        page.click("#search button[type=submit]")
        read_status(page, "search", "Type some words first.")

    def test_a_server_that_is_gone_is_told(self, open_page, tmp_path):
        write_small_model(tmp_path / "other" / "1")
        config = ModelConfig("other", str(tmp_path / "other"))
        with ModelServer([config], LIMITS, settle_seconds=0, pages=DemoApplication) as server:
            page = open_page(server)
            assert "No model here answers" in page.inner_text("#models")
            assert page.locator("section:visible").count() == 0
            page.route("**/models.json", lambda route: route.abort())
            page.reload()
            page.wait_for_selector("#models.error")
            assert "The server does not answer" in page.inner_text("#models")

    def test_a_photograph_over_the_server_s_limit_is_told(self, open_page, tmp_path):
        # Noise hardly shrinks: about two bits a value at this size are over a mebibyte in base64.
        path = tmp_path / "noise.png"
        Image.frombytes("RGB", (1024, 1024), os.urandom(3 * 1024 * 1024)).save(path)
        page = open_page()
        page.set_input_files("#file", str(path))
        assert "(413)" in read_status(page, "caption", "The server refuses")


def test_an_answer_for_an_earlier_photograph_is_dropped(open_page, photograph):
    page = open_page()
    choose(page, photograph)
    held = []
    page.route("**/alignment:predict", lambda route: held.append(route))
    ask_for(page, "align", "a dog")
    read_status(page, "align", "Working")
    page.wait_for_timeout(100)
    choose(page, photograph.rename(photograph.with_name("sea.jpg")))
    read_status(page, "photograph", "sea.jpg is here.")
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    assert len(held) == 1
    assert page.inner_text("#align .status") == ""
    assert page.locator("#align .part").count() == 0


def test_a_model_is_chosen_where_several_answer(open_page, demo_models, photograph):
    configs = [ModelConfig(name, str(demo_models["captions"])) for name in ("first", "second")]
    with ModelServer(configs, LIMITS, settle_seconds=0, pages=DemoApplication) as server:
        page = open_page(server)
        asked = []
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        assert page.locator("#align, #localize, #search").filter(visible=True).count() == 0
        choose(page, photograph)
        page.select_option("#caption select", "second")
        page.click("#caption button[type=submit]")
        read_status(page, "caption", "2 captions")
    assert [name for name in asked if ":" in name and "predict" in name] == [
        "first:predict",
        "second:predict",
    ]
    assert pathlib.PurePosixPath(page.url).name == "demo"
