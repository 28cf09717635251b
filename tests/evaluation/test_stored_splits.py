import types

import pytest

from vsa_tf.evaluation.stored_splits import StoredSplits

TRAINED = types.SimpleNamespace(
    settings=types.SimpleNamespace(
        training=types.SimpleNamespace(train_split="train", dev_split="dev")
    )
)


@pytest.fixture
def reads(monkeypatch):
    """What is read, in order: names of splits, and whether something is fitted to them."""
    reads = []

    def load_split(trained, data_dir, split, for_training, say):
        assert trained is TRAINED and data_dir == "records"
        reads.append((split, for_training))
        return f"data of {split}"

    monkeypatch.setattr("vsa_tf.evaluation.stored_splits.load_split", load_split)
    return reads


def test_splits_are_read_when_they_are_asked_for_and_once(reads):
    splits = StoredSplits(TRAINED, "records")
    assert not reads
    assert splits.load("train") == splits.training == "data of train"
    assert splits.dev == splits.load("dev") == splits.dev == "data of dev"
    assert reads == [("train", False), ("dev", False)]


def test_phrases_have_regions_to_learn_from_where_something_is_fitted_to_them(reads):
    splits = StoredSplits(TRAINED, "records", fits=True)
    assert (splits.dev, splits.training) == ("data of dev", "data of train")
    assert reads == [("dev", False), ("train", True)]


def test_models_that_are_not_named_are_not_there(reads):
    splits = StoredSplits(TRAINED, "records")
    assert splits.shortlist_model is None and splits.phrase_model is None
