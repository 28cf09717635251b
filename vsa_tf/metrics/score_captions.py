"""Scores of captions that anything made, against what people wrote. No TensorFlow here."""

import pathlib

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import NOT_AS_EXPECTED, read_json, reason_of
from vsa_tf.metrics.caption_scores import CaptionScorer


def score_captions(results, references, meteor=True, spice=False):
    """Scores one caption for each photograph as the COCO tool does.

    Args:
        results: the captions: a list of str; a dict of a photograph's id to its caption; or a JSON
            file in COCO's results format, `[{"image_id", "caption"}]`.
        references: what people wrote, for the same photographs: a list of lists of str; a dict of
            id to a list of str; or a JSON file of COCO's captions, `{"annotations": [{"image_id",
            "caption"}]}`.
        meteor, spice: see `CaptionScorer.score`; without Java they are None.

    Returns:
        dict of `Bleu_1` to `Bleu_4`, `METEOR`, `ROUGE_L`, `CIDEr`, and `skipped`: dict of each that
        is None to the reason.

    Raises:
        VsaTfError: results and references are of other photographs, or no captions.

    Example:

    >>> scores = score_captions(["a dog runs"], [["A dog runs.", "dogs"]], meteor=False)
    >>> round(scores["Bleu_1"], 6), round(scores["ROUGE_L"], 6)
    (1.0, 1.0)
    """
    captions, truths = _results(results), _references(references)
    for one, other, said in (
        (captions, truths, "results for photographs without references"),
        (truths, captions, "references of photographs without a result"),
    ):
        missing = [str(key) for key in one if key not in other]
        if missing:
            raise VsaTfError(
                f"Expected results and references of the same photographs. Received: {said}, "
                f"{len(missing)} of them: {', '.join(missing[:5])}"
            )
    keys = list(captions)
    try:
        scorer = CaptionScorer([truths[key] for key in keys])
        scores, skipped = scorer.score([captions[key] for key in keys], meteor, spice)
    except ValueError as error:
        raise VsaTfError.of(error) from error
    return {**scores, "skipped": skipped}


def _results(results):
    if isinstance(results, (str, pathlib.PurePath)):
        entries, captions = _entries(results, "results"), {}
        for image, caption in entries:
            if image in captions:
                raise VsaTfError(f"{results} holds two captions of photograph {image}")
            captions[image] = caption
        return captions
    return dict(results) if isinstance(results, dict) else dict(enumerate(results))


def _references(references):
    if isinstance(references, (str, pathlib.PurePath)):
        captions = {}
        for image, caption in _entries(references, "references"):
            captions.setdefault(image, []).append(caption)
        return captions
    return dict(references) if isinstance(references, dict) else dict(enumerate(references))


def _entries(path, argument):
    """Returns the `(image_id, caption)` of a JSON file of COCO's."""
    try:
        content = read_json(path)
        entries = content["annotations"] if isinstance(content, dict) else content
        captions = [(entry["image_id"], entry["caption"]) for entry in entries]
        dict(captions)  # a list is no id
        return captions
    except OSError as error:
        raise VsaTfError(f"--{argument}={path}: {error.strerror}") from error
    except NOT_AS_EXPECTED as error:
        raise VsaTfError(
            f"Expected --{argument}={path} to hold COCO's JSON, a list of image_id and caption. "
            f"Received: {reason_of(error)}"
        ) from error
