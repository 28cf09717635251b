"""The types of dependency relations that a model tells apart."""

import collections
import hashlib
import pathlib

from vsa_tf.atomic_file import write_atomically

PAD_RELATION, OTHER_RELATION = 0, 1
SPECIAL_RELATIONS = ("<pad>", "<other>")


class RelationTypes:
    """Relation types, their ids and their counts.

    Id 0 is padding; id 1 is shared by all types that are rare in training or do not occur there.

    Args:
        names: all types in order of id, the two special ones first.
        counts: how often each occurred in the training captions.

    Attributes:
        names: tuple of strings.
        counts: tuple of integers.

    Raises:
        ValueError: when the special names are missing, a name is repeated, empty or holds a tab or
            a line end, or a count is no integer of 0 or more.

    Example:

    >>> types = RelationTypes.from_relations(["det", "nsubj", "det", "expl"], min_count=2)
    >>> types.names, types.encode(["det", "expl", "vocative"])
    (('<pad>', '<other>', 'det'), [2, 1, 1])
    """

    def __init__(self, names, counts):
        self.names = tuple(names)
        self.counts = tuple(counts)
        if self.names[: len(SPECIAL_RELATIONS)] != SPECIAL_RELATIONS:
            raise ValueError(
                f"Expected relation types to start with {SPECIAL_RELATIONS}. "
                f"Received: {self.names[: len(SPECIAL_RELATIONS)]}"
            )
        if len(self.names) != len(self.counts):
            raise ValueError(
                "Expected one count a relation type. "
                f"Received: {len(self.names)} types, {len(self.counts)} counts"
            )
        self._ids = {}
        for index, (name, count) in enumerate(zip(self.names, self.counts)):
            if not name or set(name) & set("\t\r\n"):
                raise ValueError(
                    "Expected relation types of one or more characters, no tabs or line ends. "
                    f"Received: type {index} = {name!r}"
                )
            if name in self._ids:
                raise ValueError(
                    f"Expected each relation type once. Received: {name!r} as types "
                    f"{self._ids[name]} and {index}"
                )
            if not isinstance(count, int) or count < 0:
                raise ValueError(
                    f"Expected counts to be integers of 0 or more. Received: {name!r}: {count!r}"
                )
            self._ids[name] = index

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
        kept = [(name, count) for name, count in counter.items() if count >= min_count]
        kept.sort(key=lambda item: (-item[1], item[0]))
        rare = sum(count for count in counter.values() if count < min_count)
        special = list(zip(SPECIAL_RELATIONS, (0, rare)))
        return cls(*zip(*(special + kept)))

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            OSError: when the file cannot be read.
            ValueError: when it holds no relation types, with the path and the line.
        """
        try:
            text = pathlib.Path(path).read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"Expected relation types in UTF-8. Received: {path}: {error}"
            ) from None
        if not text.endswith("\n"):
            raise ValueError(
                f"Expected relation types to end with a line end; {path} is "
                f"{'empty' if not text else 'cut off'}. Copy or write it again."
            )
        names, counts = [], []
        for number, line in enumerate(text[:-1].split("\n"), start=1):
            name, tab, count = line.partition("\t")
            if not (tab and count.isascii() and count.isdigit()):
                raise ValueError(
                    "Expected lines of the form relation<TAB>count. "
                    f"Received: line {number} of {path}: {line[:80]!r}"
                )
            names.append(name)
            counts.append(int(count))
        try:
            return cls(names, counts)
        except ValueError as error:
            raise ValueError(f"{error}. The relation types were read from {path}") from None

    def save(self, path):
        """Writes one `relation<TAB>count` line a type, in UTF-8; the file is never half-written.

        Raises:
            OSError: when it cannot be written.
        """
        write_atomically(path, self._serialized())

    def _serialized(self):
        lines = (f"{name}\t{count}\n" for name, count in zip(self.names, self.counts))
        return "".join(lines).encode("utf-8")

    def fingerprint(self):
        """Returns the SHA-256 (hexadecimal) of the file that `save` writes."""
        return hashlib.sha256(self._serialized()).hexdigest()

    def encode(self, relations):
        """Returns the list of ids of `relations`, `OTHER_RELATION` for those not known."""
        return [self._ids.get(relation, OTHER_RELATION) for relation in relations]

    def __len__(self):
        return len(self.names)

    def __eq__(self, other):
        if not isinstance(other, RelationTypes):
            return NotImplemented
        return self.names == other.names and self.counts == other.counts

    def __hash__(self):
        return hash((self.names, self.counts))
