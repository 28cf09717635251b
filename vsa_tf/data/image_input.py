"""What a batch holds of images: features of their regions, or the pixels of photographs."""

import concurrent.futures
import os

import numpy as np
import tensorflow as tf

# Stands for `images` until `decode`; never leaves the pipeline.
ENCODED_IMAGES = "encoded_images"
# Decoded together, in a third of the time that they take one by one, and cropped together.
_IMAGES_AT_A_TIME = 64


class _ImageInput:
    """Reads the boxes of images' regions, which stand beside features and pixels alike.

    Below n is the number of images asked for, R of regions of an image, D the size of a feature
    and S the side of an image in pixels.

    Args:
        record_split: a `RecordSplit`, or a view of one.
        num_regions: regions of each image that are read, its first; 0: all that there are.

    Attributes:
        record_split: the argument.
        num_regions: R, never more than there are.
        decodes: whether images come encoded, for `decode`.
        dtypes: of `entries`, a dict of TensorFlow's, where they are not those of others.
    """

    decodes = False
    dtypes = {}

    def __init__(self, record_split, num_regions=0):
        self.record_split = record_split
        self.num_regions = record_split.info.used_regions(num_regions)

    def shapes(self, rows, num_regions=None):
        """Returns the shape of each of `entries`, a dict of lists.

        Args:
            rows: n, or None.
            num_regions: regions of a row; None: R.
        """
        num_regions = num_regions or self.num_regions
        return {"region_boxes": [rows, num_regions, 4], "region_mask": [rows, num_regions]}

    def entries(self, image_indices):
        """Returns what a batch holds of images, a dict of arrays.

        Args:
            image_indices: int [n].

        Returns:
            dict of region_boxes float32 [n, R, 4], region_mask bool [n, R], and region_features
            float16 [n, R, D] or images uint8 [n, S, S, 3].
        """
        return {
            "region_boxes": self.record_split.region_boxes[:, : self.num_regions][image_indices],
            "region_mask": self.record_split.region_mask[:, : self.num_regions][image_indices],
        }

    def prepare(self):
        """Does what is done once, before the first batch."""

    def decode(self, batch):
        """Returns a batch of tensors with its images decoded, where they are not yet."""
        return batch


class RegionFeatures(_ImageInput):
    """Reads images as the stored features of their regions.

    Args:
        record_split: a `RecordSplit`, or a view of one.
        num_regions: regions of each image that are read, its first; 0: all that there are.

    Raises:
        ValueError: the records hold no features.
    """

    def __init__(self, record_split, num_regions=0):
        super().__init__(record_split, num_regions)
        info = record_split.info
        if info.region_feature_size == 0:
            raise ValueError(
                f"Expected records with region features. Received: {info.data_dir} without them "
                "and image_size=0. Set image_size to read the images, or write the records again "
                "with another --image_encoder than pixels."
            )

    def shapes(self, rows, num_regions=None):
        size = self.record_split.info.region_feature_size
        shape = [rows, num_regions or self.num_regions, size]
        return {"region_features": shape, **super().shapes(rows, num_regions)}

    def entries(self, image_indices):
        features = self.record_split.read_region_features(image_indices, self.num_regions)
        return {"region_features": features, **super().entries(image_indices)}


class Pixels(_ImageInput):
    """Reads images as pixels: decoded once and kept, or in the graph of each batch.

    Args:
        record_split: a `RecordSplit` of N images, or a view of one.
        image_size: S.
        num_regions: regions of each image whose boxes are read, its first; 0: all that there are.
        cache_bytes: images are decoded once, when first needed, and kept if all take no more than
            this (N * S * S * 3 bytes); otherwise each batch decodes its own.
        progress: `progress(done, total)` while images are decoded to be kept.

    Raises:
        ValueError: the records hold no images, or S is not positive.
    """

    def __init__(
        self, record_split, image_size, num_regions=0, cache_bytes=2 * 1024**3, progress=None
    ):
        super().__init__(record_split, num_regions)
        info = record_split.info
        if image_size < 1:
            raise ValueError(
                "Expected image_size to be 0, for region features, or a side in pixels. Received: "
                f"image_size={image_size}."
            )
        if not info.images_stored:
            raise ValueError(
                f"Expected records with stored images. Received: {info.data_dir} without them and "
                f"image_size={image_size}. Write the records again with the images stored."
            )
        self.image_size = image_size
        self.decodes = record_split.num_images * image_size**2 * 3 > cache_bytes
        self._cache_bytes = cache_bytes
        self._progress = progress
        self._decoded = None

    def shapes(self, rows, num_regions=None):
        size = self.image_size
        images = {ENCODED_IMAGES: [rows]} if self.decodes else {"images": [rows, size, size, 3]}
        return images | super().shapes(rows, num_regions)

    def entries(self, image_indices):
        """Returns what a batch holds of images; in place of those to decode, `ENCODED_IMAGES`."""
        if self.decodes:
            encoded = self.record_split.read_encoded_images(image_indices)
            images = {ENCODED_IMAGES: np.array(encoded, object)}
        else:
            self.prepare()
            images = {"images": self._decoded[image_indices]}
        return images | super().entries(image_indices)

    def prepare(self):
        """Decodes the images that are kept. Raises ValueError for one that does not decode."""
        if not self.decodes and self._decoded is None:
            self._decoded = decoded_images(self.record_split, self.image_size, self._progress)

    def cropped(self, crop):
        """Returns the `Crops` of all regions, if they fit in a quarter of the cache; else itself.

        Args:
            crop: a `RegionCrop`.
        """
        num_bytes = 4 * self.record_split.num_images * self.num_regions * crop.size**2 * 3
        if self.decodes or num_bytes > self._cache_bytes // 4:
            return self
        self.prepare()
        return Crops(self.record_split, self.num_regions, self._decoded, crop)

    def decode(self, batch):
        if ENCODED_IMAGES not in batch:
            return batch
        batch = dict(batch)
        batch["images"] = resized_images(batch.pop(ENCODED_IMAGES), self.image_size)
        return batch


