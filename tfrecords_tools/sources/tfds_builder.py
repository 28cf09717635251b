"""Data sets that tensorflow-datasets has prepared.

Source: https://www.tensorflow.org/datasets
"""

import functools
import hashlib
import json
import re

from tfrecords_tools.sources.caption_source import CaptionSource
from tfrecords_tools.sources.source import SourceExample, split_name
from tfrecords_tools.sources.tfds_features import TfdsFeatures, load_tfds

# Photographs that are passed over one by one: further on the records are opened anew.
_FEW = 100


class TfdsBuilder(CaptionSource):
    """Reads a prepared data set; which feature is what is told by `TfdsFeatures`.

    Nothing is downloaded, and the code that prepared the data set is not needed. `validation`,
    `val` and `valid` are the split `dev`. Photographs are the bytes that were stored.

    Args:
        dataset: `NAME[/CONFIG][:VERSION]`; by default its default configuration and the newest
            version that is there.
        data_dir: directory of tensorflow-datasets; None for its own default.

    Raises:
        ValueError: when it is not prepared there (the message has the command), or not made of
            photographs and captions.
        OSError: when a file cannot be read.
    """

    def __init__(self, dataset, data_dir=None):
        super().__init__()
        builder = _find(dataset, data_dir)
        if builder.info.file_format.value == "array_record":
            raise ValueError(
                f"Expected {dataset} prepared in the format tfrecord, the default of "
                "tensorflow-datasets. Received: array_record"
            )
        name, _, version = builder.info.full_name.rpartition("/")
        self.name = f"tfds:{name}:{version}"
        self._directory = str(builder.data_path)
        self._features = TfdsFeatures.find(builder.info.features)
        self._splits = {}
        for own, info in builder.info.splits.items():
            split = split_name(own)
            if split in self._splits:
                raise ValueError(
                    f"Expected one split for dev. Received: {self._splits[split].name} and {own} "
                    f"of {self.name}"
                )
            self._splits[split] = info
        self._seen = set()

    @property
    def official_counts(self):
        """The number of photographs of each split, as prepared."""
        return {split: info.num_examples for split, info in self._splits.items()}

    def splits(self):
        """Returns the names of the splits."""
        return tuple(self._splits)

    def _parse(self, split):
        own, features = self._splits[split].name, self._features
        digest = hashlib.sha256()
        rows = _Rows(self._directory, own, features.annotations())
        for index in range(self._splits[split].num_examples):
            row = rows.read(index)
            source_id = (
                _text_of(row[features.source_id]) if features.source_id else (f"{own}-{index:06d}")
            )
            if source_id in self._seen:
                self._skip(split, source_id, "a second photograph of this id")
                continue
            self._seen.add(source_id)
            captions = row[features.captions]
            captions = captions[features.text] if features.text else captions
            captions = [captions] if isinstance(captions, bytes) else captions
            usable = self._usable_captions(split, source_id, list(enumerate(captions)))
            if not usable:
                continue
            objects = ()
            if features.boxes is not None:
                objects, problems = features.boxes.annotate(row[features.boxes.name])
                for reason in problems:
                    self._skip(split, source_id, reason)
            texts = tuple(text for _, text in usable)
            content = [source_id, texts, [(item.chain, item.box) for item in objects]]
            digest.update(json.dumps(content).encode() + b"\n")
            yield SourceExample(
                source_id=source_id,
                filename=_text_of(row[features.filename]) if features.filename else source_id,
                captions=texts,
                read_image=functools.partial(
                    _read_image, self._directory, own, features.image, index
                ),
                objects=objects,
            )
        self._checksums[f"annotations of {split}"] = digest.hexdigest()


class _Rows:
    """Some features of a split, read in its order.

    Args:
        directory: of the prepared data set.
        split: its own name for the split.
        names: what `tfds.decode.PartialDecoding` takes.
        decoders: of features that are decoded in another way.
    """

    def __init__(self, directory, split, names, decoders=None):
        self._builder = load_tfds().builder_from_directory(directory)
        self._split, self._names, self._decoders = split, names, decoders
        self._next, self._iterator = 0, None

    def read(self, index):
        """Returns the features of a row.

        Raises:
            OSError: when the files cannot be read.
        """
        try:
            if self._iterator is None or not 0 <= index - self._next < _FEW:
                self._iterator, self._next = self._open(index), index
            while True:
                row = next(self._iterator)
                self._next += 1
                if self._next > index:
                    return row
        except Exception as error:  # TensorFlow's own, whatever is damaged
            self._iterator = None
            # Without TensorFlow's names of its nodes.
            reason = re.sub(r"\{\{.*?\}\}|\[Op:.*", "", str(error), flags=re.DOTALL).strip()
            raise OSError(
                f"{self._builder.info.full_name} cannot be read at {index} of {self._split}: "
                f"{reason or type(error).__name__}. Prepare it again."
            ) from error

    def _open(self, first):
        tfds = load_tfds()
        rows = self._builder.as_dataset(
            split=tfds.core.ReadInstruction(self._split, from_=first, unit="abs"),
            decoders=tfds.decode.PartialDecoding(self._names, self._decoders),
            # One file after another, in the order in which tfds numbers the examples.
            read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
        )
        return iter(tfds.as_numpy(rows))


def _find(dataset, data_dir):
    try:
        # As `tfds.builder` does first, which would go on to the internet.
        return load_tfds().core.read_only_builder.builder_from_files(dataset, data_dir=data_dir)
    except (ValueError, OSError) as error:
        where = f" --data_dir={data_dir}" if data_dir else ""
        raise ValueError(
            f"Expected {dataset} as tensorflow-datasets prepares it, in "
            f"{data_dir or 'its default directory (or give --images=DIR)'}. Received: none. "
            f"Prepare it: tfds build {dataset}{where}"
        ) from error


@functools.lru_cache(maxsize=2)
def _open_images(directory, split, image):
    decoders = {image: load_tfds().decode.SkipDecoding()}
    return _Rows(directory, split, {image: True}, decoders)


def _read_image(directory, split, image, index):
    return _open_images(directory, split, image).read(index)[image]


def _text_of(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
