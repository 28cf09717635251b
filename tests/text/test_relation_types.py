import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vsa_tf.text.relation_types import OTHER_RELATION, PAD_RELATION, RelationTypes

RELATIONS = ["det"] * 3 + ["nsubj", "amod"] * 2 + ["vocative", "expl"]


def test_types_are_ordered_by_count_then_alphabet():
    types = RelationTypes.from_relations(RELATIONS)
    assert types.names == ("<pad>", "<other>", "det", "amod", "nsubj", "expl", "vocative")
    assert types.counts == (0, 0, 3, 2, 2, 1, 1)
    assert (PAD_RELATION, OTHER_RELATION) == (0, 1)


def test_rare_and_unknown_types_share_one_id():
    types = RelationTypes.from_relations(RELATIONS, min_count=2)
    assert types.names == ("<pad>", "<other>", "det", "amod", "nsubj")
    # vocative and expl, once each.
    assert types.counts[OTHER_RELATION] == 2
    assert types.encode(["nsubj", "expl", "never:seen", "det"]) == [4, 1, 1, 2]


def test_without_relations_there_is_the_shared_type():
    assert len(RelationTypes.from_relations([])) == 2


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ab:é犬 ", min_size=1, max_size=3), max_size=20), st.integers(1, 3))
def test_a_file_keeps_all(tmp_path_factory, relations, min_count):
    types = RelationTypes.from_relations(relations, min_count)
    assert sum(types.counts) == len(relations)
    path = tmp_path_factory.mktemp("types") / "relations.txt"
    types.save(path)
    assert RelationTypes.load(path) == types
    assert hash(RelationTypes.load(path)) == hash(types)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<pad>\t0\n<other>\t0", "is cut off"),
        (b"<pad>\t0\n<other>\t0\ndet\n", "Received: line 3 of .*'det'"),
        (b"<pad>\t0\n<other>\t0\ndet\t-1\n", "Received: line 3 of"),
        (b"det\t3\n", "Expected relation types to start with.*were read from"),
        (b"<pad>\t0\n<other>\t0\ndet\t1\ndet\t1\n", "each relation type once.*types 2 and 3"),
        (b"<pad>\t0\n<other>\t0\n\t1\n", "one or more characters"),
        (b"<pad>\t0\n<other>\t0\n\xff\t1\n", "in UTF-8"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, message):
    path = tmp_path / "relations.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        RelationTypes.load(path)


@pytest.mark.parametrize(
    ("names", "counts", "message"),
    [
        (("<pad>", "<other>", "a"), (0, 0), "3 relation types, 2 counts"),
        (("<pad>", "<other>", "a"), (0, 0, 1.5), "'a': 1.5"),
        (("<pad>", "<other>", "a\nb"), (0, 0, 1), "no tabs or line ends"),
    ],
)
def test_bad_arguments_are_refused(names, counts, message):
    with pytest.raises(ValueError, match=message):
        RelationTypes(names, counts)


def test_a_minimum_below_one_is_refused():
    with pytest.raises(ValueError, match="Received: min_count=0"):
        RelationTypes.from_relations(RELATIONS, min_count=0)


def test_a_relation_named_as_padding_is_refused():
    with pytest.raises(ValueError, match="each relation type once. Received: '<pad>'"):
        RelationTypes.from_relations(["<pad>"])
