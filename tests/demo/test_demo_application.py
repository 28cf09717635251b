"""What the demo's application answers, by a plain HTTP client."""

import http.client
import io
import json
import re

import pytest
from PIL import Image

from tests.demo.small_demo_models import BOXES, write_relation_model
from tests.demo.small_index import write_small_index
from tests.server.running_server import LIMITS, ask
from tests.server.small_saved_models import write_small_model
from vsa_tf.demo.demo_application import DemoApplication, static_files
from vsa_tf.errors import VsaTfError
from vsa_tf.server.model_config import ModelConfig
from vsa_tf.server.model_server import ModelServer
from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS

pytest_plugins = ("tests.demo.demo_server",)


_SIGNATURES = ["embed_image", "embed_sentence", "align", "localize"]


def _response(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.rest_port, timeout=30)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def _search(server, query):
    return ask(server, "GET", f"/demo/search?query={query}")


def test_browsers_are_sent_to_the_page(demo_server):
    for path, location in (("/", "demo/"), ("/demo", "demo/")):
        response, _ = _response(demo_server, path)
        assert (response.status, response.headers["Location"]) == (302, location)
    response, body = _response(demo_server, "/demo/")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert body == _response(demo_server, "/demo/index.html")[1]


def test_the_page_names_only_files_of_its_own(demo_server):
    files = static_files()
    texts = {name: content.decode() for name, (content, _) in files.items()}
    named = set(re.findall(r'(?:href|src)="([^"]+)"', texts["index.html"])) - {"data:,"}
    for name, text in texts.items():
        if name.endswith(".js"):
            named |= {f"{match}.js" for match in re.findall(r'from "\./(\w+)\.js"', text)}
            assert len(re.findall(r"^import ", text, re.M)) == len(re.findall(r'from "\./', text))
        assert "://" not in text, name
        assert "innerHTML" not in text, name
    assert named == set(files) - {"index.html"}
    for name in named:
        response, body = _response(demo_server, f"/demo/{name}")
        assert (response.status, body) == (200, files[name][0])


@pytest.mark.parametrize("path", ["/demo/", "/demo/search?query=", "/demo/nothing", "/"])
def test_every_answer_forbids_what_is_not_the_server_s_own(demo_server, path):
    headers = _response(demo_server, path)[0].headers
    policy = dict(
        directive.split(maxsplit=1) for directive in headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_has_not_changed_is_not_sent_again(demo_server):
    response, _ = _response(demo_server, "/demo/demo.css")
    known = {"If-None-Match": response.headers["ETag"]}
    again, body = _response(demo_server, "/demo/demo.css", **known)
    assert (again.status, body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/demo/nothing.html",
        "/demo/../serve.py",
        "/demo/%2e%2e/__init__.py",
        "/demo/__init__.py",
        "/demo//etc/passwd",
        "/index.html",
        "/thumbnails/0.jpg",
        "/demo/thumbnails/red.png",
        "/demo/thumbnails/../index/index.json",
        "/demo/thumbnails/-1.jpg",
        "/demo/thumbnails/3.jpg",
        "/demo/thumbnails/9999999999.jpg",
        "/demo/thumbnails/%D9%A1.jpg",
        "/demo/photographs/3.jpg",
        "/demo/%00",
    ],
)
def test_other_paths_are_not_found(demo_server, path):
    status, body = ask(demo_server, "GET", path)
    assert (status, list(body)) == (404, ["error"])


