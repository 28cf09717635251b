"""The image files that a command line means."""

import os
import pathlib

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def image_files(paths):
    """Lists image files.

    Args:
        paths: files, taken as they are, and directories, of which every file below counts whose
            name ends as an image's does; hidden ones do not.

    Returns:
        A list of str: in the order of `paths`, and by name within a directory; each once.
    """
    files = {}
    for path in paths:
        found = _below(path) if pathlib.Path(path).is_dir() else [str(path)]
        files.update(dict.fromkeys(found))
    return list(files)


def _below(directory):
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(_SUFFIXES) and not name.startswith("."):
                yield os.path.join(folder, name)
