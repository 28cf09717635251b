"""What sources of captions have in common: they list what they leave out, and name photographs.

A photograph is called by its file's name, by its folders where that names several.
"""

import collections
import hashlib
import posixpath

from tfrecords_tools.sources.source import Skip, Source, read_caption


class CaptionSource(Source):
    """A source that parses each split once and lists what it leaves out.

    A data set is a subclass: it sets `name`, gives `splits()`, and yields the examples of a split
    from `_parse(split)`.
    """

    def __init__(self):
        self._checksums = {}
        self._skipped = []
        self._examples = {}
        self._places = {}

    @property
    def skipped(self):
        """What was left out so far: complete once every split's examples were read."""
        return list(self._skipped)

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        return dict(sorted(self._checksums.items()))

    def caption_numbers(self, example):
        """Returns for each caption its place among the captions of its photograph."""
        return self._places.get(example.source_id) or super().caption_numbers(example)

    def examples(self, split):
        """Yields the `SourceExample`s of a split, always in the same order.

        Raises:
            ValueError: when there is no such split.
        """
        if split not in self._examples:
            if split not in self.splits():
                raise ValueError(f"Expected a split of {self.splits()}. Received: {split!r}")
            self._examples[split] = tuple(self._parse(split))
        yield from self._examples[split]

    def _parse(self, split):
        raise NotImplementedError

    def _skip(self, split, source_id, reason):
        self._skipped.append(Skip(split, source_id, reason))

    def _digest(self, name, data):
        """Notes the checksum of a file; returns its bytes."""
        self._checksums[name] = hashlib.sha256(data).hexdigest()
        return data

    def _usable_captions(self, split, source_id, captions):
        """Checks the captions of a photograph; what cannot be used is skipped and listed.

        Args:
            split: of the photograph.
            source_id: of the photograph, or its file's name.
            captions: sequence of `(number, bytes or string)`.

        Returns:
            A list of `(number, text)`.
        """
        usable, places = [], []
        for place, (number, data) in enumerate(captions):
            text, reason = read_caption(data)
            if text is None:
                self._skip(split, f"{source_id}#{number}", reason)
            else:
                usable.append((number, text))
                places.append(place)
        if not usable:
            self._skip(split, source_id, "a photograph without captions")
        elif len(usable) < len(captions):
            self._places[source_id] = places
        return usable


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