def test_only_get_and_head_are_answered(demo_server):
    response, body = _response(demo_server, "/demo/models.json", "POST")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert json.loads(body) == {"error": "Expected GET. Received: POST"}
    response, body = _response(demo_server, "/demo/models.json", "HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) > 0


def test_the_models_are_those_that_answer_to_our_signatures(demo_server):
    status, body = ask(demo_server, "GET", "/demo/models.json")
    assert status == 200
    assert body["models"] == [
        {"name": "alignment", "version": 1, "signatures": _SIGNATURES},
        {"name": "captions", "version": 2, "signatures": ["caption"]},
    ]
    assert body["num_photographs"] == 3
    red, green, blue = (int(body["colors"][0][place : place + 2], 16) for place in (1, 3, 5))
    assert (red, green, blue) == SNIPPET_COLORS[0]


def test_models_of_others_and_those_without_a_version_are_left_out(tmp_path):
    write_small_model(tmp_path / "other" / "1")
    (tmp_path / "empty").mkdir()
    configs = [ModelConfig(name, str(tmp_path / name)) for name in ("other", "empty")]
    with ModelServer(configs, LIMITS, settle_seconds=0, pages=DemoApplication) as server:
        status, body = ask(server, "GET", "/demo/models.json")
        assert (status, body["models"], body["num_photographs"]) == (200, [], None)
        for path in ("/demo/search?query=red", "/demo/thumbnails/0.jpg"):
            assert ask(server, "GET", path)[0] == 404


def test_a_search_names_photographs_and_their_boxes(demo_server):
    status, body = _search(demo_server, "a%20red%20bus")
    assert status == 200
    results = body["results"]
    assert [result["path"] for result in results] == ["red.png", "grey.png", "sub/gone.png"]
    assert results[0]["box"] == list(BOXES[2])
    assert list(results[0]) == ["number", "path", "score", "box"]
    assert [result["score"] for result in results] == sorted(
        (result["score"] for result in results), reverse=True
    )
    best = _search(demo_server, "a%20dog")[1]["results"][0]
    assert (best["path"], best["box"]) == ("grey.png", list(BOXES[1]))


def test_a_search_says_which_words_the_model_does_not_know(demo_server):
    body = _search(demo_server, "ein%20Hund")[1]
    assert len(body["results"]) == 3
    assert (body["unknown_words"], body["means_nothing"]) == (["hund"], True)
    assert _search(demo_server, "a%20red%20Hund")[1]["means_nothing"] is False
    assert _search(demo_server, "red")[1].keys() == {"results"}


def test_thumbnails_are_small_copies_of_what_was_found(demo_server):
    red, _, gone = _search(demo_server, "red")[1]["results"]
    response, body = _response(demo_server, f"/demo/thumbnails/{red['number']}.jpg")
    assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(body)) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", (320, 160))
        red_value, green_value, _ = thumbnail.getpixel((10, 10))
    assert red_value > 200 and green_value < 50
    status, body = ask(demo_server, "GET", f"/demo/thumbnails/{gone['number']}.jpg")
    assert (status, body) == (404, {"error": "gone.png can no longer be read"})


def test_what_was_found_opens_as_large_as_a_screen(demo_server):
    red = _search(demo_server, "red")[1]["results"][0]
    response, body = _response(demo_server, f"/demo/photographs/{red['number']}.jpg")
    assert (response.status, response.headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(body)) as photograph:
        assert photograph.size == (640, 320)


def test_a_photograph_finds_those_like_it(demo_server):
    file = io.BytesIO()
    Image.new("RGB", (30, 20), (255, 0, 0)).save(file, "PNG")
    status, body = ask(demo_server, "POST", "/demo/search", file.getvalue())
    assert status == 200
    # The whole frames of small_index, times (0, 1): 0.6, 0 and -0.6.
    assert [hit["path"] for hit in body["results"]] == ["red.png", "sub/gone.png", "grey.png"]
    assert body["results"][0]["box"] is None
    for data in (b"", b"no image"):
        status, body = ask(demo_server, "POST", "/demo/search", data)
        assert status == 400 and "image" in body["error"].lower()


@pytest.mark.parametrize(("query", "length"), [("", 0), ("%20%09", 0), ("x" * 1001, 1001)])
def test_queries_are_neither_empty_nor_long(demo_server, query, length):
    status, body = _search(demo_server, query)
    assert (status, body["error"]) == (
        400,
        f"Expected a query of 1 to 1000 characters. Received: {length}",
    )


@pytest.mark.parametrize("query", ["%00%07red%1b", "%ff%fe", "%3Cb%3Ered%3C/b%3E", "x" * 1000])
def test_any_other_text_is_a_query(demo_server, query):
    assert _search(demo_server, query)[0] == 200


def test_an_index_of_another_model_is_not_searched(demo_models, tmp_path):
    index_dir = write_small_index(tmp_path, probe=(0.6, 0.8))
    configs = [ModelConfig(name, str(path)) for name, path in demo_models.items()]
    with ModelServer(
        configs,
        LIMITS,
        settle_seconds=0,
        pages=lambda *arguments: DemoApplication(*arguments, index_dir=str(index_dir)),
    ) as server:
        status, body = _search(server, "red")
        assert status == 503
        assert "made the index. Received: alignment, captions" in body["error"]


def test_a_model_that_refuses_plain_text_is_not_the_one_of_the_index(demo_models, tmp_path):
    write_relation_model(tmp_path / "relations" / "1")
    models = {"a_model_of_relations": tmp_path / "relations", **demo_models}
    configs = [ModelConfig(name, str(path)) for name, path in models.items()]
    index_dir = write_small_index(tmp_path / "small")
    with ModelServer(
        configs,
        LIMITS,
        settle_seconds=0,
        pages=lambda *arguments: DemoApplication(*arguments, index_dir=str(index_dir)),
    ) as server:
        names = [model["name"] for model in ask(server, "GET", "/demo/models.json")[1]["models"]]
        assert names[0] == "a_model_of_relations"
        status, body = _search(server, "red")
        assert (status, body["results"][0]["path"]) == (200, "red.png")


def test_a_directory_without_an_index_is_refused(tmp_path):
    with pytest.raises(VsaTfError, match="holds no index"):
        DemoApplication(None, None, index_dir=str(tmp_path))
