"""What `dataset_info.json` says about a directory of records."""

import dataclasses
import hashlib
import os

from vsa_tf.data import schema
from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import NOT_AS_EXPECTED, reason_of
from vsa_tf.files import read_sealed

_WRITE_AGAIN = "Write the records with `python -m tfrecords_tools.write`"


@dataclasses.dataclass(frozen=True)
class ShardInfo:
    """One file of records: its name in the directory, record count and checksum."""

    file: str
    num_records: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class SplitInfo:
    """Counts and shards of one split; `shards` are in reading order.

    `num_parsed_sentences` have dependency relations, `num_dependencies` in all; None where captions
    were not parsed.
    """

    num_images: int
    num_sentences: int
    num_phrases: int
    shards: tuple[ShardInfo, ...]
    num_parsed_sentences: int | None = None
    num_dependencies: int | None = None


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The checked contents of `dataset_info.json`.

    Attributes:
        data_dir: the directory of the records.
        dataset: name of the data set.
        splits: `{name: SplitInfo}`.
        num_regions: most regions a record holds (R).
        region_feature_size: numbers in a region's feature (D); 0 when none are stored.
        image_feature_size: numbers in `image/feature`; 0 when none are stored.
        images_stored: whether records hold the encoded images.
        object_features: whether records hold features of annotated chains.
        encoder: description of the image encoder.
        detector: description of the region detector.
        contents: the whole JSON object.
    """

    data_dir: str
    dataset: str
    splits: dict[str, SplitInfo]
    num_regions: int
    region_feature_size: int
    image_feature_size: int
    images_stored: bool
    object_features: bool
    encoder: dict
    detector: dict
    contents: dict

    @classmethod
    def load(cls, data_dir):
        """Reads and checks `data_dir/dataset_info.json`.

        Args:
            data_dir: directory that `tfrecords_tools.write` filled.

        Returns:
            A `DatasetInfo`.

        Raises:
            FileNotFoundError: the directory or the file is missing.
            VsaTfError: the file is not JSON, lacks an entry, or has another schema version.
        """
        path = os.path.join(data_dir, schema.DATASET_INFO)
        if not os.path.isdir(data_dir):
            raise FileNotFoundError(
                f"Expected data_dir to be a directory of records. Received: data_dir={data_dir!r}. "
                f"{_WRITE_AGAIN} first."
            )
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"Expected {schema.DATASET_INFO} in data_dir. Received: data_dir={data_dir!r} "
                f"without it. {_WRITE_AGAIN}; if a run was interrupted, repeat its command."
            )
        try:
            contents = read_sealed(path)
        except ValueError as error:
            raise VsaTfError(f"{error}. {_WRITE_AGAIN} again.") from error
        version = contents.get("schema_version")
        if version != schema.SCHEMA_VERSION:
            raise VsaTfError(
                f"Expected records of schema version {schema.SCHEMA_VERSION}. Received: "
                f"schema_version={version!r} in {path}. {_WRITE_AGAIN} again, to an empty "
                "directory."
            )
        try:
            return cls(
                data_dir=os.fspath(data_dir),
                dataset=str(contents["dataset"]),
                splits={name: _split(split) for name, split in contents["splits"].items()},
                num_regions=_count(contents, "num_regions", minimum=1),
                region_feature_size=_count(contents, "region_feature_size"),
                image_feature_size=_count(contents, "image_feature_size"),
                images_stored=bool(contents["images_stored"]),
                # Directories of before there were such features do not say so.
                object_features=bool(contents.get("object_features", False)),
                encoder=dict(contents["encoder"] or {}),
                detector=dict(contents["detector"] or {}),
                contents=contents,
            )
        except NOT_AS_EXPECTED as error:
            raise VsaTfError(
                f"Expected a complete {schema.DATASET_INFO}. Received: {path} with "
                f"{reason_of(error)}. {_WRITE_AGAIN} again."
            ) from error

    def used_regions(self, num_regions):
        """Returns R where `num_regions` of each image are to be used; 0: all that are stored."""
        return min(num_regions or self.num_regions, self.num_regions)

    def split(self, name, flag="split"):
        """Returns the `SplitInfo` of split `name`; flag: that names it.

        Raises:
            VsaTfError: there is no such split; the message lists those there are.
        """
        if name not in self.splits:
            raise VsaTfError(
                f"Expected --{flag} to be a split of {self.data_dir}, one of "
                f"{', '.join(self.splits)}. Received: --{flag}={name}"
            )
        return self.splits[name]

    def fingerprint(self, name):
        """Returns a checksum of all records of a split, a str."""
        checksums = "".join(shard.sha256 for shard in self.split(name).shards)
        return hashlib.sha256(checksums.encode()).hexdigest()

    def shard_paths(self, name):
        """Returns the paths of the split's shards, in reading order.

        Raises:
            FileNotFoundError: a shard is missing.
        """
        paths = [os.path.join(self.data_dir, shard.file) for shard in self.split(name).shards]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            raise FileNotFoundError(
                f"Expected {len(paths)} shards of split {name!r}. Received: {len(missing)} "
                f"missing, the first {missing[0]}. Copy the directory again, or repeat the "
                "command that wrote it."
            )
        return paths


def check_stored_splits(data_dir, **splits):
    """Refuses splits that records lack, before TensorFlow is imported.

    Args:
        data_dir: directory of the records; one that holds none is passed over.
        **splits: of each flag the name of a split; an empty one is passed over.

    Raises:
        VsaTfError: names the flag.
    """
    if os.path.isfile(os.path.join(data_dir, schema.DATASET_INFO)):
        info = DatasetInfo.load(data_dir)
        for flag, name in splits.items():
            if name:
                info.split(name, flag)


def _split(contents):
    shards = tuple(
        ShardInfo(_file_name(shard["file"]), _count(shard, "num_records"), str(shard["sha256"]))
        for shard in contents["shards"]
    )
    parsed = {
        name: _count(contents, name)
        for name in ("num_parsed_sentences", "num_dependencies")
        if name in contents
    }
    split = SplitInfo(
        num_images=_count(contents, "num_images"),
        num_sentences=_count(contents, "num_sentences"),
        num_phrases=_count(contents, "num_phrases"),
        shards=shards,
        **parsed,
    )
    num_records = sum(shard.num_records for shard in shards)
    if num_records != split.num_images:
        raise ValueError(f"num_images={split.num_images} but {num_records} records in the shards")
    return split


def _count(contents, key, minimum=0):
    value = contents[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{key}={value!r}, which is not a whole number of at least {minimum}")
    return value


def _file_name(name):
    # A path would let the file point outside the directory.
    if not isinstance(name, str) or not name or os.path.basename(name) != name:
        raise ValueError(f"file={name!r}, which is not a plain file name")
    return name
