"""The dependency relations of every caption of a split, packed."""

import numpy as np

from vsa_tf.text.relation_types import OTHER_RELATION, PAD_RELATION


class FragmentStore:
    """Captions as typed relations between words, the fragments of DeFrag; packed.

    A caption may have no relation: one word has none, nor has what is not parsed. It is a sentence
    without fragments.

    Args:
        fragments: M sequences of `(relation, head, dependent)`, an id of a relation type and two of
            words.
        max_fragments: captions of more lose their last.

    Attributes:
        entry_names: names of what `entries` returns.
        packed_ids: int32 [number of relations, 3].
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
        kept = [each[:max_fragments] for each in fragments]
        self.num_truncated = sum(len(each) > max_fragments for each in fragments)
        self.num_empty = sum(len(each) == 0 for each in fragments)
        self.lengths = np.array([len(each) for each in kept], np.int32)
        self._starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        rows = [fragment for each in kept for fragment in each]
        self.packed_ids = np.array(rows, np.int32).reshape(-1, 3)
        self.num_pooled = int((self.packed_ids[:, 0] == OTHER_RELATION).sum())

    def __len__(self):
        return len(self.lengths)

    def fragments(self, caption_index):
        """Returns the relations of one caption, int32 [its length, 3]."""
        start = self._starts[caption_index]
        return self.packed_ids[start:start + self.lengths[caption_index]]

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
        caption_indices = np.asarray(caption_indices, np.int64)
        lengths = self.lengths[caption_indices]
        if lengths.size and lengths.max() > width:
            raise ValueError(
                f"Expected captions of at most width={width} relations. Received: one of "
                f"{lengths.max()}. Use a width from the plan of the same captions."
            )
        columns = np.arange(width)
        filled = columns < lengths[:, None]
        rows = np.full([len(caption_indices), width, 3], PAD_RELATION, np.int32)
        rows[filled] = self.packed_ids[(self._starts[caption_indices][:, None] + columns)[filled]]
        return dict(zip(self.entry_names, np.ascontiguousarray(rows.transpose(2, 0, 1))))

    def counts(self):
        """Returns how many captions are not read as parsed, a dict for reports."""
        return {"truncated": self.num_truncated, "without_relations": self.num_empty}
