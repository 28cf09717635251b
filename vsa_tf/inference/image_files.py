"""Image files that a command line means, asked about some at a time, answered in JSON lines."""

import collections
import concurrent.futures
import io
import numbers
import os
import reprlib
import sys

import numpy as np
from absl import flags

from tfrecords_tools.progress import Progress
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.file_reading import read_json, read_lines
from vsa_tf.files import json_text, write_atomically
from vsa_tf.inference.photographs import batches, read_photograph
from vsa_tf.program import print_note, print_warning, silent
from vsa_tf.visualization.fonts import missing_letters

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".avif", ".heic", ".heif")
_OTHERS_NAMED = 5
# A model does not fill the cores by itself: decoding and suppression run on one.
_BATCHES_AT_A_TIME = min(4, len(os.sched_getaffinity(0)))


def image_files(paths, say=silent):
    """Lists image files.

    Args:
        paths: files, taken as they are, and directories, of which every file below counts whose
            name ends as an image's does; hidden ones do not.
        say: called with a line about the files of directories that do not count.

    Returns:
        A list of str: in the order of `paths`, and by name within a directory; each once.

    Raises:
        VsaTfError: there are paths, and no image file.
    """
    files, others = {}, {}
    for path in map(str, paths):
        for name in _below(path) if os.path.isdir(path) else [path]:
            is_taken = name == path or name.lower().endswith(_SUFFIXES)
            (files if is_taken else others)[name] = None
    told = _told(list(others)) if others else ""
    if paths and not files:
        raise VsaTfError(f"{paths[0]} holds no image files" + (f"; {told}" if told else ""))
    if told:
        say(told)
    return list(files)


def _below(directory):
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield os.path.join(folder, name)


def _told(others):
    count = f"{len(others)} file{'s' * (len(others) > 1)}"
    more = ", ..." if len(others) > _OTHERS_NAMED else ""
    return (
        f"{count} not taken, by the ending of the name: {', '.join(others[:_OTHERS_NAMED])}{more} "
        f"(images end in {' '.join(_SUFFIXES)})"
    )


def answered_images(paths, ask, batches_at_a_time=None):
    """Asks about image files, some at a time; what cannot be read stops none of the others.

    Args:
        paths: sequence of files.
        ask: takes a list of encoded images, bytes, and returns a list of their answers; raises
            InputError if it cannot read one of them. It is called by several threads at a time.
        batches_at_a_time: how many; 1: in the order of the files; None: as the cores allow.

    Yields:
        `(path, answer, None)`, or `(path, None, reason)`, in the order of `paths`.
    """
    batches_at_a_time = batches_at_a_time or _BATCHES_AT_A_TIME
    asked = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(batches_at_a_time) as pool:
        files = ((path, *_read(path)) for path in paths)
        for batch in batches(files, lambda file: len(file[1])):
            asked.append(pool.submit(_answered, batch, ask))
            if len(asked) > batches_at_a_time:
                yield from asked.popleft().result()
        while asked:
            yield from asked.popleft().result()


def _read(path):
    """Returns `(data, reason)` of a file; the reason is None where it was read."""
    try:
        data = read_photograph(path)
    except OSError as error:
        return b"", error.strerror or str(error)
    except InputError as error:
        return b"", str(error)
    return data, None if data else "the image file is empty"


def _answered(batch, ask):
    images = [data for _, data, reason in batch if reason is None]
    answers = iter(_each(images, ask))
    return [(path, None, reason) if reason else (path, *next(answers)) for path, _, reason in batch]


def _each(images, ask):
    """Returns `(answer, reason)` of each image."""
    if not images:
        return []
    try:
        return [(answer, None) for answer in ask(images)]
    except InputError as error:
        if len(images) == 1:
            return [(None, str(error))]
    # One of them failed them all: it is in one half, and the other goes through.
    half = len(images) // 2
    return _each(images[:half], ask) + _each(images[half:], ask)


def define_strict_flag():
    """Defines the flag of programs that answer about image files or lines."""
    flags.DEFINE_bool(
        "strict",
        False,
        "End with 1 where any image file or line cannot be answered, not only where all.",
    )


def define_font_flag():
    """Defines the flag of programs that draw a text."""
    flags.DEFINE_string(
        "font", "", "Font file of the picture's text, for letters that no installed font has."
    )


def report_failures(num_failed, num_asked, strict=False, say=silent, asked="images"):
    """Says how many image files or lines could not be answered, once all others are done.

    Raises:
        VsaTfError: none could be; or, if `strict`, some could not.
    """
    if num_failed:
        done = "read; see their lines" if asked == "images" else "answered; see theirs"
        line = f"{num_failed} of {num_asked} {asked} could not be {done}"
        if strict or num_failed == num_asked:
            raise VsaTfError(line)
        say(line)


def write_answers(paths, ask, output=None, batches_at_a_time=None, strict=False):
    """Writes a JSON line for each answer, `{"image": path, ...}`, or `{"image", "error"}`.

    Args:
        paths: list of image files.
        ask: takes a list of encoded images and returns, for each, the list of its lines, dicts;
            raises InputError, see `answered_images`.
        output: a text file; None: the standard output.
        batches_at_a_time: see `answered_images`.
        strict: see `report_failures`.

    Raises:
        VsaTfError: see `report_failures`, whose line else goes to standard error.
    """
    progress = Progress(len(paths))
    num_failed = 0
    for path, lines, reason in answered_images(paths, ask, batches_at_a_time):
        num_failed += reason is not None
        _print_lines(path, lines, reason, output)
        progress.add(1)
    progress.close()
    report_failures(num_failed, len(paths), strict, print_note)


