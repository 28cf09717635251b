"""Answers about image files as JSON lines."""

import json
import sys

from tfrecords_tools.progress import Progress
from vsa_tf.answers.answered_images import answered_images
from vsa_tf.program import ProgramError


def write_answers(paths, ask, output=None):
    """Writes a JSON line for each answer, `{"image": path, ...}`, or `{"image", "error"}`.

    Args:
        paths: list of image files.
        ask: takes a list of encoded images and returns, for each, the list of its lines, dicts;
            raises InputError, see `answered_images`.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: when all others are done, if some files could not be read.
    """
    output = output or sys.stdout
    progress = Progress(len(paths))
    num_failed = 0
    for path, lines, reason in answered_images(paths, ask):
        num_failed += reason is not None
        for line in [{"error": reason}] if reason else lines:
            print(json.dumps({"image": str(path), **line}), file=output, flush=True)
        progress.add(1)
    progress.close()
    if num_failed:
        raise ProgramError(
            f"{num_failed} of {len(paths)} images could not be read; see their lines"
        )
