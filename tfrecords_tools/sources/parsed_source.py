"""Any source, with the dependency parses of its captions."""

import dataclasses

from tfrecords_tools.sources.source import Source


class ParsedSource(Source):
    """A source whose examples have dependency relations; all else is the other source's.

    Args:
        source: a `Source`.
        parses: the `DependencyParses` of its captions.
    """

    is_parsed = True

    def __init__(self, source, parses):
        self._source = source
        self._parses = parses
        self.name = source.name
        self.official_counts = source.official_counts
        self.feature_size = source.feature_size
        self.layout = source.layout

    def splits(self):
        """Returns the names of the source's splits."""
        return self._source.splits()

    def examples(self, split):
        """Yields the `SourceExample`s of a split, as the source does, with their relations."""
        self._parses.forget(split)
        for example in self._source.examples(split):
            dependencies = self._parses.of(
                split,
                example.source_id,
                example.filename,
                example.captions,
                self._source.caption_numbers(example),
            )
            yield dataclasses.replace(example, dependencies=dependencies)

    def caption_numbers(self, example):
        """Returns what the source does."""
        return self._source.caption_numbers(example)

    @property
    def skipped(self):
        """List of `Skip`: the source's, then those of parses."""
        return [*self._source.skipped, *self._parses.skipped()]

    def checksums(self):
        """Returns `{name: sha256}` of the files that were parsed."""
        return {**self._source.checksums(), "dependencies": self._parses.sha256}

    def check(self):
        """Refuses what the source refuses, and parses that are of no caption."""
        self._source.check()
        self._parses.check()
