"""Stored images as files."""

import contextlib
import itertools
import pathlib
import re

# What separates folders somewhere, or is no character of a line.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_JPEG = re.compile(r"\.jpe?g", re.IGNORECASE)
# File systems allow 255 bytes; a number and an ending may follow.
_LONGEST_STEM = 200


class ImageFolder:
    """A folder that is filled with the images of records.

    Args:
        path: the folder; made where a first image comes.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        self._num_images = 0

    def add(self, record):
        """Writes the image of a record, byte for byte.

        Args:
            record: a `ParsedRecord` with an image, which is a JPEG whatever its file name says.

        Returns:
            The file's name: the record's, made unique and ending as a JPEG's.

        Raises:
            OSError: when it cannot be written.
        """
        self._path.mkdir(exist_ok=True)
        self._num_images += 1
        name = " ".join(_UNSAFE.sub("_", record.filename).split())
        path = pathlib.PurePosixPath(name.strip(". "))
        stem, ending = path.stem.strip(". "), path.suffix
        if not _JPEG.fullmatch(ending):
            ending = ".jpg"
        stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore") or "image"
        # The folder knows the names that are taken: nothing is kept for each image. Where many
        # have one name, the number of the image is free at once.
        for number in itertools.chain([""], itertools.count(self._num_images)):
            name = f"{stem}{number and f'-{number}'}{ending}"
            with contextlib.suppress(FileExistsError):
                with open(self._path / name, "xb") as file:
                    file.write(record.encoded_image)
                return name
