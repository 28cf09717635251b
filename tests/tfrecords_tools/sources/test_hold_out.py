import collections

import pytest

from tfrecords_tools.sources.csv_captions import hold_out, parse_shares

PATHS = [f"photos/{number}.jpg" for number in range(150)]


def counts(splits):
    return dict(collections.Counter(splits.values()))


@pytest.mark.parametrize(
    ("num_paths", "shares", "expected"),
    [
        (150, None, {"train": 120, "dev": 15, "test": 15}),
        (10, None, {"train": 8, "dev": 1, "test": 1}),
        # Too few to be divided unasked.
        (9, None, {"train": 9}),
        (9, (0.1, 0.1), {"train": 7, "dev": 1, "test": 1}),
        (100, (0.25, 0), {"train": 75, "dev": 25}),
        (100, (0, 0), {"train": 100}),
        (2, (0.4, 0.4), {"train": 1, "dev": 1}),
        (1, (0.4, 0.4), {"train": 1}),
    ],
)
def test_shares_are_of_photographs(num_paths, shares, expected):
    assert counts(hold_out(PATHS[:num_paths], shares)) == expected


def test_paths_alone_decide_whatever_their_order():
    splits = hold_out(PATHS)
    assert hold_out(PATHS[::-1]) == hold_out(PATHS * 2) == splits
    # Not the first, nor the last of them.
    held_out = [place for place, path in enumerate(PATHS) if splits[path] != "train"]
    assert held_out[0] < 30 and held_out[-1] > 120 and len(held_out) == 30


def test_as_a_set_grows_few_move_and_none_between_dev_and_test():
    before, after = hold_out(PATHS[:100]), hold_out(PATHS)
    moves = collections.Counter((before[path], after[path]) for path in before)
    assert moves["dev", "test"] == moves["test", "dev"] == 0
    assert sum(count for (old, new), count in moves.items() if old != new) < 20


@pytest.mark.parametrize(
    "values", [["0.1"], ["0.5", "0.5"], ["-0.1", "0.2"], ["nan", "0"], ["x", "0"]]
)
def test_other_shares_are_refused(values):
    with pytest.raises(ValueError, match="--holdout=DEV,TEST.* Received: " + values[0]):
        parse_shares(values)


def test_shares_are_read():
    assert parse_shares(["0.2", "0"]) == (0.2, 0.0)
