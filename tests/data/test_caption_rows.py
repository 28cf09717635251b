import numpy as np
import pytest

from tests.data.small_records import tokenise
from vsa_tf.data.caption_rows import FragmentStore, TokenStore
from vsa_tf.text.vocabulary import OTHER_RELATION, PAD_ID, UNK_ID

FRAGMENTS = [[(2, 4, 5), (3, 4, 6)], [], [(OTHER_RELATION, 7, 8)] * 3]


def test_tokens_are_packed_and_padded():
    store = TokenStore.from_captions(["w4 w5", "w6", "w7 w8 w9"], tokenise, max_words=5)
    assert len(store) == 3
    assert store.lengths.tolist() == [2, 1, 3]
    assert store.packed_ids.tolist() == [4, 5, 6, 7, 8, 9]
    assert store.packed_ids.dtype == store.lengths.dtype == np.int32
    assert store.row(2).tolist() == [7, 8, 9]
    rows = store.padded([2, 0, 2], width=4)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[7, 8, 9, PAD_ID], [4, 5, PAD_ID, PAD_ID], [7, 8, 9, PAD_ID]]


def test_captions_of_too_many_tokens_are_cut_and_counted():
    store = TokenStore([[4] * 500, [5, 6], [7]], max_words=2)
    assert store.lengths.tolist() == [2, 2, 1]
    assert store.num_truncated == 1


def test_captions_without_known_words_are_counted():
    store = TokenStore([[UNK_ID, UNK_ID], [UNK_ID, 4], []], max_words=3)
    assert (store.num_unknown, store.num_empty) == (2, 1)
    assert store.row(2).tolist() == [UNK_ID]


def test_entries_of_tokens_are_their_ids():
    store = TokenStore([[4, 5], [6]], max_words=3)
    entries = store.entries([1, 0], width=2)
    assert tuple(entries) == store.entry_names == ("token_ids",)
    np.testing.assert_array_equal(entries["token_ids"], store.padded([1, 0], width=2))
    assert store.entries([], width=2)["token_ids"].shape == (0, 2)


def test_a_width_below_the_tokens_of_a_caption_is_refused():
    with pytest.raises(ValueError, match="width=1"):
        TokenStore([[4, 5]], max_words=2).padded([0], width=1)


def test_another_number_of_lists_than_captions_is_refused():
    with pytest.raises(ValueError, match="each of 2 captions. Received: 1"):
        TokenStore.from_captions(["w4", "w5"], lambda captions: [[4]], max_words=2)


def test_max_words_must_be_positive():
    with pytest.raises(ValueError, match="max_words=0"):
        TokenStore([[4]], max_words=0)


def test_relations_are_packed_and_padded():
    store = FragmentStore(FRAGMENTS, max_fragments=9)
    assert len(store) == 3
    assert store.lengths.tolist() == [2, 0, 3]
    assert store.packed_ids.tolist() == [[2, 4, 5], [3, 4, 6], *[[1, 7, 8]] * 3]
    assert store.packed_ids.dtype == store.lengths.dtype == np.int32
    assert store.row(2).tolist() == [[1, 7, 8]] * 3
    entries = store.entries([2, 1, 0], width=4)
    assert tuple(entries) == store.entry_names == ("relations", "heads", "dependents")
    assert all(rows.dtype == np.int32 for rows in entries.values())
    assert entries["relations"].tolist() == [[1, 1, 1, 0], [0, 0, 0, 0], [2, 3, 0, 0]]
    assert entries["heads"].tolist() == [[7, 7, 7, 0], [0, 0, 0, 0], [4, 4, 0, 0]]
    assert entries["dependents"].tolist() == [[8, 8, 8, 0], [0, 0, 0, 0], [5, 6, 0, 0]]


def test_captions_of_too_many_relations_are_cut_and_those_without_counted():
    store = FragmentStore(FRAGMENTS, max_fragments=2)
    assert store.lengths.tolist() == [2, 0, 2]
    assert store.counts() == {"truncated": 1, "without_relations": 1}
    # Two are left of the three of the type that the rare ones share.
    assert store.num_pooled == 2


def test_no_caption_may_have_relations():
    store = FragmentStore([[], []], max_fragments=2)
    assert store.packed_ids.shape == (0, 3)
    assert not store.entries([0, 1], width=1)["relations"].any()


def test_a_width_below_the_relations_of_a_caption_is_refused():
    with pytest.raises(ValueError, match="width=1 relations. Received: one of 2"):
        FragmentStore(FRAGMENTS, max_fragments=9).entries([0], width=1)


def test_max_fragments_must_be_positive():
    with pytest.raises(ValueError, match="max_fragments=0"):
        FragmentStore(FRAGMENTS, max_fragments=0)
