import types

import pytest

from vsa_tf.evaluation.stored_splits import StoredSplits

TRAINED = types.SimpleNamespace(
    settings=types.SimpleNamespace(
        training=types.SimpleNamespace(train_split="train", dev_split="dev")
    ),
    text="text",
    check_records=lambda records, say: None,
)


@pytest.fixture
def reads(monkeypatch):
    """What is read, in order: names of splits; and whether something is fitted to what is seen."""
    reads = []

    def read_records(data_dir, split, say):
        assert data_dir == "records"
        reads.append(split)
        return split

    def model_view(records, text, settings, for_training, say, described):
        assert (text, settings) == ("text", TRAINED.settings)
        reads.append(for_training)
        return f"{described or 'data'} of {records}"

    monkeypatch.setattr("vsa_tf.evaluation.stored_splits.read_records", read_records)
    monkeypatch.setattr("vsa_tf.evaluation.stored_splits.model_view", model_view)
    return reads


def test_splits_are_read_when_they_are_asked_for_and_once(reads):
    splits = StoredSplits(TRAINED, "records")
    assert not reads
    assert splits.load("train") == splits.training == "data of train"
    assert splits.dev == splits.load("dev") == splits.dev == "data of dev"
    assert splits.learnt == "data of train"
    assert reads == ["train", False, "dev", False]


def test_what_was_learnt_is_not_the_described_regions_and_records_are_read_once(reads):
    splits = StoredSplits(TRAINED, "records", described="regions")
    assert (splits.training, splits.learnt) == ("regions of train", "data of train")
    assert (splits.load("train"), splits.dev) == ("regions of train", "regions of dev")
    assert [name for name in reads if isinstance(name, str)] == ["train", "dev"]


def test_phrases_have_regions_to_learn_from_where_something_is_fitted_to_them(reads):
    splits = StoredSplits(TRAINED, "records", fits=True)
    assert (splits.dev, splits.training) == ("data of dev", "data of train")
    assert reads == ["dev", False, "train", True]


def test_models_that_are_not_named_are_not_there(reads):
    splits = StoredSplits(TRAINED, "records")
    assert splits.shortlist_model is splits.neighbor_model is splits.phrase_model is None
