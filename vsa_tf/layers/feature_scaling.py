"""Image features at one scale, whatever the encoder."""

from vsa_tf.layers.unit_length import unit_length

FEATURE_NORMALIZATIONS = ("none", "l2")


def scale_features(features, normalization):
    """Scales features along their last axis.

    Args:
        features: float `[..., D]`.
        normalization: `none` takes them as they are; `l2` scales each to length sqrt(D), so that
            its entries are about 1.

    Returns:
        float `[..., D]`.

    Raises:
        ValueError: for another `normalization`.
    """
    if normalization not in FEATURE_NORMALIZATIONS:
        raise ValueError(
            f"Expected feature_normalization to be one of {FEATURE_NORMALIZATIONS}. "
            f"Received: feature_normalization={normalization!r}"
        )
    if normalization == "none":
        return features
    return unit_length(features) * features.shape[-1] ** 0.5
