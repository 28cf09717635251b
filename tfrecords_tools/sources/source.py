"""What the writer asks of a source."""


class Source:
    """A data set to be written as records; a source only parses.

    A data set is a subclass: it sets `name`, gives `splits()`, `examples(split)` and
    `checksums()`, and says what else it brings where that is not what stands here.

    Attributes:
        name: the data set's, as `--dataset` takes it.
        official_counts: `{split: number of photographs}` of the whole data set as published.
        feature_size: size of the features that its examples bring in place of photographs; None
            for photographs.
        layout: `{split: what the rows of its array are}`, of sources of arrays.
        is_parsed: whether its examples bring dependency relations.
        skipped: sequence of `Skip`, what was left out so far: complete once every split's examples
            were read.
    """

    name = ""
    official_counts = {}
    feature_size = None
    layout = {}
    is_parsed = False
    skipped = ()

    def splits(self):
        """Returns the names of the splits that were found."""
        raise NotImplementedError

    def examples(self, split):
        """Yields the `SourceExample`s of a split, always in the same order."""
        raise NotImplementedError

    def example_sequence(self, split):
        """Returns the examples of a split as a sequence, to be divided among shards."""
        return tuple(self.examples(split))

    def caption_numbers(self, example):
        """Returns for each caption of an example its number in the data set's own files, from 0.

        Captions that cannot be used have numbers, too: parses name captions by them.
        """
        return range(len(example.captions))

    def checksums(self):
        """Returns the SHA-256 of each file parsed, by name."""
        raise NotImplementedError

    def check(self):
        """Refuses what it was made from, once the examples were read and found not to fit it.

        Raises:
            ValueError: saying what does not fit.
        """
