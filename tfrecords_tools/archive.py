"""Files of data sets: of a directory or of a zip, read through the same calls."""

import functools
import glob
import hashlib
import math
import os
import posixpath
import re
import zipfile
import zlib

from tfrecords_tools.image_structure import MAX_BYTES
from vsa_tf.file_reading import is_longer, open_regular, parse_json, swells


class Archive:
    """A directory or a zip file whose files are read by name.

    Names are relative and use `/`. Directories, hidden files and what macOS adds to zips
    (`__MACOSX/`) are left out. An archive is picklable: each process opens the file once.

    Args:
        path: a directory or a zip file.
        most_bytes: of a file of it: larger ones are refused before they are read.

    Raises:
        OSError: when the path is missing, unreadable, or neither a directory nor a sound zip.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     os.mkdir(os.path.join(folder, "texts"))
    ...     with open(os.path.join(folder, "texts", "a.txt"), "w") as file:
    ...         _ = file.write("a dog")
    ...     archive = Archive(folder)
    ...     archive.find("a.txt"), archive.read("texts/a.txt")
    ('texts/a.txt', b'a dog')
    """

    def __init__(self, path, most_bytes=math.inf):
        self.path = os.fspath(path)
        self._most_bytes = most_bytes
        self._zip = None
        self._by_basename = None
        if os.path.isdir(self.path):
            self._names = _directory_names(self.path)
        elif os.path.isfile(self.path):
            self._names = _member_names(self._open_zip())
        else:
            raise FileNotFoundError(
                f"Expected a directory or a zip file. Received: {self.path!r}, which does not "
                "exist."
            )

    def __reduce__(self):
        return (_reopen, (self.path, self._most_bytes))

    def names(self):
        """Returns the names of all files, sorted."""
        return list(self._names)

    def find(self, name):
        """Returns the full name of the file `name`, wherever it lies, or None.

        Args:
            name: a file name, or the last parts of a path (`Sentences/36979.txt`).

        Returns:
            The file's name in this archive; of several the least deep, then the first.
        """
        found = self._ending_with(posixpath.normpath(name))
        return min(found, key=lambda full: (full.count("/"), full), default=None)

    def locate(self, path):
        """Returns the full name of the one file that a path means, or None.

        Args:
            path: as somebody wrote it down: a file's full name; else the last parts of it; else
                one that goes through the folders that the archive lies in, such as an absolute
                path.

        Raises:
            ValueError: when it may mean two files, naming both.
        """
        path = normal_path(path)
        found = self._ending_with(path)
        if path in found:
            return path
        found = found or self._below(path)
        if len(found) > 1:
            raise ValueError(
                f"Expected a path that one file of {self.path!r} has. Received: {path!r}, which "
                f"may be {found[0]!r} or {found[1]!r}. Name it by its folders, or give the folder "
                "that is meant."
            )
        return found[0] if found else None

    def _ending_with(self, path):
        if self._by_basename is None:
            self._by_basename = {}
            for full in self._names:
                self._by_basename.setdefault(posixpath.basename(full), []).append(full)
        return [
            full
            for full in self._by_basename.get(posixpath.basename(path), ())
            if full == path or full.endswith("/" + path)
        ]

    def _below(self, path):
        """Returns the files that are meant where a path begins above the archive."""
        found = set()
        for full in self._by_basename.get(posixpath.basename(path), ()):
            for root in {os.path.abspath(self.path), os.path.realpath(self.path)}:
                whole = f"{root.replace(os.sep, '/').rstrip('/')}/{full}"
                if whole == path or (path[:1] != "/" and whole.endswith("/" + path)):
                    found.add(full)
        return sorted(found)

    def read(self, name):
        """Returns the bytes of the file `name`, a name as `names()` lists it.

        Raises:
            OSError: when there is no such file, it is too large, or cannot be read whole.
        """
        if os.path.isdir(self.path):
            with open_regular(os.path.join(self.path, *name.split("/"))) as file:
                self._check_size(os.fstat(file.fileno()).st_size)
                return file.read()
        try:
            archive = self._open_zip()
            info = archive.getinfo(name)
            if is_longer(archive, info) or swells(info.compress_size, info.file_size):
                raise OSError(f"{info.compress_size} bytes that declare {info.file_size}")
            self._check_size(info.file_size)
            return archive.read(info)
        except KeyError:
            raise FileNotFoundError(f"No file {name!r} in {self.path!r}.") from None
        # RuntimeError: encrypted; NotImplementedError: an unknown compression.
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            OSError,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise OSError(f"{name!r} in {self.path!r} cannot be read: {error}") from None

    def _check_size(self, num_bytes):
        if num_bytes > self._most_bytes:
            raise OSError(
                f"the file of {num_bytes} bytes is too large (at most {self._most_bytes})"
            )

    def _open_zip(self):
        if self._zip is None:
            try:
                self._zip = zipfile.ZipFile(self.path)
            except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
                raise OSError(
                    f"Expected a directory or a zip file. Received: {self.path!r}, "
                    f"which is not a sound zip ({error}). Fetch the file again."
                ) from None
        return self._zip


class NoPhotographs:
    """In the place of an `Archive` whose files nobody has: all that are named are known.

    Captions and features of photographs go together without them.
    """

    path = ""

    def names(self):
        """Returns no name."""
        return []

    def locate(self, path):
        """Returns the path as data sets write it down."""
        return normal_path(path)

    def read(self, name):
        """Raises `FileNotFoundError`."""
        raise FileNotFoundError(f"Expected --images, which has {name!r}. Received: none.")


def open_photographs(path):
    """Returns the `Archive` of photographs at a path; `NoPhotographs` for None."""
    return NoPhotographs() if path is None else Archive(path, MAX_BYTES)


def normal_path(path):
    """Returns a path with slashes and without needless parts: `./a\\b.jpg` as `a/b.jpg`."""
    return posixpath.normpath(path.replace("\\", "/"))


def matching_files(path, pattern):
    """Returns the files that a path of files stands for, sorted.

    Args:
        path: a file; a directory, which stands for the files in it and below whose names match;
            or a glob.
        pattern: regular expression for the whole of those names.
    """
    if os.path.isdir(path):
        names = _directory_names(path)
        names = [name for name in names if re.fullmatch(pattern, posixpath.basename(name))]
        return [os.path.join(path, *name.split("/")) for name in names]
    found = [path] if os.path.exists(path) else glob.glob(path, recursive=True)
    return sorted(file for file in found if os.path.isfile(file))


@functools.lru_cache(maxsize=16)
def _reopen(path, most_bytes):
    return Archive(path, most_bytes)


def _directory_names(path):
    def refuse(error):
        raise error

    names = []
    for folder, folders, files in os.walk(path, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = os.path.relpath(folder, path)
        prefix = "" if relative == "." else relative.replace(os.sep, "/") + "/"
        names.extend(prefix + name for name in files if not name.startswith("."))
    return sorted(names)


def _member_names(archive):
    return sorted(
        info.filename
        for info in archive.infolist()
        if info.filename
        and not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
        and not posixpath.basename(info.filename).startswith(".")
    )


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