def _print_lines(path, lines, reason, output):
    for line in [{"error": reason}] if reason else lines:
        print(json_text({"image": str(path), **line}), file=output or sys.stdout, flush=True)


def input_lines():
    """Yields the lines of standard input that hold something, each as soon as it has come."""
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    for line in sys.stdin:
        if line.strip():
            yield line.strip()


def read_sentences(path):
    """Returns the sentences of a text file, a line each. Raises VsaTfError: there is none."""
    try:
        sentences = [line.strip() for line in read_lines(path) if line.strip()]
    except (OSError, ValueError) as error:
        raise VsaTfError(f"--sentences={path} cannot be read: {error}") from error
    if not sentences:
        raise VsaTfError(f"--sentences={path} holds no sentence")
    return sentences


def write_answers_of_lines(lines, ask, texts=("",), missing="", output=None, strict=False):
    """Writes the answers of `write_answers` for each line as it comes: `IMAGE` or `IMAGE<TAB>TEXT`.

    Args:
        lines: iterable of str, of `input_lines`.
        ask: takes a list of one encoded image, bytes, and the texts to ask about.
        texts: sequence of str, those of a line that has none.
        missing: what to say where there are none either.
        output, strict: as of `write_answers`.

    Raises:
        VsaTfError: see `report_failures`.
    """
    num_lines = num_failed = 0
    for line in lines:
        num_lines += 1
        path, _, text = line.partition("\t")
        asked = [text.strip()] if text.strip() else texts
        if asked:
            (_, answers, reason), *_ = answered_images([path], lambda images: ask(images, asked), 1)
        else:
            answers, reason = [], missing
        num_failed += reason is not None
        _print_lines(path, answers, reason, output)
    report_failures(num_failed, num_lines, strict, print_note, "lines")


def check_output(path, paths, font="", text=""):
    """Refuses a picture that cannot be drawn, before the model is loaded, and warns of letters.

    Args:
        path: of the picture; empty: there is none.
        paths: the image files that are asked about.
        font: file of the font of its text, if one is given.
        text: what is written in it.

    Raises:
        VsaTfError: the files are several or lines of standard input, there is no such directory,
            the font is none, or one for no picture.
    """
    if not path:
        if font:
            raise VsaTfError(f"--font={font}: it is of a picture: give --output too")
        return
    try:
        missing = missing_letters(text, font or None)
    except ValueError as error:
        raise VsaTfError(f"--font: {error}") from error
    if len(paths) > 1 or paths == ["-"]:
        received = len(paths) if len(paths) > 1 else "lines of standard input"
        raise VsaTfError(f"--output draws a single image. Received: {received}")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise VsaTfError(f"--output={path}: there is no such directory")
    if missing:
        advice = f"--font={font}: it lacks" if font else "no font that is installed has"
        print_warning(f"{advice} the letters {missing}; give a --font that has them")


def write_picture(path, picture):
    """Writes a `PIL.Image.Image` as a PNG file, whole or not at all."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_atomically(path, content.getbuffer())


def read_boxes(path):
    """Reads boxes.

    Args:
        path: of a JSON file: a list of `[ymin, xmin, ymax, xmax]`, each from 0 to 1.

    Returns:
        A list of lists of four floats, at least one.

    Raises:
        VsaTfError: names the box that is none.
    """
    try:
        boxes = read_json(path)
    except (OSError, ValueError) as error:
        raise VsaTfError(f"--boxes={path} cannot be read: {error}") from error
    check_boxes(boxes, f"--boxes={path}")
    return boxes


def check_boxes(boxes, named="--boxes"):
    """Refuses boxes that are none.

    Args:
        boxes: list of `[ymin, xmin, ymax, xmax]`, or an array `[n, 4]`.
        named: what the error calls them.

    Raises:
        VsaTfError: names the first that is none; there are none at all.
    """
    boxes = boxes.tolist() if isinstance(boxes, np.ndarray) else boxes
    if not isinstance(boxes, (list, tuple)) or not boxes:
        raise VsaTfError(
            f"Expected {named} to be a list of boxes [ymin, xmin, ymax, xmax], at least one. "
            f"Received: {reprlib.repr(boxes)}"
        )
    for number, box in enumerate(boxes):
        if not _is_box(box.tolist() if isinstance(box, np.ndarray) else box):
            raise VsaTfError(
                f"Expected box {number} of {named} to be [ymin, xmin, ymax, xmax], from 0 to 1, "
                f"ymin < ymax and xmin < xmax. Received: {reprlib.repr(box)}"
            )


def _is_box(box):
    are_numbers = (
        isinstance(box, (list, tuple))
        and len(box) == 4
        and all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in box)
    )
    return are_numbers and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1


def rounded(values):
    """Returns an array, or a number, as floats of six decimals for JSON, nested lists of them."""
    return np.round(np.asarray(values, np.float64), 6).tolist()
