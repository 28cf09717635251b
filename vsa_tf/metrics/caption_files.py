"""Files of captions: COCO's JSON, n-best lists, CSV, lines of text, and mRNN-CR's `.npy`.

And of what their photographs are like: vectors, and nearest training photographs.
"""

import contextlib
import csv
import io
import os
import pathlib
import reprlib

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import (
    decode_text,
    is_count,
    parse_json,
    read_arrays_of,
    read_json,
    text_lines,
    told_as,
)
from vsa_tf.files import csv_header
from vsa_tf.metrics.object_file import read_objects

# What names the photograph of an entry or a column, the first that is there.
KEYS = ("image_id", "image", "file_name", "filename", "path", "id")
_TEXTS = ("caption", "text", "sentence", "raw")
_SEVERAL = ("captions", "hypotheses", "sentences")
# What mRNN-CR calls the captions that a model wrote: gen_beam_search_10, say.
_GENERATED = "gen_"


def read_results(path, argument="results", key=None):
    """Reads one caption for each photograph, of an n-best list the best.

    The kind of a file is told by its ending:

    * `.json`: COCO's results `[{"image_id", "caption"}]`, COCO's captions `{"annotations": [...]}`,
      an object of photographs and captions, or an n-best list.
    * `.jsonl`, `.ndjson`: such an entry a line.
    * `.csv`, `.tsv`: columns by their names, `image_id,caption`, separated by commas, tabs or
      semicolons.
    * `.npy`: mRNN-CR's list of dicts, as `read_objects` reads it.
    * any other: a caption a line; or `IMAGE<TAB>CAPTION`, `IMAGE#NUMBER<TAB>CAPTION` as Flickr8K's.

    In an n-best list the photograph has `captions`, a list of str or of `{"text"}`, the best first,
    as `vsa_tf.caption` prints. An entry's photograph is its `image_id`, `image`, `file_name`,
    `filename`, `path` or `id`, the first that it has; mRNN-CR's is the `id`. A whole number as
    text is one: `"12"` of a table is 12 of JSON. Lines without photographs are numbered from 0.

    Args:
        path: of the file.
        argument: what messages call it.
        key: the entry or column that names the photograph; None: as above. With COCO's captions
            `file_name` is that of its `images`.

    Returns:
        dict of photograph, int or str, to its caption, as they come.

    Raises:
        VsaTfError: the file cannot be read, is of another form, or has two captions of one.
    """
    captions = {}
    for image, texts in _entries(path, argument, key, (_GENERATED, *_TEXTS, *_SEVERAL)):
        if image in captions:
            raise VsaTfError(f"--{argument}={path} holds two captions of photograph {image}")
        if not texts:
            raise VsaTfError(f"--{argument}={path} holds no caption of photograph {image}")
        captions[image] = texts[0]
    return captions


def read_references(paths, argument="references", key=None):
    """Reads what people wrote: any number of captions of a photograph.

    Args:
        paths: of a file as for `read_results`, or a list of such: photographs of several files have
            the captions of all.
        argument, key: as for `read_results`.

    Returns:
        dict of photograph to its captions, list of str.

    Raises:
        VsaTfError: as `read_results`, but for several captions.
    """
    captions = {}
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        for image, texts in _entries(path, argument, key):
            captions.setdefault(image, []).extend(texts)
    return captions


def read_hypotheses(path, argument="hypotheses", key=None):
    """Reads the n best captions of each photograph, the best first.

    Args:
        path, argument, key: as for `read_results`. A photograph's captions are one entry's, or
            those of its rows in their order.

    Returns:
        dict of photograph to its hypotheses, list of str.

    Raises:
        VsaTfError: as `read_results`, but for several captions.
    """
    captions = {}
    for image, texts in _entries(
        path, argument, key, (_GENERATED, *_SEVERAL[:2], *_TEXTS, *_SEVERAL)
    ):
        captions.setdefault(image, []).extend(texts)
    return captions


