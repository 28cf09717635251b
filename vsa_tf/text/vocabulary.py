"""The tokens a model knows, with their counts in the training captions."""

import collections

from vsa_tf.text.counted_names import CountedNames

PAD_ID, START_ID, END_ID, UNK_ID = 0, 1, 2, 3
PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN = "<pad>", "<start>", "<end>", "<unk>"
SPECIAL_TOKENS = (PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN)


class Vocabulary(CountedNames):
    """Tokens, their ids and their counts; see `CountedNames`. A token has no white space.

    The special tokens have the ids 0 to 3. Their counts say what the training captions say of
    them: `<start>` and `<end>` as many as sentences, `<unk>` as often as tokens below the
    threshold occurred, `<pad>` never.

    Example:

    >>> vocabulary = Vocabulary.from_sentences([["a", "dog"], ["a", "cat"]])
    >>> vocabulary.tokens[4:], vocabulary.encode(["a", "bird"])
    (('a', 'cat', 'dog'), [4, 3])
    """

    kind, item, items = "a vocabulary", "token", "tokens"
    special = SPECIAL_TOKENS
    unknown_id = UNK_ID

    @staticmethod
    def is_name(text):
        return text.split() == [text]

    @classmethod
    def from_sentences(cls, sentences, min_count=1, keep=()):
        """Counts the tokens of the training captions.

        Args:
            sentences: iterable of token lists, of the training split only.
            min_count: tokens that occur less often are left out; their occurrences are the
                count of `<unk>`.
            keep: tokens that stay however rare they are, such as learnt wordpieces.

        Returns:
            A `Vocabulary`: the special tokens, then the others by descending count, those of
            one count in alphabetical order.

        Raises:
            ValueError: when `min_count` is below 1, or a sentence holds a special token other
                than `<unk>`.
        """
        if min_count < 1:
            raise ValueError(f"Expected min_count to be 1 or more. Received: min_count={min_count}")
        keep = set(keep).difference(SPECIAL_TOKENS)
        counter = collections.Counter()
        num_sentences = 0
        for sentence in sentences:
            counter.update(sentence)
            num_sentences += 1
        for token in (PAD_TOKEN, START_TOKEN, END_TOKEN):
            if token in counter:
                raise ValueError(f"Expected sentences without special tokens. Received: {token!r}")
        unknown = counter.pop(UNK_TOKEN, 0)
        kept = {token: counter[token] for token in keep}
        for token, count in counter.items():
            if count >= min_count:
                kept[token] = count
            elif token not in keep:
                unknown += count
        ordered = cls.by_count(kept)
        return cls(
            SPECIAL_TOKENS + tuple(token for token, _ in ordered),
            (0, num_sentences, num_sentences, unknown) + tuple(count for _, count in ordered),
        )

    @property
    def tokens(self):
        """All tokens in order of id, tuple of strings."""
        return self.names

    @property
    def num_sentences(self):
        """How many training captions were counted."""
        return self.counts[END_ID]

    def __repr__(self):
        return f"Vocabulary({len(self)} tokens, {self.num_sentences} sentences)"
