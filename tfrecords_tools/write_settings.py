"""Settings that decide what records hold."""

import dataclasses

from tfrecords_tools.encoders import NUM_CROPS, REGION_FEATURES, WITHOUT_NETWORK
from tfrecords_tools.encoding.region_encoders import ENCODER_INPUTS
from tfrecords_tools.image_decoding import DEFAULT_MAX_PIXELS
from vsa_tf.model_handles import split_spec

# The detector and the encoder of data sets that bring features.
GIVEN = "given"
_OF_STORED_IMAGES = ("store_images", "max_image_side", "max_image_pixels")


@dataclasses.dataclass(frozen=True)
class WriteSettings:
    """How photographs become records; the same settings and sources give the same bytes.

    Attributes:
        detector: spec of the region detector, see `tfrecords_tools.detectors`; or `given`.
        image_encoder: spec of the image encoder, see `tfrecords_tools.encoders`; or `given`: the
            records hold the features that the source brings, and all its regions.
        encoder_input: what a SavedModel encoder expects of its pixels, one of `ENCODER_INPUTS`;
            empty for what its signature says.
        num_regions: most regions of an image, the whole frame included.
        region_features: `crop`, `pool` or `both`.
        crop_size: pixels that crops (or the frame, for `pool`) are resized to; 0: the encoder's.
        num_crops: views of the whole frame whose features are averaged: 1, or 10: the corners, the
            centre and their mirror images.
        nms_threshold: IoU above which the worse of two boxes is dropped.
        object_features: whether records hold features of annotated boxes, one a chain.
        store_images: whether records hold the encoded images.
        max_image_side: longest side of stored images in pixels; 0: any.
        max_image_pixels: largest image that is decoded, in pixels.
        seed: of generated data sets.
        num_shards: files of a split; 0: about 250 images a file.

    Raises:
        ValueError: when a setting is out of range or contradicts another.
    """

    detector: str = "none"
    image_encoder: str = "pixels"
    encoder_input: str = ""
    num_regions: int = 20
    region_features: str = "crop"
    crop_size: int = 0
    num_crops: int = 1
    nms_threshold: float = 0.5
    object_features: bool = False
    store_images: bool = True
    max_image_side: int = 0
    max_image_pixels: int = DEFAULT_MAX_PIXELS
    seed: int = 0
    num_shards: int = 0

    def __post_init__(self):
        for name, least in (
            ("num_regions", 1),
            ("crop_size", 0),
            ("max_image_side", 0),
            ("max_image_pixels", 64),
            ("num_shards", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(
                    f"Expected --{name} of at least {least}. Received: {getattr(self, name)}"
                )
        if not 0 < self.nms_threshold <= 1:
            raise ValueError(
                f"Expected --nms_threshold above 0 and at most 1. Received: {self.nms_threshold}"
            )
        if 0 < self.max_image_side < 8:
            raise ValueError(
                f"Expected --max_image_side of 0 or at least 8. Received: {self.max_image_side}"
            )
        if self.region_features not in REGION_FEATURES:
            raise ValueError(
                f"Expected --region_features of {', '.join(REGION_FEATURES)}. "
                f"Received: {self.region_features!r}"
            )
        if self.encoder_input and self.encoder_input not in ENCODER_INPUTS:
            raise ValueError(
                f"Expected --encoder_input of {', '.join(ENCODER_INPUTS)}. "
                f"Received: {self.encoder_input!r}"
            )
        without_network = self.image_encoder in (*WITHOUT_NETWORK, GIVEN)
        if self.encoder_input and not self.takes_encoder_input:
            raise ValueError(
                "Expected --encoder_input with an --image_encoder that is a SavedModel: keras:NAME "
                "brings what its network expects, as keras_hub:PRESET and detector do. Received: "
                f"--encoder_input={self.encoder_input} with --image_encoder={self.image_encoder}"
            )
        if self.num_crops not in NUM_CROPS:
            raise ValueError(f"Expected --num_crops of 1 or 10. Received: {self.num_crops}")
        if self.num_crops > 1 and (without_network or self.region_features == "pool"):
            raise ValueError(
                "Expected --num_crops=10 with an --image_encoder of a network and "
                "--region_features=crop or both. Received: --image_encoder="
                f"{self.image_encoder}, --region_features={self.region_features}"
            )
        if self.image_encoder == "detector" and (self.region_features != "crop" or self.crop_size):
            raise ValueError(
                "Expected no --region_features and no --crop_size with --image_encoder=detector, "
                "which reads regions from the detector's own maps. Received: "
                f"--region_features={self.region_features}, --crop_size={self.crop_size}"
            )
        if GIVEN in (self.detector, self.image_encoder) and (
            self.detector != self.image_encoder or self.object_features
        ):
            raise ValueError(
                f"Expected detector and image_encoder both {GIVEN!r}, without object_features: "
                f"there is no network. Received: detector={self.detector!r}, "
                f"image_encoder={self.image_encoder!r}, object_features={self.object_features}"
            )
        if self.image_encoder == "pixels" and not self.store_images:
            raise ValueError(
                "Expected --store_images=true with --image_encoder=pixels: the model is trained on "
                "the stored images. Received: --store_images=false"
            )
        if self.image_encoder == "pixels" and self.object_features:
            raise ValueError(
                "Expected --image_encoder of a network with --object_features: with pixels there "
                "are no features. Received: --object_features"
            )

    @property
    def takes_encoder_input(self):
        """Whether the encoder's pixels may be set: a SavedModel does not say what it expects."""
        is_network = self.image_encoder not in (*WITHOUT_NETWORK, GIVEN)
        return is_network and split_spec(self.image_encoder)[0] == "saved_model"

    @classmethod
    def of_given(cls, settings, chosen, has_photographs, where):
        """Makes the settings of records whose features are given.

        Args:
            settings: dict of a value for each of them.
            chosen: names of those that somebody has chosen.
            has_photographs: whether there are photographs to be stored beside the features.
            where: what a message adds.

        Raises:
            ValueError: one of those chosen is of no use.
        """
        used = ("num_shards", "seed", *(_OF_STORED_IMAGES if has_photographs else ()))
        for name in chosen:
            if name not in used:
                raise ValueError(f"Expected no --{name} {where}. Received: {settings[name]}")
        given = {"detector": GIVEN, "image_encoder": GIVEN}
        given["store_images"] = has_photographs and settings["store_images"]
        return cls(**settings | given)

    def recorded(self):
        """Returns what `dataset_info.json` keeps: no paths, nothing told elsewhere in it."""
        settings = dataclasses.asdict(self)
        # As in the directories of before there were these settings, which so stay valid.
        if not self.object_features:
            del settings["object_features"]
        if self.num_crops == 1:
            del settings["num_crops"]
        for name in ("detector", "image_encoder", "encoder_input", "num_shards"):
            del settings[name]
        return settings