class Crops(_ImageInput):
    """Reads images as crops of their regions, which are cut out once for all steps.

    Args:
        record_split: a `RecordSplit` of N images, or a view of one.
        num_regions: R.
        images: uint8 `[N, S, S, 3]`.
        crop: a `RegionCrop`; `entries` hold what it makes, images float32 `[n, R, s, s, 3]`.
    """

    dtypes = {"images": tf.float32}

    def __init__(self, record_split, num_regions, images, crop):
        super().__init__(record_split, num_regions)
        boxes = record_split.region_boxes[:, : self.num_regions]
        self._crops = np.empty((*boxes.shape[:2], crop.size, crop.size, 3), np.float32)
        for first in range(0, len(images), _IMAGES_AT_A_TIME):
            rows = slice(first, first + _IMAGES_AT_A_TIME)
            self._crops[rows] = crop(images[rows], boxes[rows])

    def shapes(self, rows, num_regions=None):
        return {"images": [rows, *self._crops.shape[1:]], **super().shapes(rows, num_regions)}

    def entries(self, image_indices):
        return {"images": self._crops[image_indices], **super().entries(image_indices)}


def decoded_images(record_split, image_size, progress=None):
    """Decodes and resizes every stored image of a split, on all cores.

    Args:
        record_split: a `RecordSplit` with N images.
        image_size: S, pixels.
        progress: `progress(done, total)` is called every few dozen images.

    Returns:
        uint8 [N, S, S, 3].

    Raises:
        ValueError: a record holds no image, or one that does not decode.
    """
    num_images = record_split.num_images
    images = np.zeros([num_images, image_size, image_size, 3], np.uint8)
    # Traced here: TensorFlow takes each thread that waits for it for a trace, and warns of many.
    decode = tf.function(
        lambda encoded: resized_images(encoded, image_size),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    ).get_concrete_function()

    def decode_rows(rows):
        encoded = tf.constant(record_split.read_encoded_images(rows))
        try:
            images[rows.start : rows.stop] = decode(encoded).numpy()
        except tf.errors.InvalidArgumentError:
            for image in rows:  # The error of the one that does not decode has its name.
                record_split.read_image(image)
            raise

    starts = range(0, num_images, _IMAGES_AT_A_TIME)
    blocks = [range(start, min(start + _IMAGES_AT_A_TIME, num_images)) for start in starts]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for rows, _ in zip(blocks, pool.map(decode_rows, blocks)):
                if progress:
                    progress(rows.stop, num_images)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return images


def decoded_image(encoded):
    """Decodes an image of a record, uint8 `[h, w, 3]`.

    Args:
        encoded: string [], a JPEG, which the writer makes of every photograph, or PNG image.

    Raises:
        tf.errors.InvalidArgumentError: when run, the bytes are not such an image.
    """
    # TensorFlow's decoder of animated files, WebP's above all, can end the process.
    is_known = tf.io.is_jpeg(encoded) | (tf.strings.substr(encoded, 0, 4) == b"\x89PNG")
    check = tf.debugging.Assert(is_known, ["Expected a JPEG or PNG image"])
    with tf.control_dependencies([check]):
        encoded = tf.identity(encoded)
    return tf.ensure_shape(tf.io.decode_jpeg(encoded, channels=3), (None, None, 3))


def resized_image(encoded, image_size):
    """Decodes an image and resizes it, antialiased, to a square.

    The sides are scaled apart, so that normalised boxes stay true. Core TensorFlow operations only;
    an antialiased resize does not compile under XLA.

    Args:
        encoded: string [], as of `decoded_image`.
        image_size: S, pixels.

    Returns:
        uint8 [S, S, 3].

    Raises:
        tf.errors.InvalidArgumentError: when run, the bytes are not such an image.
    """
    image = tf.image.resize(decoded_image(encoded), [image_size, image_size], antialias=True)
    return tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.uint8)


def resized_images(encoded, image_size):
    """Decodes images and resizes them, one by one, as `resized_image`.

    Args:
        encoded: string [n].
        image_size: S, pixels.

    Returns:
        uint8 [n, S, S, 3].
    """
    return tf.map_fn(
        lambda image: resized_image(image, image_size),
        encoded,
        fn_output_signature=tf.TensorSpec([image_size, image_size, 3], tf.uint8),
    )
