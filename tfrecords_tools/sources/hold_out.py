"""Splits of photographs for which nobody has named any."""

import hashlib

DEFAULT_SHARES = (0.1, 0.1)
# Of fewer none are held out, unless it is asked for.
_FEWEST = 10


def parse_shares(values):
    """Returns the shares that are held out.

    Args:
        values: of dev and test, numbers or what spells them.

    Raises:
        ValueError: when they are not two numbers from 0 whose sum is below 1.
    """
    try:
        shares = tuple(map(float, values))
    except ValueError:
        shares = ()
    if len(shares) != 2 or not all(0 <= share < 1 for share in shares) or sum(shares) >= 1:
        raise ValueError(
            "Expected --holdout=DEV,TEST, two shares from 0 whose sum is below 1, such as 0.1,0.1. "
            f"Received: {','.join(map(str, values))}"
        )
    return shares


def hold_out(paths, shares=None):
    """Divides photographs into train, dev and test.

    Which photographs are held out depends on their paths alone: those with the lowest hashes are
    dev, those with the highest test, so that none goes from one to the other as a set grows.

    Args:
        paths: of the photographs.
        shares: `(dev, test)`, of all photographs: each that is not 0 is at least one photograph.
            None: a tenth each, of ten photographs or more.

    Returns:
        A dict of path to split.

    Example:

    >>> splits = hold_out([f"{number}.jpg" for number in range(20)])
    >>> [list(splits.values()).count(split) for split in ("train", "dev", "test")]
    [16, 2, 2]
    """
    ranked = sorted(set(paths), key=_hash)
    if shares is None:
        shares = DEFAULT_SHARES if len(ranked) >= _FEWEST else (0, 0)
    num_dev, num_test = (max(share > 0, round(share * len(ranked))) for share in shares)
    # Some are left to learn from.
    num_dev = min(num_dev, len(ranked) - 1)
    num_test = max(0, min(num_test, len(ranked) - num_dev - 1))
    num_train = len(ranked) - num_dev - num_test
    splits = ["dev"] * num_dev + ["train"] * num_train + ["test"] * num_test
    return dict(zip(ranked, splits, strict=True))


def _hash(path):
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
