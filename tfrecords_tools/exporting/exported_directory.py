"""What exports of records share: a directory that is whole or absent, photographs, texts."""

import contextlib
import itertools
import os
import pathlib
import re
import shutil

from vsa_tf.files import lock_file

# What separates folders somewhere, or is no character of a line.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")
_JPEG = re.compile(r"\.jpe?g", re.IGNORECASE)
# File systems allow 255 bytes; a number and an ending may follow.
_LONGEST_STEM = 200


@contextlib.contextmanager
def whole_directory(path):
    """Gives a directory to fill, which takes its name when all of it is there.

    Until then it lies beside it as `.NAME.partial`; what a killed run left there is removed.

    Args:
        path: the directory; it must not exist, or be empty.

    Yields:
        The `pathlib.Path` to fill.

    Raises:
        FileExistsError: there is something in the directory.
        OSError: when it cannot be made, or another run is making it.
    """
    # Without a trailing slash or dots, which have no name; and no link, which none replaces.
    path = pathlib.Path(os.path.realpath(path))
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(
            f"Expected a directory that is empty or not there. Received: {str(path)!r}"
        )
    partial = path.with_name(f".{path.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        lock_file(descriptor, OSError(f"Another run is writing {str(path)!r}. Wait for it."))
        for left in partial.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield partial
            os.replace(partial, path)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


class ImageFolder:
    """A folder that is filled with the images of records.

    Args:
        path: the folder; made where a first image comes.
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        self._num_images = 0

    def add(self, record, path=None):
        """Writes the image of a record, byte for byte.

        Args:
            record: a `ParsedRecord` with an image, which is a JPEG whatever its file name says.
            path: what the file is to be called, with its folders; None: the record's file name,
                as one name.

        Returns:
            The file's name: the given one, made unique and ending as a JPEG's.

        Raises:
            OSError: when it cannot be written.
        """
        self._num_images += 1
        *folders, name = [record.filename] if path is None else path.split("/")
        folder = pathlib.PurePosixPath(*filter(None, map(_safe, folders)))
        (self._path / folder).mkdir(parents=True, exist_ok=True)
        path = pathlib.PurePosixPath(_safe(name))
        stem, ending = path.stem.strip(". "), path.suffix
        if not _JPEG.fullmatch(ending):
            ending = ".jpg"
        stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore") or "image"
        # The folder knows the names that are taken: nothing is kept for each image. Where many
        # have one name, the number of the image is free at once.
        for number in itertools.chain([""], itertools.count(self._num_images)):
            name = str(folder / f"{stem}{number and f'-{number}'}{ending}")
            with contextlib.suppress(FileExistsError):
                with open(self._path / name, "xb") as file:
                    file.write(record.encoded_image)
                return name


def _safe(name):
    return " ".join(_UNSAFE.sub("_", name).split()).strip(". ")


def left_out(info, splits, *, images_carried=True, features_carried=False, **counts):
    """Says what was not exported.

    Args:
        info: the `DatasetInfo` of the records.
        splits: names of the exported splits.
        images_carried: whether the format has images.
        features_carried: whether the format has features.
        **counts: how many of something were left out, `annotated_boxes=3`.

    Returns:
        A list of strings, empty where the format carried everything.
    """
    lines = []
    num_images = sum(info.split(split).num_images for split in splits)
    if images_carried and not info.images_stored:
        lines.append(f"{num_images} images: the records do not hold them, only their names")
    if not images_carried and info.images_stored:
        lines.append(f"{num_images} images")
    if not features_carried and info.num_regions > 1:
        lines.append(f"regions, at most {info.num_regions} an image")
    if not features_carried and info.region_feature_size:
        lines.append(f"features of {info.region_feature_size} numbers")
    if info.object_features:
        lines.append("features of annotated boxes")
    counts["phrases"] = sum(info.split(split).num_phrases for split in splits)
    lines += [
        f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()) if count
    ]
    return lines


def one_line(text):
    """Returns a text without line ends, those within it as spaces.

    Example:

    >>> one_line("a dog\\r\\nruns  fast")
    'a dog runs  fast'
    """
    return " ".join(part for part in text.splitlines() if part)


def read_records(info, split):
    """Yields the `ParsedRecord`s of a split in their order; memory holds a few of them.

    Args:
        info: the `DatasetInfo` of the directory.
        split: name of the split.

    Raises:
        OSError: a shard is missing.
        ValueError: a record is damaged, or there are not as many as `info` says.
    """
    # Not before a program has found its flags right.
    import tensorflow as tf

    from vsa_tf.data.parsed_record import ParsedRecord

    count = 0
    for path, shard in zip(info.shard_paths(split), info.split(split).shards, strict=True):
        try:
            for serialized in tf.data.TFRecordDataset(path):
                yield ParsedRecord.parse(
                    serialized.numpy(),
                    info.num_regions,
                    info.region_feature_size,
                    info.object_features,
                )
                count += 1
        except (tf.errors.OpError, ValueError) as error:
            reason = str(error) if isinstance(error, ValueError) else "damaged"
            raise ValueError(
                f"{shard.file}: {reason}; `python -m tfrecords_tools.inspect "
                f"--data_dir={info.data_dir} --check` tells more"
            ) from error
    if count != info.split(split).num_images:
        raise ValueError(
            f"Expected {info.split(split).num_images} records of split {split!r}. "
            f"Received: {count}; write the directory again"
        )
