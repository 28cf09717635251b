"""Parsed sentences to what a model of a model directory reads of them."""

import numpy as np

from vsa_tf.data.caption_rows import FragmentStore
from vsa_tf.saved_models.input_error import InputError

# White space to TensorFlow's operations.
_SPACES = " \t\n\v\f\r"


class LiveRelations:
    """The reading of dependency relations of a `TrainedModel`.

    A sentence is a string of its relations, one a line: `relation<TAB>head<TAB>dependent`.

    Args:
        text: its `CaptionText`.
        max_relations: sentences of more lose their last.
    """

    def __init__(self, text, max_relations):
        self._text = text
        self._max_relations = max_relations

    def __call__(self, sentences):
        """Reads a list of B str; returns the dict of `GraphRelations`, numpy arrays."""
        fragments = self._text.encode_dependencies([_relations(each) for each in sentences])
        store = FragmentStore(fragments, self._max_relations)
        width = max(int(store.lengths.max(initial=0)), 1)
        return {**store.entries(np.arange(len(store)), width), "num_fragments": store.lengths}


def _relations(sentence):
    relations = []
    for line in sentence.split("\n"):
        if not line.strip(_SPACES):
            continue
        columns = tuple(column.strip(_SPACES) for column in line.split("\t"))
        if len(columns) != 3 or not all(columns):
            raise InputError(
                "Expected dependency relations, one a line: relation<TAB>head<TAB>dependent. "
                f"Received: {line}"
            )
        relations.append(columns)
    return tuple(relations)
