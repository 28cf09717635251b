"""What a model reads of every caption of a split, in one array: its tokens, or its relations.

Of M captions, P items in all are packed one after another: token ids as [P], dependency relations
as [P, 3]. A batch lays the rows of its captions out again, padded with 0.
"""

import numpy as np

from vsa_tf.text.vocabulary import OTHER_RELATION, UNK_ID


class PackedRows:
    """A row of int, or of tuples of int, for each caption; the base of the stores.

    Args:
        sequences: M sequences of what a row holds.
        most: longer ones lose their end.
        if_empty: the row of an empty sequence.

    Attributes:
        entry_names: names of what `entries` returns, one of each int of a tuple.
        packed_ids: int32 [P], or [P, 3] of tuples.
        lengths: int32 [M].
        num_truncated: sequences that lost their end.
        num_empty: empty sequences.

    Raises:
        ValueError: most is not positive.
    """

    entry_names = ()
    # What a row holds, and what `most` is called where the store is made; for messages.
    _unit = _most_name = ""

    def __init__(self, sequences, most, if_empty=()):
        if most < 1:
            raise ValueError(
                f"Expected {self._most_name} to be at least 1. Received: {self._most_name}={most}. "
                f"Set it to the most {self._unit} of a caption that the model shall read."
            )
        self.num_truncated = sum(len(sequence) > most for sequence in sequences)
        self.num_empty = sum(len(sequence) == 0 for sequence in sequences)
        rows = [sequence[:most] if len(sequence) else if_empty for sequence in sequences]
        self.lengths = np.array([len(row) for row in rows], np.int32)
        self._starts = np.cumsum(self.lengths, dtype=np.int64) - self.lengths
        columns = () if len(self.entry_names) == 1 else (len(self.entry_names),)
        self.packed_ids = np.fromiter(
            (item for row in rows for item in row),
            np.dtype((np.int32, columns)),
            int(self.lengths.sum()),
        )

    def __len__(self):
        return len(self.lengths)

    def row(self, index):
        """Returns one row, int32 [its length] or [its length, 3]."""
        start = self._starts[index]
        return self.packed_ids[start : start + self.lengths[index]]

    def padded(self, indices, width):
        """Returns rows of one width.

        Args:
            indices: int [n], each in 0..M-1.
            width: W.

        Returns:
            int32 [n, W] or [n, W, 3], padded with 0 on the right.

        Raises:
            ValueError: a row is longer than `width`.
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

    def entries(self, caption_indices, width):
        """Returns the entries of a batch.

        Args:
            caption_indices: int [n], each in 0..M-1.
            width: W.

        Returns:
            dict of `entry_names`, each int32 [n, W], padded with 0 on the right.

        Raises:
            ValueError: a row is longer than `width`.
        """
        rows = self.padded(caption_indices, width)
        rows = rows.reshape(len(rows), width, len(self.entry_names)).transpose(2, 0, 1)
        return dict(zip(self.entry_names, np.ascontiguousarray(rows)))


class TokenStore(PackedRows):
    """Captions as token ids, tokenised once; rows are padded with PAD = 0.

    Every caption has at least one token: one without any gets a single UNK, so that no sentence
    is empty downstream.

    Args:
        token_ids: M sequences of int, without START and END.
        max_words: longer captions lose their end.

    Attributes:
        entry_names: `token_ids`.
        packed_ids: int32 [P].
        lengths: int32 [M], each in 1..max_words.
        num_truncated: captions that lost their end.
        num_empty: captions without any token.
        num_unknown: captions without a known token, the empty ones included.

    Raises:
        ValueError: max_words is not positive.

    Example:

    >>> store = TokenStore([[4, 5, 6], [7]], max_words=2)
    >>> store.padded([1, 0], width=3).tolist()
    [[7, 0, 0], [4, 5, 0]]
    >>> store.num_truncated
    1
    """

    entry_names = ("token_ids",)
    _unit, _most_name = "tokens", "max_words"

    def __init__(self, token_ids, max_words):
        super().__init__(token_ids, max_words, if_empty=[UNK_ID])
        self.num_unknown = sum(all(token == UNK_ID for token in tokens) for tokens in token_ids)

    @classmethod
    def from_captions(cls, captions, tokenise, max_words):
        """Tokenises captions and packs them.

        Args:
            captions: list of M str.
            tokenise: `tokenise(captions)` returns M lists of token ids.
            max_words: longer captions lose their end.

        Returns:
            A `TokenStore`.

        Raises:
            ValueError: `tokenise` returned another number of lists.
        """
        token_ids = tokenise(captions)
        if len(token_ids) != len(captions):
            raise ValueError(
                f"Expected tokenise to return a list for each of {len(captions)} captions. "
                f"Received: {len(token_ids)}."
            )
        return cls(token_ids, max_words)

    def counts(self):
        """Returns how many captions are not read as written, a dict for reports."""
        return {
            "truncated": self.num_truncated,
            "without_words": self.num_empty,
            "without_known_words": self.num_unknown,
        }


class FragmentStore(PackedRows):
    """Captions as typed relations between words, the fragments of DeFrag; padded with 0.

    A caption may have no relation: one word has none, nor has what is not parsed. It is a sentence
    without fragments.

    Args:
        fragments: M sequences of `(relation, head, dependent)`, an id of a relation type and two of
            words.
        max_fragments: captions of more lose their last.

    Attributes:
        entry_names: `relations`, `heads` and `dependents`.
        packed_ids: int32 [P, 3].
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
    _unit, _most_name = "relations", "max_fragments"

    def __init__(self, fragments, max_fragments):
        super().__init__(fragments, max_fragments)
        self.num_pooled = int((self.packed_ids[:, 0] == OTHER_RELATION).sum())

    def counts(self):
        """Returns how many captions are not read as parsed, a dict for reports."""
        return {"truncated": self.num_truncated, "without_relations": self.num_empty}
