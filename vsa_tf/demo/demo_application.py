"""The demo page as a WSGI application: its files, and what only it asks for."""

import importlib.resources
import logging
import re

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from vsa_tf.demo.photograph_search import PhotographSearch, answering_models
from vsa_tf.files import json_text
from vsa_tf.server.request_limits import ServingError
from vsa_tf.visualization.alignment_picture import SNIPPET_COLORS

_LOGGER = logging.getLogger(__name__)
_COPY_PATH = re.compile(r"(thumbnails|photographs)/([0-9]{1,9})\.jpg")
_SEARCH_PATH = "/demo/search"
_FIRST_PAGE = "index.html"
# Scripts and styles are files of ours; a page that loads nothing else leaks nothing either.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked for again each time, and answered with 304 if unchanged
}
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


class DemoApplication:
    """Answers `/demo/...`, and sends browsers there from `/`.

    The page asks for captions and boxes at the server's own REST interface. Here are its files;
    `models.json`: the models that answer; `search?query=TEXT`, or a photograph as the body of a
    POST to `search`: photographs of the index; and of those `thumbnails/NUMBER.jpg` and, as large
    as a screen, `photographs/NUMBER.jpg`. Errors are `{"error": text}`.

    Args:
        catalog: `ModelCatalog`.
        pool: `RequestPool` that computes searches and thumbnails, within the server's limits.
        index_dir: directory that `vsa_tf.index` has written, to search; empty: none.

    Raises:
        VsaTfError: there is no index, or it is damaged.
    """

    def __init__(self, catalog, pool, index_dir=""):
        self._catalog = catalog
        self._pool = pool
        self._search = PhotographSearch(index_dir, catalog) if index_dir else None
        self._files = static_files()

    def __call__(self, environ, start_response):
        request = Request(environ, populate_request=False)
        try:
            response = self._response(request)
        except ServingError as error:
            response = _json_response({"error": error.message}, error.http_status)
        except Exception as error:  # an error in this server: it is told, and stays up
            _LOGGER.exception("%s %s", request.method, request.path)
            response = _json_response({"error": f"Internal error: {type(error).__name__}"}, 500)
        response.headers.update(_HEADERS)
        if response.status_code == 200:
            response.add_etag()
            response.make_conditional(request)
        return response(environ, start_response)

    def _response(self, request):
        is_search = request.path == _SEARCH_PATH and self._search is not None
        if is_search and request.method == "POST":
            return self._results(lambda: request.get_data(cache=False))
        if request.method not in ("GET", "HEAD"):
            response = _json_response({"error": f"Expected GET. Received: {request.method}"}, 405)
            response.headers["Allow"] = "GET, HEAD" + (", POST" if is_search else "")
            return response
        if is_search:
            return self._results(lambda: request.args.get("query", ""))
        if request.path in ("/", "/demo"):
            # Relative: a proxy may have put the server below another path.
            return redirect("demo/")
        if request.path.startswith("/demo/"):
            response = self._resource(request.path.removeprefix("/demo/"))
            if response is not None:
                return response
        raise ServingError("NOT_FOUND", f"There is nothing at {request.path}")

    def _results(self, read_query):
        found = self._pool.run(lambda deadline: self._search.search(read_query(), deadline))
        return _json_response(found)

    def _resource(self, name):
        file = self._files.get(name or _FIRST_PAGE)
        if file is not None:
            return Response(file[0], content_type=file[1])
        if name == "models.json":
            return _json_response(self._models())
        match = _COPY_PATH.fullmatch(name)
        if self._search is None or match is None:
            return None
        copy = self._search.thumbnail if match[1] == "thumbnails" else self._search.photograph
        jpeg = self._pool.run(lambda _: copy(int(match[2])))
        return Response(jpeg, content_type="image/jpeg")

    def _models(self):
        return {
            "models": answering_models(self._catalog),
            "num_photographs": None if self._search is None else len(self._search),
            "colors": ["#{:02x}{:02x}{:02x}".format(*color) for color in SNIPPET_COLORS],
        }


def _json_response(values, status=200):
    return Response(json_text(values), status, content_type="application/json")


def static_files():
    """Returns the files, a dict of name to (content, content type); no others are ever served."""
    files = {}
    for file in importlib.resources.files("vsa_tf.demo").joinpath("static").iterdir():
        name, dot, ending = file.name.rpartition(".")
        if name and dot + ending in _CONTENT_TYPES:
            files[file.name] = file.read_bytes(), _CONTENT_TYPES[dot + ending]
    return files
