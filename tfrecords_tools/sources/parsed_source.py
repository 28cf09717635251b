"""Any source, with the dependency parses of its captions."""

import dataclasses


class ParsedSource:
    """A source whose examples have dependency relations; all else is the other source's.

    Args:
        source: a source, see `tfrecords_tools.sources`.
        parses: the `DependencyParses` of its captions.
    """

    def __init__(self, source, parses):
        self._source = source
        self.parses = parses

    def __getattr__(self, name):
        if name.startswith("__"):  # copying and pickling ask before there is a source
            raise AttributeError(name)
        return getattr(self._source, name)

    def examples(self, split):
        """Yields the `SourceExample`s of a split, as the source does, with their relations."""
        self.parses.forget(split)
        for example in self._source.examples(split):
            dependencies = self.parses.of(
                split, example.source_id, example.filename, example.captions
            )
            yield dataclasses.replace(example, dependencies=dependencies)

    @property
    def skipped(self):
        """List of `Skip`: the source's, then those of parses."""
        return [*self._source.skipped, *self.parses.skipped()]

    def checksums(self):
        """Returns `{name: sha256}` of the files that were parsed."""
        return {**self._source.checksums(), "dependencies": self.parses.sha256}
