"""What a split knows of every caption, as rows of different lengths packed into one array."""

import numpy as np

from vsa_tf.text.vocabulary import OTHER_RELATION, UNK_ID


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


class TokenStore(PackedRows):
    """Captions as token ids, tokenised once; rows are padded with PAD = 0.

    Every caption has at least one token: one without any gets a single UNK, so that no sentence
    is empty downstream.

    Args:
        token_ids: M sequences of int, without START and END.
        max_words: longer captions lose their end.

    Attributes:
        entry_names: names of what `entries` returns.
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

    def __init__(self, token_ids, max_words):
        if max_words < 1:
            raise ValueError(
                f"Expected max_words to be at least 1. Received: max_words={max_words}. Set it to "
                "the most words of a caption that the model shall read."
            )
        self.num_truncated = sum(len(tokens) > max_words for tokens in token_ids)
        self.num_empty = sum(len(tokens) == 0 for tokens in token_ids)
        self.num_unknown = sum(all(token == UNK_ID for token in tokens) for tokens in token_ids)
        super().__init__(
            [tokens[:max_words] if len(tokens) else [UNK_ID] for tokens in token_ids], "tokens"
        )

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

    def entries(self, caption_indices, width):
        """Returns the entries of a batch, a dict of token_ids: see `padded`."""
        return {"token_ids": self.padded(caption_indices, width)}

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
