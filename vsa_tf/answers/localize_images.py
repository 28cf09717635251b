"""The work of `vsa_tf.localize`."""

import numpy as np

from vsa_tf.answers.given_boxes import GivenBoxes
from vsa_tf.answers.rounded import rounded
from vsa_tf.answers.write_answers import write_answers


def localize_images(source, paths, phrases, boxes=None, output=None):
    """Finds phrases in image files and writes a JSON line for each image and phrase.

    Args:
        source: the `ModelSource`; a model directory if boxes are given.
        paths: list of image files.
        phrases: list of str.
        boxes: float `[n, 4]`, normalised `ymin, xmin, ymax, xmax`: these are ranked, not the
            detector's; None: the detector's.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: the model cannot be used; or, when all others are done, some files could not
            be read.
    """
    model = source.open("localize")
    if boxes is not None:
        model.reader = GivenBoxes(model.reader, boxes)

    def ask(images):
        lines = [[] for _ in images]
        for phrase in phrases:
            answers = model.call("localize", image_bytes=images, phrases=[phrase] * len(images))
            for row, of_image in enumerate(lines):
                count = answers["num_boxes"][row]
                found, scores = answers["boxes"][row, :count], answers["scores"][row, :count]
                of_image.append({"phrase": phrase, "boxes": _ranked(found, scores, boxes)})
        return lines

    write_answers(paths, ask, output)


def _ranked(found, scores, given):
    ranked = [{"box": box, "score": score} for box, score in zip(rounded(found), rounded(scores))]
    if given is not None:
        # `GivenBoxes` put the whole frame before them.
        frames = np.flatnonzero((found == np.float32([0, 0, 1, 1])).all(axis=1))
        del ranked[frames[0]]
    return ranked
