"""Sequences of different lengths, one after another in one array."""

import numpy as np


class PackedRows:
    """What is read of every caption of a split, packed; the base of the stores.

    Args:
        sequences: M sequences of int, or of tuples of int.
        unit: what they are sequences of, in the plural, for messages.
        columns: ints of each tuple; None: plain ints.

    Attributes:
        packed_ids: int32 [P], or [P, columns]; P is the total length.
        lengths: int32 [M].
    """

    def __init__(self, sequences, unit, columns=None):
        self._unit = unit
        self.lengths = np.array([len(sequence) for sequence in sequences], np.int32)
        self._starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        shape = [int(self.lengths.sum()), *([columns] if columns else [])]
        items = (item for sequence in sequences for item in sequence)
        self.packed_ids = np.fromiter(items, np.dtype((np.int32, tuple(shape[1:]))), shape[0])

    def __len__(self):
        return len(self.lengths)

    def row(self, index):
        """Returns one sequence, int32 [its length] or [its length, columns]."""
        start = self._starts[index]
        return self.packed_ids[start : start + self.lengths[index]]

    def padded(self, indices, width):
        """Lays sequences out as rows.

        Args:
            indices: int [n], each in 0..M-1.
            width: columns (W).

        Returns:
            int32 [n, W] or [n, W, columns], padded with 0 on the right.

        Raises:
            ValueError: a sequence is longer than `width`.
        """
        indices = np.asarray(indices, np.int64)
        lengths = self.lengths[indices]
        if lengths.size and lengths.max() > width:
            raise ValueError(
                f"Expected captions of at most width={width} {self._unit}. Received: one of "
                f"{lengths.max()}. Use a width from the plan of the same captions."
            )
        positions = np.arange(width)
        filled = positions < lengths[:, None]
        rows = np.zeros([len(indices), width, *self.packed_ids.shape[1:]], np.int32)
        rows[filled] = self.packed_ids[(self._starts[indices][:, None] + positions)[filled]]
        return rows
