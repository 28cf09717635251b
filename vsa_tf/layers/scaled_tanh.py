"""The activation of m-RNN's multimodal layer."""

from keras import ops


def scaled_tanh(x):
    """`g2(x) = 1.7159 tanh(2 x / 3)` (M eq. 4), about 1 at 1.

    Args:
        x: float tensor.

    Returns:
        float tensor of the same shape, within -1.7159 and 1.7159.

    Reference: LeCun, Bottou, Orr and Mueller, Efficient BackProp, section 4.4.

    Example:

    >>> round(float(scaled_tanh(1.0)), 6)
    0.999997
    """
    return 1.7159 * ops.tanh(x * (2.0 / 3.0))
