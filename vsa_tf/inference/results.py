"""Answers of a model as people read them: JSON lines and pictures."""

import io
import math

import numpy as np

from tfrecords_tools.image_decoding import decode_image
from vsa_tf.files import write_atomically
from vsa_tf.inference.image_files import rounded, write_answers
from vsa_tf.inference.photograph_reader import GivenBoxes
from vsa_tf.program import ProgramError


def align_images(source, paths, sentence, picture_path="", output=None):
    """Aligns a sentence to image files and writes a JSON line for each.

    Args:
        source: the `ModelSource`.
        paths: list of image files.
        sentence: str.
        picture_path: file to draw the alignment of the only image into, a PNG; empty: none.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: the model cannot be used; or, when all others are done, some files could not
            be read.
    """
    model = source.open("align")

    def ask(images):
        answers = model.call("align", image_bytes=images, sentences=[sentence] * len(images))
        rows = [{name: value[row] for name, value in answers.items()} for row in range(len(images))]
        if picture_path:
            _draw(images[0], rows[0], picture_path)
        return [[{"sentence": sentence, **_line(row)}] for row in rows]

    write_answers(paths, ask, output)


def _line(row):
    num_words, num_snippets = row["num_words"], row["num_snippets"]
    return {
        "score": rounded(row["score"]),
        "snippets": _parts(
            row["snippets"], row["snippet_boxes"], row["snippet_scores"], num_snippets
        ),
        "words": _parts(
            row["tokens"], row["boxes"][row["word_regions"]], row["word_scores"], num_words
        ),
    }


def _parts(texts, boxes, scores, count):
    columns = texts[:count], rounded(boxes[:count]), rounded(scores[:count])
    return [{"text": str(text), "box": box, "score": score} for text, box, score in zip(*columns)]


def _draw(data, row, path):
    # Keras is imported here alone: a SavedModel or a server needs none.
    from vsa_tf.decoding.segment_alignment import Snippet
    from vsa_tf.visualization.alignment_picture import alignment_picture

    regions = row["word_regions"][: row["num_words"]]
    starts = [0, *(word for word in range(1, len(regions)) if regions[word] != regions[word - 1])]
    snippets = [
        Snippet(
            tuple(map(float, row["boxes"][regions[first]])),
            int(regions[first]),
            first,
            last - 1,
            float(row["word_scores"][first:last].sum()),
        )
        for first, last in zip(starts, [*starts[1:], len(regions)])
    ]
    file = io.BytesIO()
    words = row["tokens"][: row["num_words"]]
    alignment_picture(decode_image(data), words, snippets).save(file, "PNG")
    write_atomically(path, file.getbuffer())


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


def caption_images(source, paths, num_captions, output=None):
    """Writes captions for image files, a JSON line each, as `caption_photographs` does.

    Args:
        source: the `ModelSource` of a SavedModel or a server.
        paths: list of image files.
        num_captions: captions of each image.
        output: a text file; None: the standard output.

    Raises:
        ProgramError: the model cannot be used, or was exported with fewer captions; or, when all
            others are done, some files could not be read.
    """
    model = source.open("caption")

    def ask(images):
        answers = model.call("caption", image_bytes=images)
        num_exported = answers["captions"].shape[-1]
        if num_captions > num_exported:
            raise ProgramError(
                f"--num_captions={num_captions}: {source} was exported with {num_exported}. Ask "
                "for fewer, or export it with more"
            )
        return [
            [_captions_line({name: value[row] for name, value in answers.items()}, num_captions)]
            for row in range(len(images))
        ]

    write_answers(paths, ask, output)


def _captions_line(row, num_captions):
    if "num_regions" not in row:
        return {"captions": _captions(row, num_captions)}
    regions = []
    for region in range(row["num_regions"]):
        own = {name: value[region] for name, value in row.items() if name != "num_regions"}
        captions = _captions(own, num_captions)
        regions.append({"box": rounded(own["boxes"]), "captions": captions})
    return {"regions": regions}


def _captions(row, num_captions):
    captions = []
    columns = row["captions"], row["log_prob"], row["tokens"], row["token_log_probs"]
    for text, log_prob, tokens, token_log_probs in zip(*columns):
        # Where fewer captions exist than beams.
        if not math.isfinite(log_prob):
            continue
        tokens = [str(token) for token in tokens if token]
        captions.append(
            {
                "text": str(text),
                "log_prob": rounded(log_prob),
                "tokens": tokens,
                # The end's is after the last token's.
                "token_log_probs": rounded(token_log_probs[: len(tokens) + 1]),
            }
        )
    return captions[:num_captions]
