"""What photographs are called: by their file's name, by its folders where that names several."""

import collections
import posixpath


def tails(path):
    """Returns the last parts of a path, all of them first: `a/b/1.jpg`, `b/1.jpg`, `1.jpg`."""
    parts = path.split("/")
    return ["/".join(parts[first:]) for first in range(len(parts))]


def file_names(paths):
    """Returns the shortest names that tell photographs apart.

    Args:
        paths: of the photographs, as a data set's file gives them.

    Returns:
        A dict of path to the name of the file, with its last folders where others have it too.

    Example:

    >>> file_names(["x/a/1.jpg", "x/b/1.jpg", "x/b/2.jpg"])
    {'x/a/1.jpg': 'a/1.jpg', 'x/b/1.jpg': 'b/1.jpg', 'x/b/2.jpg': '2.jpg'}
    """
    paths = dict.fromkeys(paths)
    counts = collections.Counter(tail for path in paths for tail in tails(path))
    return {
        path: next((tail for tail in reversed(tails(path)) if counts[tail] == 1), path)
        for path in paths
    }


def source_ids(paths):
    """Returns the names of photographs without their endings, where these do not tell them apart.

    Args:
        paths: of the photographs, as a data set's file gives them.

    Returns:
        A dict of path to `file_names`' name, without its ending where that is no other's.

    Example:

    >>> source_ids(["1.jpg", "a.jpg", "a.png"])
    {'1.jpg': '1', 'a.jpg': 'a.jpg', 'a.png': 'a.png'}
    """
    names = file_names(paths)
    stems = {path: posixpath.splitext(name)[0] for path, name in names.items()}
    counts = collections.Counter([*stems.values(), *names.values()])
    # A name without an ending is its own stem, which is no clash.
    return {
        path: stem if counts[stem] == (2 if stem == names[path] else 1) else names[path]
        for path, stem in stems.items()
    }
