"""The types of dependency relations that a model tells apart."""

import collections

from vsa_tf.text.counted_names import CountedNames

PAD_RELATION, OTHER_RELATION = 0, 1


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
