"""What an exported model is: `model_card.json` and `README.md` beside it."""

import keras
import PIL
import tensorflow as tf

from tfrecords_tools.image_structure import DEFAULT_MAX_PIXELS, MIN_SIDE
from vsa_tf.files import MODEL_CARD, file_checksums, json_text, sealed, write_json
from vsa_tf.settings import is_path

# Who serves a model may give it other warm-up requests, which TFRecords' own checksums keep.
_EXTRA = "assets.extra"
_PLAIN_TEXT = "plain text in UTF-8"
_RELATIONS = (
    "the dependency relations of a sentence in UTF-8, one a line, as a parser finds them: "
    "relation<TAB>head<TAB>dependent, the last two as words; an empty string has none"
)
# Of `AnswerSettings`, what a captioner was exported with.
_OF_CAPTIONS = ("beam_size", "num_captions", "max_caption_words", "length_normalization", "prefix")


def model_card(local, functions, metrics, differences, has_warm_up):
    """Returns the content of `model_card.json`.

    Args:
        local: the `LocalModel`.
        functions: dict of signature to concrete function.
        metrics: content of the model directory's `metrics.json`; None if it was not evaluated.
        differences: of `answer_differences`.
        has_warm_up: whether warm-up requests were written.
    """
    settings = local.trained.settings
    flags = settings.to_flags().splitlines()
    card = {
        "model": settings.training.model,
        "signatures": {
            name: {
                "inputs": _tensors({i.name: i for i in function.structured_input_signature[0]}),
                "outputs": _tensors(function.structured_outputs),
                "largest_difference": max(differences[name].values()),
            }
            for name, function in functions.items()
        },
        "default_signature": next(iter(functions)),
        "sentences": _RELATIONS if settings.model.reads_dependencies else _PLAIN_TEXT,
        "limits": {
            "image_formats": ["JPEG", "PNG", "GIF", "BMP", "WebP"],
            "animations": "their first frame",
            "max_image_pixels": DEFAULT_MAX_PIXELS,
            "min_image_side": MIN_SIDE,
            "max_words": settings.data.max_words,
            "num_regions": local.reader.num_regions,
            "orientation": "as EXIF says in JPEG, PNG and WebP; other files as they are stored",
            "a_bad_image": "fails the whole request",
        },
        "image_encoder": local.trained.inputs["encoder"],
        "detector": local.reader.detector.describe(),
        "tokenizer": settings.data.tokenizer,
        "needs_tensorflow_text": settings.data.tokenizer == "wordpiece",
        "vocabulary_sha256": local.trained.text.vocabulary.fingerprint(),
        "evaluation": metrics,
        "training_flags": [flag for flag in flags if not is_path(flag[2:].partition("=")[0])],
        "written_with": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "Pillow": PIL.__version__,
        },
        "warm_up_requests": has_warm_up,
    }
    chosen = ("smoothness",) if "align" in functions else _OF_CAPTIONS
    card["answers"] = {name: getattr(local.settings, name) for name in chosen}
    if "caption_with" in functions:
        card["answers"]["max_beam_size"] = local.settings.most_beams
    return card


def write_model_card(path, card):
    """Writes `model_card.json` and `README.md` into a directory, a `pathlib.Path`.

    The first has the checksums of all that lies there: whoever loads the model looks at them.
    """
    files = file_checksums(path, left_out=_EXTRA)
    write_json(path / MODEL_CARD, sealed({**card, "files": files}))
    (path / "README.md").write_text(_readme(card), encoding="utf-8")


def _readme(card):
    lines = [
        f"# {card['model']}",
        "",
        "A SavedModel of photographs and text, written by `vsa_tf.export`. `image_bytes` are whole "
        f"image files, `sentences` and `phrases` {card['sentences']}; each is a vector of strings, "
        "a row for each question. Results are padded with 0 and empty strings; `unknown_words` are "
        "the words of a text that the model does not know.",
        "",
    ]
    if card["needs_tensorflow_text"]:
        lines += ["It loads only where `tensorflow_text` has been imported.", ""]
    for name, signature in card["signatures"].items():
        is_default = name == card["default_signature"]
        lines += [f"## {name}{' (also serving_default)' if is_default else ''}", ""]
        for kind in ("inputs", "outputs"):
            lines += [
                f"* {kind[:-1]} `{key}`: {tensor['dtype']} {_shape(tensor['shape'])}"
                for key, tensor in signature[kind].items()
            ]
        lines += [
            f"* largest difference from the trained model: {signature['largest_difference']:.1g}",
            "",
        ]
    for title in ("limits", "answers", "image_encoder", "detector", "evaluation", "written_with"):
        lines += [f"## {title.replace('_', ' ')}", "", "```json"]
        lines += [json_text(card[title], indent=2), "```", ""]
    lines += ["## Training", "", "    python -m vsa_tf.train \\"]
    lines += [f"        {flag} \\" for flag in card["training_flags"]]
    lines += ["        --data_dir=DIR --model_dir=DIR", ""]
    return "\n".join(lines)


def _tensors(specifications):
    return {
        name: {"dtype": tensor.dtype.name, "shape": tensor.shape.as_list()}
        for name, tensor in sorted(specifications.items())
    }


def _shape(shape):
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
