"""Photographs to one file of records: decoding, regions, features, encoding."""

import contextlib
import dataclasses
import errno
import os
import uuid

import numpy as np
import tensorflow as tf

from tfrecords_tools.example_encoding import ExampleError, check_example, encode_example
from tfrecords_tools.image_decoding import IMAGES_PER_BATCH, ImageError, decode_image, stored_image
from tfrecords_tools.probes import feature_warnings
from tfrecords_tools.write_settings import GIVEN
from vsa_tf.boxes import WHOLE_FRAME, select_regions
from vsa_tf.data.parsed_record import annotated_chains

# Of the images that go to detector and encoder together.
PIXELS_PER_BATCH = 32_000_000


@dataclasses.dataclass(frozen=True)
class _Photograph:
    example: object
    image: object
    stored: tuple


class ShardWriter:
    """Writes shards with one detector and one encoder.

    Args:
        settings: a `WriteSettings`.
        make_models: function of the settings that returns `(detector, encoder)`; not called for
            features that are given.
    """

    def __init__(self, settings, make_models):
        self._settings = settings
        if settings.image_encoder != GIVEN:
            self._detector, self._encoder = make_models(settings)

    def describe(self):
        """Returns `{"encoder", "detector", "feature_size"}`, of the records, and "warnings".

        Raises:
            ValueError: features of test images are no numbers, see `feature_warnings`.
        """
        description = {"feature_size": 0, "warnings": []}
        if self._settings.image_encoder == GIVEN:
            # The source knows the rest, see `write_records`.
            return description | {"encoder": {"spec": GIVEN}, "detector": {"spec": GIVEN}}
        description |= {"encoder": {"spec": "pixels"}, "detector": self._detector.describe()}
        if self._encoder is not None:
            description |= {
                "encoder": self._encoder.describe(),
                "feature_size": int(self._encoder.feature_size),
                "warnings": feature_warnings(self._encoder, self._settings.takes_encoder_input),
            }
        return description

    def write(self, path, examples, report=lambda num_images: None):
        """Writes one shard; at no moment does a part of it lie under its name.

        Args:
            path: the shard.
            examples: sequence of `SourceExample`.
            report: called with the number of images after each batch.

        Returns:
            dict: `num_records`, `num_sentences`, `num_phrases`, `num_regions` (the most of any
            record), `num_with_fewer_regions` (records with fewer than the settings ask for),
            `num_parsed_sentences` and `num_dependencies` (sentences with a dependency relation,
            and relations), `object_classes` (`[label, name]` of each class of its annotated
            boxes), and `skipped`, a list of `[source_id, reason]`.

        Raises:
            OSError: when the file cannot be written, for example because the disk is full.
        """
        with shard_file(path) as writer:
            return self._write_records(writer, examples, report)

    def _write_records(self, writer, examples, report):
        counts = {
            "num_records": 0,
            "num_sentences": 0,
            "num_phrases": 0,
            "num_regions": 0,
            "num_with_fewer_regions": 0,
            "num_parsed_sentences": 0,
            "num_dependencies": 0,
        }
        skipped, classes = [], set()
        given = self._settings.image_encoder == GIVEN
        reads_images = not given or self._settings.store_images
        batches = self._batches if reads_images else self._given_batches
        regions = self._given_regions if given else self._regions
        for num_images, batch in batches(examples, skipped):
            for photograph, boxes, scores, *features in regions(batch, skipped):
                example = photograph.example
                try:
                    record = encode_example(
                        example,
                        photograph.stored,
                        boxes,
                        scores,
                        *features,
                        store_image=self._settings.store_images,
                    )
                except ExampleError as error:
                    skipped.append([example.source_id, str(error)])
                    continue
                writer.write(record)
                counts["num_records"] += 1
                counts["num_sentences"] += len(example.captions)
                counts["num_phrases"] += len(example.phrases)
                counts["num_parsed_sentences"] += sum(map(bool, example.dependencies))
                counts["num_dependencies"] += sum(map(len, example.dependencies))
                classes.update(item.object_class for item in example.objects)
                counts["num_regions"] = max(counts["num_regions"], len(boxes))
                if not given:
                    counts["num_with_fewer_regions"] += len(boxes) < self._settings.num_regions
            report(num_images)
        classes = sorted((own.label, own.name) for own in classes)
        return {**counts, "object_classes": classes, "skipped": skipped}

    def _batches(self, examples, skipped):
        """Yields `(number of examples passed, photographs)`; what cannot be read is skipped."""
        batch, num_pixels, num_images = [], 0, 0
        for example in examples:
            num_images += 1
            try:
                # Before anything is cut out: boxes without area have no pixels.
                check_example(example)
                data = example.read_image()
                image = decode_image(data, self._settings.max_image_pixels)
                stored = stored_image(
                    data, self._settings.max_image_side, self._settings.max_image_pixels, image
                )
            except (OSError, ImageError, ExampleError) as error:
                skipped.append([example.source_id, _without_paths(error)])
                continue
            batch.append(_Photograph(example, image, stored))
            num_pixels += image.shape[0] * image.shape[1]
            if len(batch) == IMAGES_PER_BATCH or num_pixels >= PIXELS_PER_BATCH:
                yield num_images, batch
                batch, num_pixels, num_images = [], 0, 0
        if num_images:
            yield num_images, batch

    def _given_batches(self, examples, _):
        for first in range(0, len(examples), IMAGES_PER_BATCH):
            batch = examples[first : first + IMAGES_PER_BATCH]
            yield len(batch), [_Photograph(example, None, ()) for example in batch]

    def _given_regions(self, batch, skipped):
        """Yields what `_regions` does, of sources that bring features.

        Where it is not known where their regions lie, each stands for the whole frame.
        """
        for photograph in batch:
            size = None if photograph.image is None else photograph.image.shape[:2]
            try:
                features, boxes, own_size = photograph.example.read_features(size)
            except OSError as error:
                reason = f"the features cannot be read: {error.strerror}"
                skipped.append([photograph.example.source_id, reason])
                continue
            except ValueError as error:
                skipped.append([photograph.example.source_id, f"features: {error}"])
                continue
            if size is None:
                photograph = dataclasses.replace(photograph, stored=(b"", "", *own_size))
            if boxes is None:
                boxes = np.repeat(WHOLE_FRAME, len(features), axis=0)
            yield photograph, boxes, np.ones(len(features), np.float32), features, None

    def _regions(self, batch, skipped):
        """Yields `(photograph, boxes, scores, features or None, chain features or None)`."""
        found = []
        detections = (
            self._detector.detect([item.image for item in batch], [item.example for item in batch])
            if batch
            else []
        )
        for photograph, (boxes, scores) in zip(batch, detections, strict=True):
            try:
                regions = select_regions(
                    boxes, scores, self._settings.num_regions, self._settings.nms_threshold
                )
            except ValueError as error:
                skipped.append([photograph.example.source_id, f"detector: {error}"])
                continue
            found.append((photograph, *regions))
        if self._encoder is None or not found:
            yield from ((*item, None, None) for item in found)
            return
        boxes = [item[1] for item in found]
        if self._settings.object_features:
            boxes = [
                np.concatenate([own, _chain_boxes(photograph.example)])
                for photograph, own, _ in found
            ]
        features = self._encoder.encode([item[0].image for item in found], boxes)
        for item, feature in zip(found, features, strict=True):
            regions, chains = np.split(feature, [len(item[1])])
            yield *item, regions, chains if self._settings.object_features else None


