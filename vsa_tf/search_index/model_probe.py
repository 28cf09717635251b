"""What tells a model from others by its answers, wherever they come from."""

import io

import numpy as np
from PIL import Image, ImageDraw

from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.search_index.embedded import SCORES, Embedded, entry_scores
from vsa_tf.search_index.index_directory import IndexManifest

# An exported model, and the same on an accelerator, differ less; another training differs more.
_TOLERANCE = 1e-3
_SCORE_TOLERANCE = 1e-2
_SENTENCE = "a man in a red shirt rides a bicycle past a dog on the grass"


def probe(model, kind):
    """Embeds a drawn picture, or a fixed sentence.

    Args:
        model: a `LocalModel`, `ExportedModel` or `RemoteModel`.
        kind: `images` or `sentences`.

    Returns:
        `Embedded` of one.

    Raises:
        VsaTfError: the model does not read plain sentences.
    """
    if kind == "images":
        return Embedded.of_images(model, [_picture()])
    try:
        return Embedded.of_sentences(model, [_SENTENCE])
    except InputError as error:  # a model that reads parses
        raise VsaTfError(f"An index is of models that read plain sentences. {error}") from error


def same_model(expected, received):
    """Returns whether two probes are of one model.

    Args:
        expected: float `[H]`, of `Embedded.summaries`.
        received: the same.
    """
    expected, received = np.asarray(expected), np.asarray(received)
    if expected.shape != received.shape:
        return False
    return bool(np.abs(expected - received).max() <= _TOLERANCE * np.abs(expected).max())


def find_score(model, image, sentence):
    """Finds out by which of `SCORES` a model's own scores follow from its vectors.

    Args:
        model: as of `probe`.
        image: the `probe` of images.
        sentence: the `probe` of sentences.

    Raises:
        VsaTfError: by none: what it makes of its vectors is no matter for an index.
    """
    if "score" in model.signatures:
        answer = model.call("score", image_bytes=[_picture()], sentences=[_SENTENCE])
        own = answer["score"][0]
    else:
        answer = model.call("localize", image_bytes=[_picture()], phrases=[_SENTENCE])
        own = answer["scores"][0, : answer["num_boxes"][0]].max()
    for score in SCORES:
        difference = abs(entry_scores(sentence, image, score)[0] - own)
        if difference <= _SCORE_TOLERANCE * max(0.1, abs(own)):
            return score
    raise VsaTfError(
        "Expected a model whose vectors can be compared: embedding, or alignment by the best "
        "region of each word. Received: one that scores a pair by a network of its own, as "
        "similarity does, or trained with another --score, --region_pooling or --word_pooling"
    )


def new_manifest(model, dtype):
    """Returns the `IndexManifest` of a new index of what a `Model` embeds.

    Raises:
        VsaTfError: its vectors cannot be compared, or it does not read plain sentences.
    """
    image, sentence = (probe(model.opened, kind) for kind in ("images", "sentences"))
    return IndexManifest(
        model.source.to_dict(),
        find_score(model.opened, image, sentence),
        dtype,
        {part.kind: part.summaries()[0].tolist() for part in (image, sentence)},
    )


def manifest_values(model, dtype):
    """Returns what a later index of the vectors needs, of `new_manifest`; or why there is none."""
    try:
        return vars(new_manifest(model, dtype))
    except VsaTfError as error:
        return {"reason": error.of_flags}


def _picture():
    """A slope of colours and some shapes, so that detectors and encoders have something to see."""
    rows, columns = np.mgrid[0:240, 0:320]
    pixels = np.stack([rows, columns * 3 // 4, (rows + columns) // 3], axis=-1).astype(np.uint8)
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((30, 60, 120, 200), fill=(200, 30, 30))
    draw.ellipse((160, 40, 290, 170), fill=(240, 220, 60))
    draw.polygon(((150, 230), (230, 150), (310, 230)), fill=(20, 90, 160))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def check_model(model, manifest, index_dir, kind):
    """Refuses a model that embeds other than the one of an index.

    Args:
        model: the `Model`.
        manifest: the `IndexManifest`.
        index_dir: the index's directory.
        kind: `images` or `sentences`, what will be embedded.

    Raises:
        VsaTfError: names both.
    """
    if not same_model(manifest.probes[kind], probe(model.opened, kind).summaries()[0]):
        raise VsaTfError(
            f"Expected the model of {index_dir}, {ModelSource(**manifest.model)}. Received: "
            f"{model.source}, which embeds {kind} otherwise. Give that model, or another "
            "--index_dir"
        )
