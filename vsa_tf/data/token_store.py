"""The token ids of every caption of a split, packed."""

from vsa_tf.data.packed_rows import PackedRows
from vsa_tf.text.vocabulary import UNK_ID


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
