"""Numbers as the programs write them."""

import numpy as np


def rounded(values):
    """Returns an array, or a number, as floats of six decimals for JSON, nested lists of them."""
    return np.round(np.asarray(values, np.float64), 6).tolist()
