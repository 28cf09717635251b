"""The dependency relations of every caption of a split, packed."""

import numpy as np

from vsa_tf.data.packed_rows import PackedRows
from vsa_tf.text.vocabulary import OTHER_RELATION


class FragmentStore(PackedRows):
    """Captions as typed relations between words, the fragments of DeFrag; padded with 0.

    A caption may have no relation: one word has none, nor has what is not parsed. It is a sentence
    without fragments.

    Args:
        fragments: M sequences of `(relation, head, dependent)`, an id of a relation type and two of
            words.
        max_fragments: captions of more lose their last.

    Attributes:
        entry_names: names of what `entries` returns.
        lengths: int32 [M], each in 0..max_fragments.
        num_truncated: captions that lost some.
        num_empty: captions without any.
        num_pooled: relations whose type is rare in training, or unknown.

    Raises:
        ValueError: max_fragments is not positive.

    Example:

    >>> store = FragmentStore([[(2, 7, 8), (1, 7, 9)], []], max_fragments=5)
    >>> {name: rows.tolist() for name, rows in store.entries([1, 0], width=2).items()}
    {'relations': [[0, 0], [2, 1]], 'heads': [[0, 0], [7, 7]], 'dependents': [[0, 0], [8, 9]]}
    """

    entry_names = ("relations", "heads", "dependents")

    def __init__(self, fragments, max_fragments):
        if max_fragments < 1:
            raise ValueError(
                f"Expected max_fragments to be at least 1. Received: max_fragments={max_fragments}"
            )
        self.num_truncated = sum(len(each) > max_fragments for each in fragments)
        self.num_empty = sum(len(each) == 0 for each in fragments)
        super().__init__([each[:max_fragments] for each in fragments], "relations", columns=3)
        self.num_pooled = int((self.packed_ids[:, 0] == OTHER_RELATION).sum())

    def entries(self, caption_indices, width):
        """Returns the entries of a batch.

        Args:
            caption_indices: int [n], each in 0..M-1.
            width: columns (E).

        Returns:
            dict of relations, heads and dependents, int32 [n, E], padded with 0 on the right.

        Raises:
            ValueError: a caption has more relations than `width`.
        """
        rows = self.padded(caption_indices, width).transpose(2, 0, 1)
        return dict(zip(self.entry_names, np.ascontiguousarray(rows)))

    def counts(self):
        """Returns how many captions are not read as parsed, a dict for reports."""
        return {"truncated": self.num_truncated, "without_relations": self.num_empty}
