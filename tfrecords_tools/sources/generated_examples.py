"""Examples of a generated data set that nobody holds: they are made where they are written."""

import collections.abc
import dataclasses


@dataclasses.dataclass(frozen=True)
class GeneratedExamples(collections.abc.Sequence):
    """A run of the examples of one split, as small as its bounds wherever it is sent.

    Attributes:
        source: a picklable `Source` with `example(split, index)`.
        split: name of the split.
        indices: range of the examples.

    Example:

    >>> from tfrecords_tools.sources.shape_scenes import ShapeScenes
    >>> examples = GeneratedExamples(ShapeScenes(num_train=9), "train", range(9))[3:5]
    >>> len(examples), examples[0].source_id
    (2, 'train-000003')
    """

    source: object
    split: str
    indices: range

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return dataclasses.replace(self, indices=self.indices[index])
        return self.source.example(self.split, self.indices[index])
