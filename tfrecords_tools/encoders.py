"""Encoders: photographs and boxes to one feature a region, by the specs that name them.

An encoder has `feature_size`, `describe()` (what it is, for `dataset_info.json`) and
`encode(images, boxes)`: a list of float32 `[R, D]`, one an image. Region 0 is the whole frame.

Two ways to a region's feature: `crop` resizes each region to the encoder's input, at the cost of
one pass of the network a region; `pool` runs the network once an image, on a larger frame, and
averages its last feature map over the region. `both` puts the two side by side, each of length 1:
every region, and the whole frame, is then seen at two scales.
"""

from tfrecords_tools.encoding.region_encoders import CropEncoder, PoolEncoder, SideBySideEncoder
from vsa_tf.model_handles import check_spec, split_spec

REGION_FEATURES = ("crop", "pool", "both")

# Specs of no network of their own: no features; those of the detector's own pass; the source's.
WITHOUT_NETWORK = ("pixels", "detector", "given")

# Views of the frame whose features are averaged.
NUM_CROPS = (1, 10)


def make_encoder(
    spec,
    region_features="crop",
    crop_size=0,
    encoder_input="",
    weights="imagenet",
    detector=None,
    num_crops=1,
):
    """Returns the encoder that `--image_encoder` names; None for `pixels`.

    Args:
        spec: a SavedModel with the image-feature-vector signature, `keras:NAME` or
            `keras_hub:PRESET`, see `vsa_tf.model_handles`; `detector` (features of the detector's
            own pass), or `pixels` (no features).
        region_features: `crop`, `pool` or `both`.
        crop_size: pixels that a crop (`crop`, `both`) or the frame (`pool`) is resized to; 0: the
            encoder's own size, twice that for `pool` and for the frame of `both` where the encoder
            takes other sizes.
        encoder_input: of a SavedModel, what it expects of its pixels, one of `ENCODER_INPUTS`;
            empty: `0..1`, as TF Hub's do, or `0..255` where it takes uint8.
        weights: of `keras:NAME`: `imagenet`, `random`, or a weights file.
        detector: what finds the regions, of `make_detector`; read with `detector` alone.
        num_crops: views of the frame whose features are averaged, one of `NUM_CROPS`; of `crop`
            and `both`.

    Raises:
        ValueError: for a spec that cannot be used.
    """
    if spec == "pixels":
        return None
    if spec == "detector":
        from tfrecords_tools.detection.saved_model_detector import PyramidEncoder

        return PyramidEncoder(detector)
    if region_features not in REGION_FEATURES:
        raise ValueError(
            f"Expected region_features to be one of {', '.join(REGION_FEATURES)}. "
            f"Received: {region_features!r}"
        )
    network = _make_network(spec, encoder_input, weights)
    size = crop_size or network.own_size
    if network.fixed_size and size != network.fixed_size:
        raise ValueError(
            f"Expected --crop_size of 0 or {network.fixed_size}: {network.describe()['spec']} "
            f"takes images of that size alone. Received: --crop_size={crop_size}"
        )
    map_size = network.fixed_size or 2 * network.own_size
    if region_features == "pool":
        return PoolEncoder(network, crop_size or map_size)
    crops = CropEncoder(network, size, num_crops)
    if region_features == "crop":
        return crops
    return SideBySideEncoder(crops, PoolEncoder(network, map_size))


def _make_network(spec, encoder_input, weights):
    check_spec(spec)
    kind, name = split_spec(spec)
    # Each imports what it needs where it is made.
    if kind == "keras":
        from tfrecords_tools.encoding.keras_networks import KerasNetwork

        return KerasNetwork(name, weights)
    if kind == "keras_hub":
        from tfrecords_tools.encoding.keras_networks import KerasHubNetwork

        return KerasHubNetwork(name)
    from tfrecords_tools.encoding.saved_models import SavedModelNetwork

    return SavedModelNetwork(name, encoder_input)
