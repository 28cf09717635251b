"""A split of a data set's records: annotations in memory, features and images at hand."""

import os
import weakref

import numpy as np
import tensorflow as tf

from vsa_tf.data.dataset_info import DatasetInfo
from vsa_tf.data.image_input import decoded_image
from vsa_tf.data.parsed_record import CaptionRelations, ParsedRecord
from vsa_tf.errors import VsaTfError

# A TFRecord is an 8-byte length, its 4-byte checksum, the data, and their 4-byte checksum.
_HEADER_BYTES = 12
_FRAMING_BYTES = 16
_READ_BUFFER_BYTES = 4 * 1024 * 1024
_PROGRESS_EVERY = 256
_COPY_AGAIN = "Copy the directory again, or repeat the command that wrote it."


class RecordSplit:
    """One split of the records in a directory.

    Construction reads every shard once, verifies the checksum of each record, and keeps captions,
    boxes and annotations. Features and images are read by position when asked for; features that
    fit `feature_cache_bytes` are kept, so that training does not read them each epoch.

    Below N is the number of images, M of captions, R `info.num_regions` and D
    `info.region_feature_size`. Captions are numbered through the split, in image order, and so are
    annotated chains.

    Args:
        data_dir: directory that `tfrecords_tools.write` filled.
        split: name of the split.
        feature_cache_bytes: region features are kept in memory if all of them take no more
            (N * R * D * 2 bytes), and likewise those of annotated chains; 0 always reads them from
            the files.
        progress: `progress(done, total)` is called every few hundred records, in images.

    Attributes:
        info: the `DatasetInfo`.
        split: name of the split.
        num_images: N.
        num_captions: M.
        source_ids: list of N str.
        filenames: list of N str.
        image_sizes: int32 [N, 2], height and width in pixels.
        captions: list of M str.
        image_of_caption: int32 [M].
        first_caption: int64 [N + 1]; image i has captions first_caption[i] to
            first_caption[i + 1] - 1.
        region_boxes: float32 [N, R, 4], normalised `ymin, xmin, ymax, xmax`; padding is 0.
        region_scores: float32 [N, R]; padding is 0.
        region_mask: bool [N, R]; False is padding.
        objects: list of N tuples of `schema.AnnotatedBox`.
        phrases: list of N tuples of `AnnotatedPhrase`.
        chains: list of N tuples of `AnnotatedChain`.
        dependencies: `CaptionRelations`, M tuples of `(relation, head, dependent)`, empty where a
            caption has no dependency relation or is not parsed.
        first_chain: int64 [N + 1]; image i has chains first_chain[i] to first_chain[i + 1] - 1.
        features_cached: whether region features are in memory.

    Raises:
        FileNotFoundError: the directory, its information or a shard is missing.
        VsaTfError: unknown or empty split.
        ValueError: a damaged record, or other counts than stated. A record's error names its shard
            and its number there, from 1.
    """

    # Of the phrases that `PhraseRecords` shows in place of captions.
    sentence_of_phrase = None

    def __init__(self, data_dir, split, feature_cache_bytes=2 * 1024**3, progress=None):
        self.info = DatasetInfo.load(data_dir)
        self.split = split
        split_info = self.info.split(split)
        if split_info.num_images == 0:
            raise VsaTfError(
                f"Expected split {split!r} of {data_dir} to hold images. Received: num_images=0. "
                "Choose another split, or see what was skipped in dataset_info.json."
            )
        self._paths = self.info.shard_paths(split)
        self._open_shards()
        self._allocate(split_info.num_images, feature_cache_bytes)
        for shard, shard_info in enumerate(split_info.shards):
            self._read_shard(shard, shard_info.num_records, progress)
        if progress:
            progress(self.num_images, self.num_images)
        if self._chain_features is not None:
            self._chain_features = np.concatenate(self._chain_features)
        num_captions = np.diff(self.first_caption)
        self.image_of_caption = np.repeat(np.arange(self.num_images, dtype=np.int32), num_captions)
        self._check_count("num_sentences", split_info.num_sentences, len(self.captions))
        self._check_count("num_phrases", split_info.num_phrases, sum(map(len, self.phrases)))
        if split_info.num_dependencies is not None:
            num_dependencies = sum(map(len, self.dependencies))
            self._check_count("num_dependencies", split_info.num_dependencies, num_dependencies)

    @property
    def num_images(self):
        return len(self.image_sizes)

    @property
    def num_captions(self):
        return len(self.captions)

    @property
    def features_cached(self):
        return self._features is not None

    def read_records(self, image_indices):
        """Reads records by position.

        Args:
            image_indices: int [n], each in 0..N-1.

        Returns:
            List of n bytes, serialised `tf.train.Example`s.

        Raises:
            ValueError: a file has become shorter since it was opened.
        """
        records = []
        for image in image_indices:
            shard, length = self._shards[image], int(self._lengths[image])
            record = os.pread(self._descriptors[shard], length, int(self._offsets[image]))
            self._check_length(image, length, len(record))
            records.append(record)
        return records

    def read_region_features(self, image_indices, num_regions=None):
        """Reads region features.

        Args:
            image_indices: int [n], each in 0..N-1.
            num_regions: of each image, its first, 1 to R; None: all.

        Returns:
            float16 [n, num_regions, D]; padding is 0.

        Raises:
            ValueError: the records hold no region features.
        """
        if self.info.region_feature_size == 0:
            raise ValueError(
                f"Expected records with region features. Received: region_feature_size=0 in "
                f"{self.info.data_dir}. Write them with another --image_encoder than pixels, or "
                "train on the images."
            )
        if self.features_cached:
            return self._features[:, :num_regions][np.asarray(image_indices, np.int64)]
        image_indices = np.asarray(image_indices, np.int64)
        num_regions = num_regions or self.info.num_regions
        shape = [len(image_indices), num_regions, self.info.region_feature_size]
        features = np.zeros(shape, np.float16)
        counts = self.region_mask[image_indices, :num_regions].sum(axis=1)
        descriptors = [self._descriptors[shard] for shard in self._shards[image_indices]]
        offsets = self._feature_offsets[image_indices].tolist()
        rows = [row[:count] for row, count in zip(features, counts)]
        # The disk has all of them to fetch at a time; what is in memory already costs nothing.
        for row, descriptor, offset in zip(rows, descriptors, offsets):
            os.posix_fadvise(descriptor, offset, row.nbytes, os.POSIX_FADV_WILLNEED)
        for image, row, descriptor, offset in zip(image_indices, rows, descriptors, offsets):
            self._check_length(image, row.nbytes, os.preadv(descriptor, [row], offset))
        return features

    def read_chain_features(self, chain_indices):
        """Reads features of annotated chains, each of the smallest box around the chain's boxes.

        Args:
            chain_indices: int [n], each in 0..first_chain[N] - 1.

        Returns:
            float16 [n, D].

        Raises:
            ValueError: the records hold no such features.
        """
        if not self.info.object_features:
            raise ValueError(
                "Expected records with features of annotated boxes. Received: "
                f"{self.info.data_dir} without them. Write the records with --object_features."
            )
        chain_indices = np.asarray(chain_indices, np.int64)
        if self._chain_features is not None:
            return self._chain_features[chain_indices]
        features = np.zeros([len(chain_indices), self.info.region_feature_size], np.float16)
        owners = np.searchsorted(self.first_chain, chain_indices, side="right") - 1
        images = np.unique(owners)
        for image, record in zip(images, self._parsed_records(images), strict=True):
            rows = owners == image
            features[rows] = record.chain_features[chain_indices[rows] - self.first_chain[image]]
        return features

    def read_encoded_images(self, image_indices):
        """Reads stored images.

        Args:
            image_indices: int [n], each in 0..N-1.

        Returns:
            List of n bytes, encoded images.

        Raises:
            ValueError: a record holds no image, or its file has been shortened.
        """
        images = []
        for image in image_indices:
            descriptor, length = self._descriptors[self._shards[image]], self._image_lengths[image]
            if not length:
                raise self._missing_image(image)
            encoded = os.pread(descriptor, int(length), int(self._image_offsets[image]))
            self._check_length(image, length, len(encoded))
            images.append(encoded)
        return images

    def read_image(self, image_index):
        """Returns the decoded image of one record, uint8 [height, width, 3].

        Raises:
            ValueError: the record holds no image, or one that does not decode.
        """
        encoded = self.read_encoded_images([image_index])[0]
        try:
            return decoded_image(encoded).numpy()
        except tf.errors.InvalidArgumentError as error:
            raise self.undecodable_image(image_index) from error

    def undecodable_image(self, image_index):
        """Returns the `ValueError` that says the image of a record does not decode."""
        return ValueError(
            f"Expected a JPEG or PNG image. Received: {self.filenames[image_index]!r} in "
            f"{self._name(image_index)}, which does not decode. Write the records again."
        )

    def _open_shards(self):
        # Open descriptors keep the checked files even if a writer replaces them by name.
        self._descriptors = []
        weakref.finalize(self, _close, self._descriptors)
        for path in self._paths:
            self._descriptors.append(os.open(path, os.O_RDONLY))
            # Nothing is read beyond what is asked for.
            os.posix_fadvise(self._descriptors[-1], 0, 0, os.POSIX_FADV_RANDOM)

    def _allocate(self, num_images, feature_cache_bytes):
        num_regions, size = self.info.num_regions, self.info.region_feature_size
        self._shards = np.zeros([num_images], np.int32)
        self._numbers = np.zeros([num_images], np.int64)
        self._offsets = np.zeros([num_images], np.int64)
        self._lengths = np.zeros([num_images], np.int64)
        # Where they are in the files, checked and as they are wanted: no record is parsed again.
        self._image_offsets = np.zeros([num_images], np.int64)
        self._image_lengths = np.zeros([num_images], np.int64)
        self._num_read = 0
        self.source_ids, self.filenames, self.captions = [], [], []
        self.objects, self.phrases, self.chains = [], [], []
        self.dependencies = CaptionRelations()
        self.first_caption = np.zeros([num_images + 1], np.int64)
        self.first_chain = np.zeros([num_images + 1], np.int64)
        self.image_sizes = np.zeros([num_images, 2], np.int32)
        self.region_boxes = np.zeros([num_images, num_regions, 4], np.float32)
        self.region_scores = np.zeros([num_images, num_regions], np.float32)
        self.region_mask = np.zeros([num_images, num_regions], bool)
        fits = 0 < num_images * num_regions * size * 2 <= feature_cache_bytes
        self._features = np.zeros([num_images, num_regions, size], np.float16) if fits else None
        self._feature_offsets = None if fits else np.zeros([num_images], np.int64)
        # How many chains there are is known at the end: rows are gathered image by image till then.
        self._chain_features = [] if self.info.object_features else None
        self._chain_cache_rows = feature_cache_bytes // (2 * size) if size else 0

    def _read_shard(self, shard, num_records, progress):
        path = self._paths[shard]
        dataset = tf.data.TFRecordDataset(path, buffer_size=_READ_BUFFER_BYTES).prefetch(16)
        iterator, offset = iter(dataset), 0
        for number in range(1, num_records + 1):
            try:
                serialized = next(iterator).numpy()
            except StopIteration:
                raise self._other_count(path, num_records, f"only {number - 1}") from None
            except tf.errors.DataLossError as error:
                raise self._damaged(path, number, error) from error
            self._add(shard, number, offset + _HEADER_BYTES, serialized)
            offset += len(serialized) + _FRAMING_BYTES
            if progress and self._num_read % _PROGRESS_EVERY == 0:
                progress(self._num_read, self.num_images)
        try:
            more = iterator.get_next_as_optional().has_value()
        except tf.errors.DataLossError as error:
            raise self._damaged(path, num_records + 1, error) from error
        if more:
            raise self._other_count(path, num_records, "more")

    def _add(self, shard, number, offset, serialized):
        image = self._num_read
        self._shards[image], self._numbers[image] = shard, number
        self._offsets[image], self._lengths[image] = offset, len(serialized)
        record = self._parse(image, serialized)
        if self.info.images_stored and not record.encoded_image:
            raise self._missing_image(image)
        self._image_offsets[image] = offset + serialized.index(record.encoded_image)
        self._image_lengths[image] = len(record.encoded_image)
        num_regions = len(record.region_boxes)
        self.source_ids.append(record.source_id)
        self.filenames.append(record.filename)
        self.captions.extend(record.captions)
        self.first_caption[image + 1] = len(self.captions)
        self.image_sizes[image] = record.height, record.width
        self.region_boxes[image, :num_regions] = record.region_boxes
        self.region_scores[image, :num_regions] = record.region_scores
        self.region_mask[image, :num_regions] = True
        self.objects.append(record.objects)
        self.phrases.append(record.phrases)
        self.dependencies.extend(record.dependencies)
        self.chains.append(record.chains)
        self.first_chain[image + 1] = self.first_chain[image] + len(record.chains)
        if self.first_chain[image + 1] > self._chain_cache_rows:
            self._chain_features = None
        elif self._chain_features is not None:
            self._chain_features.append(record.chain_features)
        if self.features_cached:
            self._features[image, :num_regions] = record.region_features
        else:
            start = serialized.index(record.region_features.tobytes())
            self._feature_offsets[image] = offset + start
        self._num_read += 1

    def _parsed_records(self, image_indices):
        for image, record in zip(image_indices, self.read_records(image_indices), strict=True):
            yield self._parse(image, record)

    def _parse(self, image, serialized):
        info = self.info
        try:
            return ParsedRecord.parse(
                serialized, info.num_regions, info.region_feature_size, info.object_features
            )
        except ValueError as error:
            raise ValueError(
                f"Expected a record that fits dataset_info.json. Received: {self._name(image)} "
                f"with {error}. Write the records again."
            ) from error

    def _check_length(self, image, expected, received):
        if expected != received:
            raise ValueError(
                f"Expected {expected} bytes in {self._name(image)}. Received: {received}. "
                f"The file changed while it was read. {_COPY_AGAIN}"
            )

    def _missing_image(self, image):
        return ValueError(
            f"Expected a stored image in {self._name(image)}. Received: none. Write the records "
            "again with the images stored."
        )

    def _damaged(self, path, number, error):
        kind = "truncated" if "truncated" in error.message else "corrupted"
        return ValueError(
            f"Expected whole records. Received: record {number} of {path}, which is {kind}. "
            f"{_COPY_AGAIN}"
        )

    def _other_count(self, path, expected, received):
        return ValueError(
            f"Expected {expected} records in {path}, as dataset_info.json says. Received: "
            f"{received}. {_COPY_AGAIN}"
        )

    def _name(self, image):
        return f"record {self._numbers[image]} of {self._paths[self._shards[image]]}"

    def _check_count(self, key, expected, received):
        if expected != received:
            raise ValueError(
                f"Expected {key}={expected} in split {self.split!r}, as dataset_info.json says. "
                f"Received: {received}. {_COPY_AGAIN}"
            )


def _close(descriptors):
    for descriptor in descriptors:
        os.close(descriptor)
