"""The work of `vsa_tf.caption` where an exported model answers."""

import math

from vsa_tf.answers.rounded import rounded
from vsa_tf.answers.write_answers import write_answers
from vsa_tf.program import ProgramError


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
            [_line({name: value[row] for name, value in answers.items()}, num_captions)]
            for row in range(len(images))
        ]

    write_answers(paths, ask, output)


def _line(row, num_captions):
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
