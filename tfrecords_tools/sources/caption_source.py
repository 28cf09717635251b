"""What sources of captions have in common."""

import hashlib

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
