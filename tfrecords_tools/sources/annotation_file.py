"""Files of annotations, given by themselves or in a directory or zip."""

import hashlib
import os
import posixpath
import re

from tfrecords_tools.archive import Archive
from vsa_tf.file_reading import parse_json


class AnnotationFile:
    """A file whose bytes are read when they are wanted.

    Attributes:
        name: without its folders.
        path: with those it was found by.
        sha256: of the bytes, once they were read.
    """

    def __init__(self, path, read):
        self.name = posixpath.basename(path)
        self.path = path
        self.sha256 = None
        self._read = read

    @classmethod
    def find(cls, path, pattern):
        """Finds files by name.

        Args:
            path: of a file, which is taken by itself if its name fits; of a directory or a zip
                otherwise.
            pattern: regular expression for whole names.

        Returns:
            A list of `AnnotationFile`s in the order of their paths.

        Raises:
            OSError: when the path is missing or neither.
        """
        path = os.fspath(path)
        name = os.path.basename(path)
        if os.path.isfile(path) and not name.lower().endswith(".zip"):
            return [cls(path, lambda: _read_file(path))] if re.fullmatch(pattern, name) else []
        archive = Archive(path)
        return [
            cls(full, lambda full=full: archive.read(full))
            for full in archive.names()
            if re.fullmatch(pattern, posixpath.basename(full))
        ]

    def read(self):
        """Returns the bytes.

        Raises:
            OSError: when they cannot be read.
        """
        data = self._read()
        self.sha256 = hashlib.sha256(data).hexdigest()
        return data

    def read_json(self, object_hook=None):
        """Returns the JSON object that the file holds.

        Args:
            object_hook: see `parse_json`.

        Raises:
            OSError: when it cannot be read.
            ValueError: when it is no JSON object.
        """
        content = parse_json(self.read(), self.name, object_hook)
        if not isinstance(content, dict):
            raise ValueError(
                f"Expected a JSON object in {self.name}. Received: a {type(content).__name__}."
            )
        return content


def _read_file(path):
    with open(path, "rb") as file:
        return file.read()