def photograph(image):
    """Returns what names a photograph as JSON has it: "12" of a table is 12; "012" is a name."""
    is_number = isinstance(image, str) and is_count(image) and str(int(image)) == image
    return int(image) if is_number else image


def by_photograph(images, values):
    """Returns a dict of photographs to values.

    Args:
        images: iterable of what names them, see `photograph`.
        values: of each, as many.

    Raises:
        ValueError: one comes twice, or numbers differ.
    """
    found = {}
    for image, value in zip(map(photograph, images), values, strict=True):
        if image in found:
            raise ValueError(f"photograph {image} twice")
        found[image] = value
    return found


def read_vectors(path, argument="features"):
    """Reads a vector of each photograph.

    Args:
        path: `.npy`, a dict of photographs and vectors, as mRNN-CR has it; else `.npz` of `ids`
            `[N]` and `features` `[N, D]`.
        argument: what messages call it.

    Returns:
        dict of photograph to float64 `[D]`.

    Raises:
        VsaTfError: the file cannot be read, is of another form, or has two vectors of one.
    """
    expected = "a dict of photographs and vectors (.npy), or ids and features (.npz), one of each"
    with _told(argument, path, expected):
        if path.endswith(".npy"):
            found = read_objects(path)
            images, vectors = found.keys(), found.values()
        else:
            arrays = read_arrays_of(path, ["ids", "features"])
            images, vectors = arrays["ids"].tolist(), arrays["features"]
            if len(images) != len(vectors):
                raise ValueError(f"{len(images)} ids and {len(vectors)} features")
        return by_photograph(images, [np.asarray(vector, np.float64) for vector in vectors])


def read_neighbors(path, argument="neighbors"):
    """Reads the nearest training photographs of each photograph.

    Args:
        path: of JSON, an object of photographs and lists of training photographs, nearest first.
        argument: what messages call it.

    Returns:
        dict of photograph to list of photographs.

    Raises:
        VsaTfError: the file cannot be read, is of another form, or names a photograph twice.
    """
    with _told(argument, path, "an object of photographs and lists of training photographs"):
        found = read_json(path)
        return by_photograph(found, map(_neighbors, found.values()))


@contextlib.contextmanager
def _told(argument, path, expected):
    """Raises VsaTfError, which names the argument, where its file is not as expected."""
    try:
        with told_as(f"Expected --{argument}={path} to hold {expected}. Received"):
            yield
    except OSError as error:
        raise VsaTfError(f"--{argument}={path}: {error.strerror}") from error


def _neighbors(nearest):
    if not isinstance(nearest, list) or not all(isinstance(each, (int, str)) for each in nearest):
        raise TypeError(reprlib.repr(nearest))
    return list(map(photograph, nearest))


def _entries(path, argument, key, names=_TEXTS + _SEVERAL):
    """Returns the `(photograph, captions)` of a file.

    Args:
        path, argument, key: as for `read_results`.
        names: what an entry's captions may be called; the first that it has counts.
    """
    ending = pathlib.Path(path).suffix.lower()
    expected = "captions of photographs, such as COCO's JSON, a list of image_id and caption"
    with _told(argument, path, expected):
        if ending == ".npy":
            found, key = read_objects(path), key or "id"
        else:
            found = _READERS.get(ending, _of_lines)(pathlib.Path(path).read_bytes(), path, key)
        entries = [each if isinstance(each, tuple) else _entry(each, key, names) for each in found]
        for image, texts in entries:
            for text in texts:
                if not isinstance(text, str):
                    raise TypeError(f"the caption {text!r} of photograph {image}")
        dict(entries)  # a list is no photograph
    if not entries:
        raise VsaTfError(f"Expected captions in --{argument}={path}. Received: none")
    return entries


# Each returns a list of objects and rows, or of `(photograph, captions)`.


