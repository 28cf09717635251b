"""The work of `vsa_tf.align`."""

import io

from tfrecords_tools.image_decoding import decode_image
from vsa_tf.answers.rounded import rounded
from vsa_tf.answers.write_answers import write_answers
from vsa_tf.files import write_atomically


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
