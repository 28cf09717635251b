"""The files that the page is made of."""

import importlib.resources

_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}


def static_files():
    """Returns the files, a dict of name to (content, content type); no others are ever served."""
    files = {}
    for file in importlib.resources.files("vsa_tf.demo").joinpath("static").iterdir():
        name, dot, ending = file.name.rpartition(".")
        if name and dot + ending in _CONTENT_TYPES:
            files[file.name] = file.read_bytes(), _CONTENT_TYPES[dot + ending]
    return files