def _of_json(data, path, key):
    content = parse_json(data, path)
    if not isinstance(content, dict):
        return content
    if "annotations" not in content:
        if "images" in content:
            raise ValueError("images without annotations")
        return [(photograph(image), _texts(captions)) for image, captions in content.items()]
    entries = content["annotations"]
    if key is not None and "images" in content and not any(key in entry for entry in entries):
        names = {image["id"]: image[key] for image in content["images"]}
        return [(names[entry["image_id"]], [entry["caption"]]) for entry in entries]
    return entries


def _of_json_lines(data, path, key):
    lines = enumerate(text_lines(data, path), 1)
    return [parse_json(line, f"line {number} of {path}") for number, line in lines if line.strip()]


def _of_table(data, path, key):
    first = next(filter(str.strip, text_lines(data, path)), "")  # what is not UTF-8 is refused
    usual = "\t" if pathlib.Path(path).suffix.lower() == ".tsv" else ","
    delimiter, names = csv_header(first, usual, lambda fields: _column_names(fields, key))
    if first and not names:
        raise ValueError(
            f"{first.strip()[:60]!r}, but the first row must name the columns, "
            f"{key or KEYS[0]},{_TEXTS[0]}"
        )
    text = io.StringIO(decode_text(data), newline="")
    table = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
    entries = []
    try:
        for row in table:
            fields = [field.strip() for field in row]
            if any(fields) and len(fields) != len(names):
                raise ValueError(
                    f"line {table.line_num} with other columns than {delimiter.join(names)}: "
                    f"a caption with {delimiter!r} needs quotes"
                )
            if any(fields):
                entries.append(dict(zip(names, fields)))
    except csv.Error as error:
        raise ValueError(f"line {table.line_num}: {error}") from error
    return entries[1:]


def _column_names(fields, key):
    """Returns what the columns are called, where they name photographs and captions; else None."""
    names = [field.strip() for field in fields]
    # In capital letters, too.
    lower = [name if name == key else name.lower() for name in names]
    has_image = key in names if key is not None else any(name in KEYS for name in lower)
    is_text = [name in (*_TEXTS, *_SEVERAL) or name.startswith(_GENERATED) for name in lower]
    return lower if has_image and any(is_text) else None


def _of_lines(data, path, key):
    lines = text_lines(data, path)
    if not any("\t" in line for line in lines):
        return list(enumerate([line] for line in lines))
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        image, mark, caption = line.partition("\t")
        if not mark:
            raise ValueError(f"line {number} without a tab between photograph and caption")
        name, _, place = image.rpartition("#")
        entries.append((photograph(name if name and is_count(place) else image), [caption]))
    return entries


_READERS = {
    ".json": _of_json,
    ".jsonl": _of_json_lines,
    ".ndjson": _of_json_lines,
    ".csv": _of_table,
    ".tsv": _of_table,
}


def _entry(entry, key, names):
    """Returns the `(photograph, captions)` of an object or a row; see `_entries`."""
    image = photograph(entry[key if key is not None else _first(entry, KEYS)])
    made = [name for name in entry if _GENERATED in names and name.startswith(_GENERATED)]
    if len(made) > 1:
        raise ValueError(f"several lists of hypotheses of photograph {image}: {', '.join(made)}")
    return image, _texts(entry[_first(entry, (*made, *names))])


def _first(entry, names):
    if not isinstance(entry, dict):
        raise TypeError(f"the entry {entry!r}")
    found = next((name for name in names if name in entry), None)
    if found is None:
        name = next(name for name in names if name != _GENERATED)
        raise ValueError(f"an entry without {name}: it has {', '.join(map(str, entry))}")
    return found


def _texts(captions):
    """Returns captions as a list of str; words of a list are joined."""
    if not isinstance(captions, (list, tuple)):
        return [captions]
    texts = []
    for caption in captions:
        if isinstance(caption, dict):
            caption = caption[_first(caption, _TEXTS)]
        elif isinstance(caption, (list, tuple)):
            caption = " ".join(caption)
        texts.append(caption)
    return texts
