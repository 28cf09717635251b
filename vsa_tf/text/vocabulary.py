"""The tokens a model knows, with their counts in the training captions."""

import collections
import hashlib
import pathlib

from vsa_tf.atomic_file import write_atomically

PAD_ID, START_ID, END_ID, UNK_ID = 0, 1, 2, 3
PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN = "<pad>", "<start>", "<end>", "<unk>"
SPECIAL_TOKENS = (PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN)


class Vocabulary:
    """Tokens, their ids and their counts.

    The special tokens have the ids 0 to 3. Their counts say what the training captions say of
    them: `<start>` and `<end>` as many as sentences, `<unk>` as often as tokens below the
    threshold occurred, `<pad>` never.

    Args:
        tokens: all tokens in order of id, the four special ones first.
        counts: how often each occurred in the training captions.

    Attributes:
        tokens: tuple of strings.
        counts: tuple of integers.

    Example:

    >>> vocabulary = Vocabulary.from_sentences([["a", "dog"], ["a", "cat"]])
    >>> vocabulary.tokens[4:], vocabulary.encode(["a", "bird"])
    (('a', 'cat', 'dog'), [4, 3])

    Raises:
        ValueError: when a special token is missing, a token is repeated, empty or holds white
            space, or a count is no integer of 0 or more.
    """

    def __init__(self, tokens, counts):
        self.tokens = tuple(tokens)
        self.counts = tuple(counts)
        if self.tokens[: len(SPECIAL_TOKENS)] != SPECIAL_TOKENS:
            raise ValueError(
                f"Expected a vocabulary to start with {SPECIAL_TOKENS}. "
                f"Received: {self.tokens[: len(SPECIAL_TOKENS)]}"
            )
        if len(self.tokens) != len(self.counts):
            raise ValueError(
                "Expected one count a token. "
                f"Received: {len(self.tokens)} tokens, {len(self.counts)} counts"
            )
        self._ids = {}
        for index, (token, count) in enumerate(zip(self.tokens, self.counts)):
            if token.split() != [token]:
                raise ValueError(
                    f"Expected tokens of one or more characters, none of them white space. "
                    f"Received: token {index} = {token!r}"
                )
            if token in self._ids:
                raise ValueError(
                    f"Expected each token once. Received: {token!r} as tokens "
                    f"{self._ids[token]} and {index}"
                )
            if not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"Expected counts to be integers of 0 or more. Received: {token!r}: {count!r}"
                )
            self._ids[token] = index

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
        ordered = sorted(kept.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            SPECIAL_TOKENS + tuple(token for token, _ in ordered),
            (0, num_sentences, num_sentences, unknown) + tuple(count for _, count in ordered),
        )

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Args:
            path: of the file.

        Returns:
            A `Vocabulary`.

        Raises:
            OSError: when the file cannot be read.
            ValueError: when it is not a vocabulary, with the path and the line.
        """
        path = pathlib.Path(path)
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"Expected a vocabulary in UTF-8. Received: {path}: {error}") from None
        if not text.endswith("\n"):
            raise ValueError(
                f"Expected a vocabulary to end with a line end; {path} is "
                f"{'empty' if not text else 'cut off'}. Copy or write it again."
            )
        tokens, counts = [], []
        for number, line in enumerate(text[:-1].split("\n"), 1):
            token, tab, count = line.partition("\t")
            if not (tab and count.isascii() and count.isdigit()):
                raise ValueError(
                    f"Expected lines of the form token<TAB>count. "
                    f"Received: line {number} of {path}: {line[:80]!r}"
                )
            tokens.append(token)
            counts.append(int(count))
        try:
            return cls(tokens, counts)
        except ValueError as error:
            raise ValueError(f"{error}. The tokens were read from {path}, from line 1") from None

    def save(self, path):
        """Writes one `token<TAB>count` line a token, in UTF-8; the file is never half-written.

        Args:
            path: of the file; one that exists is replaced.

        Raises:
            OSError: when it cannot be written.
        """
        write_atomically(path, self._serialized())

    def _serialized(self):
        lines = (f"{token}\t{count}\n" for token, count in zip(self.tokens, self.counts))
        return "".join(lines).encode("utf-8")

    @property
    def num_sentences(self):
        """How many training captions were counted."""
        return self.counts[END_ID]

    def encode(self, tokens):
        """Returns the list of ids of `tokens`, `UNK_ID` for those not in the vocabulary."""
        return [self._ids.get(token, UNK_ID) for token in tokens]

    def decode(self, ids):
        """Returns the list of tokens of `ids`.

        Raises:
            ValueError: for an id outside `0..len(self) - 1`.
        """
        tokens = []
        for index in ids:
            if not 0 <= index < len(self.tokens):
                raise ValueError(f"Expected ids in 0..{len(self) - 1}. Received: {index}")
            tokens.append(self.tokens[index])
        return tokens

    def fingerprint(self):
        """Returns the SHA-256 (hexadecimal) of the file that `save` writes."""
        return hashlib.sha256(self._serialized()).hexdigest()

    def __len__(self):
        return len(self.tokens)

    def __contains__(self, token):
        return token in self._ids

    def __eq__(self, other):
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.tokens == other.tokens and self.counts == other.counts

    def __hash__(self):
        return hash((self.tokens, self.counts))

    def __repr__(self):
        return f"Vocabulary({len(self)} tokens, {self.num_sentences} sentences)"