def _chain_boxes(example):
    boxes = [chain.box for chain in annotated_chains(example.objects)]
    return np.array(boxes, np.float32).reshape(-1, 4)


def _without_paths(error):
    """The reason, as it is for everybody: where the files lie differs between machines."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno is not None:
        return f"the image cannot be read: {os.strerror(error.errno)}"
    return "the image cannot be read: damaged in the archive"


@contextlib.contextmanager
def shard_file(path):
    """Opens a file of records; at no moment does a part of it lie under its name.

    Args:
        path: the shard; one that exists is replaced when the new one is whole.

    Yields:
        A `tf.io.TFRecordWriter`.

    Raises:
        OSError: when the file cannot be written, for example because the disk is full.
    """
    folder, name = os.path.split(path)
    # Two processes never write the same file, even if one outlived its parent or another machine
    # was given the shard as well.
    partial = os.path.join(folder, f".{name}.partial-{uuid.uuid4().hex}")
    try:
        try:
            with tf.io.TFRecordWriter(partial) as writer:
                yield writer
        except tf.errors.OpError as error:
            raise _as_os_error(error, path) from error
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.remove(partial)
        raise


def _as_os_error(error, path):
    """TensorFlow reports a full disk as its own error."""
    if "No space left on device" in str(error) or isinstance(
        error, tf.errors.ResourceExhaustedError
    ):
        return OSError(errno.ENOSPC, "No space left on device", path)
    return OSError(errno.EIO, error.message, path)
