"""The tokens and relation types a model knows, their counts, and how much it knows of a text."""

import collections
import dataclasses
import hashlib
import pathlib

from vsa_tf.file_reading import is_count, text_lines
from vsa_tf.files import write_atomically

PAD_ID, START_ID, END_ID, UNK_ID = 0, 1, 2, 3
PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN = "<pad>", "<start>", "<end>", "<unk>"
SPECIAL_TOKENS = (PAD_TOKEN, START_TOKEN, END_TOKEN, UNK_TOKEN)
PAD_RELATION, OTHER_RELATION = 0, 1


class CountedNames:
    """Names, their ids and their counts in the training captions; a base class.

    A subclass says what its names are: `kind`, `item` and `items` in words; `special`, the names
    of the first ids; `unknown_id`, the one of names that are not known; and which names
    `is_name` takes.

    Args:
        names: all names in order of id, the special ones first.
        counts: how often each occurred in the training captions.

    Attributes:
        names: tuple of strings.
        counts: tuple of integers.

    Raises:
        ValueError: when a special name is missing, a name is repeated or cannot be one, or a count
            is no integer of 0 or more.
    """

    kind = item = items = ""
    special = ()
    unknown_id = 0

    def __init__(self, names, counts):
        self.names = tuple(names)
        self.counts = tuple(counts)
        if self.names[: len(self.special)] != self.special:
            raise ValueError(
                f"Expected {self.kind} to start with {self.special}. "
                f"Received: {self.names[: len(self.special)]}"
            )
        if len(self.names) != len(self.counts):
            raise ValueError(
                f"Expected one count a {self.item}. "
                f"Received: {len(self.names)} {self.items}, {len(self.counts)} counts"
            )
        self._ids = {}
        for index, (name, count) in enumerate(zip(self.names, self.counts)):
            if not self.is_name(name):
                raise ValueError(
                    f"Expected {self.items} of one or more characters, no tabs or line ends, and "
                    f"no white space in tokens. Received: {self.item} {index} = {name!r}"
                )
            if name in self._ids:
                raise ValueError(
                    f"Expected each {self.item} once. Received: {name!r} as {self.items} "
                    f"{self._ids[name]} and {index}"
                )
            if not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"Expected counts to be integers of 0 or more. Received: {name!r}: {count!r}"
                )
            self._ids[name] = index

    @staticmethod
    def is_name(text):
        """Whether a string may be a name: it must fit a line `NAME<TAB>COUNT`."""
        return bool(text) and not set(text) & set("\t\r\n")

    @staticmethod
    def by_count(counts):
        """Returns `(name, count)` of a dict by descending count, those of one count by name."""
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            OSError: when the file cannot be read.
            ValueError: when it is not such a file, with the path and the line.
        """
        data = pathlib.Path(path).read_bytes()
        if not data.endswith(b"\n"):
            raise ValueError(
                f"Expected {cls.kind} to end with a line end; {path} is "
                f"{'cut off' if data else 'empty'}. Copy or write it again."
            )
        names, counts = [], []
        for number, line in enumerate(text_lines(data, path), 1):
            name, tab, count = line.partition("\t")
            if not (tab and is_count(count)):
                raise ValueError(
                    f"Expected lines of the form NAME<TAB>COUNT in {cls.kind}. "
                    f"Received: line {number} of {path}: {line[:80]!r}"
                )
            names.append(name)
            counts.append(int(count))
        try:
            return cls(names, counts)
        except ValueError as error:
            raise ValueError(f"{error}. The {cls.items} were read from {path}") from None

    def save(self, path):
        """Writes one `NAME<TAB>COUNT` line each, in UTF-8; the file is never half-written.

        Args:
            path: of the file; one that exists is replaced.

        Raises:
            OSError: when it cannot be written.
        """
        write_atomically(path, self._serialized())

    def fingerprint(self):
        """Returns the SHA-256 (hexadecimal) of the file that `save` writes."""
        return hashlib.sha256(self._serialized()).hexdigest()

    def joined(self, others):
        """Returns these names with their ids, then those of `others` that are new; counts add up.

        Args:
            others: of the same class.
        """
        counts = dict(zip(self.names, self.counts))
        for name, count in zip(others.names, others.counts):
            counts[name] = counts.get(name, 0) + count
        return type(self)(counts.keys(), counts.values())

    def _serialized(self):
        lines = (f"{name}\t{count}\n" for name, count in zip(self.names, self.counts))
        return "".join(lines).encode("utf-8")

    def encode(self, names):
        """Returns the list of ids of `names`, `unknown_id` for those that are not known."""
        return [self._ids.get(name, self.unknown_id) for name in names]

    def decode(self, ids):
        """Returns the list of names of `ids`.

        Raises:
            ValueError: for an id outside `0..len(self) - 1`.
        """
        for index in ids:
            if not 0 <= index < len(self):
                raise ValueError(f"Expected ids in 0..{len(self) - 1}. Received: {index}")
        return [self.names[index] for index in ids]

    def __len__(self):
        return len(self.names)

    def __contains__(self, name):
        return name in self._ids

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return self.names == other.names and self.counts == other.counts

    def __hash__(self):
        return hash((self.names, self.counts))


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


class RelationTypes(CountedNames):
    """Relation types, their ids and their counts; see `CountedNames`.

    Id 0 is padding; id 1 is shared by all types that are rare in training or do not occur there.

    Example:

    >>> types = RelationTypes.from_relations(["det", "nsubj", "det", "expl"], min_count=2)
    >>> types.names, types.encode(["det", "expl", "vocative"])
    (('<pad>', '<other>', 'det'), [2, 1, 1])
    """

    kind, item, items = "relation types", "relation type", "relation types"
    special = ("<pad>", "<other>")
    unknown_id = OTHER_RELATION

    @classmethod
    def from_relations(cls, relations, min_count=1):
        """Counts the relations of the training captions.

        Args:
            relations: iterable of relation types, one for each relation, of the training split
                only.
            min_count: types that occur less often share one id.

        Returns:
            A `RelationTypes`: the special ones, then the others by descending count, those of one
            count in alphabetical order.

        Raises:
            ValueError: when `min_count` is below 1, or a relation is named as a special one.
        """
        if min_count < 1:
            raise ValueError(f"Expected min_count to be 1 or more. Received: min_count={min_count}")
        counter = collections.Counter(relations)
        kept = {name: count for name, count in counter.items() if count >= min_count}
        rare = counter.total() - sum(kept.values())
        return cls(*zip(*zip(cls.special, (0, rare)), *cls.by_count(kept)))


@dataclasses.dataclass(frozen=True)
class TextKnowledge:
    """How much of a text the model knows.

    Attributes:
        unknown_words: those that it does not know, tuple of str, each once; the answer is that to
            the others.
        means_nothing: whether it knows none: then the answer means nothing.
    """

    unknown_words: tuple = ()
    means_nothing: bool = False

    @classmethod
    def of_row(cls, row):
        """Makes it of a row of answers; those of earlier exports do not say."""
        words = [word for word in row.get("unknown_words", ()) if word]
        # A server's own models answer in bytes.
        words = [word.decode() if isinstance(word, bytes) else str(word) for word in words]
        return cls(tuple(dict.fromkeys(words)), bool(row.get("num_known_words", 1) == 0))

    @classmethod
    def of_words(cls, unknown, num_known):
        """Makes it of `CaptionText.known_words`."""
        return cls(tuple(dict.fromkeys(unknown)), num_known == 0)

    def note(self):
        """Returns what is to be said of it, str; empty where the model knows all."""
        words = ", ".join(self.unknown_words)
        if not self.means_nothing:
            return f"the model does not know {words}" if words else ""
        unknown = f": it does not know {words}" if words else ""
        return f"the model knows no word of this text, so that its answer means nothing{unknown}"

    def to_dict(self):
        """Returns what JSON lines say of it, a dict."""
        return {"unknown_words": list(self.unknown_words)} if self.unknown_words else {}
