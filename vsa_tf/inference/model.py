"""A trained model in Python: photographs and text in, results out, wherever the model is."""

import pathlib
import re

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.inference.model_source import ModelSource
from vsa_tf.inference.photographs import encoded
from vsa_tf.inference.results import Alignment, Captions, Localization
from vsa_tf.inference.signatures import AnswerSettings

_SERVER = re.compile(r"((?:[^\s/:]+|\[[^\s/]+\]):\d{1,5})/(.+)")
# Photographs at a time: few enough for memory, and for the limits of a server.
_BATCH_SIZE = 16


def open_model(source, image_encoder="", detector="", **answers):
    """Opens a trained model; this takes seconds.

    Args:
        source: a model directory of `train_model`, a SavedModel's directory of `export_model`, or
            `HOST:PORT/NAME` of a model that a server answers for.
        image_encoder, detector: of a model directory: what its records were made with, SavedModel
            directories or handles.
        **answers: of a model directory: fields of `AnswerSettings`, such as beam_size.

    Returns:
        A `Model`.

    Raises:
        VsaTfError: there is no such model, or an argument does not go with it.

    Example:

        model = vsa_tf.open_model("served/mine")
        found = model.align("beach.jpg", "two dogs run on the beach")
        found.snippets[0].box, found.score
    """
    source = str(source)
    is_local = (pathlib.Path(source) / "config.json").is_file()
    remote = None if pathlib.Path(source).exists() else _SERVER.fullmatch(source)
    if remote:
        named = {"server": remote[1], "model_name": remote[2]}
    else:
        named = {"model_dir" if is_local else "saved_model": source}
    if answers and not is_local:
        raise VsaTfError(
            f"--{next(iter(answers))} goes with a model directory: {source} answers as it was "
            "exported"
        )
    source = ModelSource(**named, image_encoder=image_encoder, detector=detector)
    try:
        settings = AnswerSettings.of(**answers)
    except TypeError as error:
        raise VsaTfError(f"Expected fields of AnswerSettings. Received: {error}") from error
    return Model.of(source, settings=settings)


class Model:
    """Answers for photographs and text; `open_model` makes it.

    A photograph is a path, the bytes of an image file, a PIL image or uint8 `[h, w, 3]`. Where one
    is asked for, a list of photographs may stand: the result is then a list.

    Args:
        answers: a `LocalModel`, an `ExportedModel` or a `RemoteModel`.
        source: the `ModelSource` that names it.

    Attributes:
        signatures: what the model answers, a tuple of names, the main one first.
    """

    def __init__(self, answers, source):
        self.answers = answers
        self.source = source
        self.signatures = tuple(answers.signatures)

    @classmethod
    def of(cls, source, *signatures, settings=None):
        """Opens the model that a `ModelSource` names; see `ModelSource.open`."""
        return cls(source.open(*signatures, settings=settings), source)

    def __repr__(self):
        return f"Model({self.source}, signatures={self.signatures})"

    def align(self, photograph, sentence):
        """Returns the `Alignment` of a sentence, str, to the regions of a photograph."""
        return self._each(
            photograph,
            lambda images: [
                Alignment.of_row(row, sentence, data)
                for row, data in self._rows("align", images, sentences=sentence)
            ],
        )

    def localize(self, photograph, phrase, boxes=None):
        """Returns the `Localization` of a phrase: the regions of a photograph, best first.

        Args:
            photograph: see `Model`.
            phrase: str.
            boxes: regions to rank in place of the detector's, float `[n, 4]`, normalised `ymin,
                xmin, ymax, xmax`; of a model directory alone.
        """
        own = {}
        if boxes is not None:
            if not hasattr(self.answers, "reader"):
                raise VsaTfError("--boxes goes with a model directory: others have a detector")
            own["boxes"] = boxes
        return self._each(
            photograph,
            lambda images: [
                Localization.of_row(row, phrase, data, boxes)
                for row, data in self._rows("localize", images, phrases=phrase, **own)
            ],
        )

    def caption(self, photograph, num_captions=1):
        """Returns the `Captions` of a photograph, the best `num_captions`."""

        def captions(images):
            found = []
            for row, data in self._rows("caption", images):
                num_written = row["captions"].shape[-1]
                if num_captions > num_written:
                    raise VsaTfError(
                        f"--num_captions={num_captions}: the model was opened or exported with "
                        f"{num_written}. Ask for fewer, or open or export it with more"
                    )
                found.append(Captions.of_row(row, num_captions, data))
            return found

        return self._each(photograph, captions)

    def score(self, photographs, sentences):
        """Returns how well photographs and sentences belong together, float32 `[n]`.

        Args:
            photographs: one, or a list of n.
            sentences: one, or a list of n; one goes with each of the others.

        Raises:
            VsaTfError: lists of different lengths.
        """
        images, texts = _paired(photographs, sentences)
        self.check("score")
        scores = [
            self.answers.call(
                "score",
                image_bytes=[encoded(image) for image in images[first : first + _BATCH_SIZE]],
                sentences=texts[first : first + _BATCH_SIZE],
            )["score"]
            for first in range(0, len(images), _BATCH_SIZE)
        ]
        return np.concatenate([*scores, np.zeros(0, np.float32)])

    def log_prob(self, photograph, sentence):
        """Returns the log probability of a sentence, its end counted, given a photograph."""
        return self._each(
            photograph,
            lambda images: [
                float(row["log_prob"])
                for row, _ in self._rows("log_prob", images, sentences=sentence)
            ],
        )

    def embed_images(self, photographs):
        """Returns the vectors of photographs.

        Returns:
            float32 `[n, H]`; of a model of regions a list of n dicts with regions `[r, H]`, the
            whole frame first, and boxes `[r, 4]`.
        """
        return _vectors("embed_image", [row for row, _ in self._all_rows(photographs)])

    def embed_sentences(self, sentences):
        """Returns the vectors of sentences.

        Returns:
            float32 `[n, H]`; of a model of words or relations a list of n dicts with words
            `[w, H]` and tokens, or fragments `[e, H]`.
        """
        self.check("embed_sentence")
        texts = _listed(sentences)
        rows = []
        for first in range(0, len(texts), _BATCH_SIZE):
            answers = self.answers.call(
                "embed_sentence", sentences=texts[first : first + _BATCH_SIZE]
            )
            rows += _split(answers)
        return _vectors("embed_sentence", rows)

    def _all_rows(self, photographs):
        images = _listed(photographs)
        for first in range(0, len(images), _BATCH_SIZE):
            yield from self._rows("embed_image", images[first : first + _BATCH_SIZE])

    def _each(self, photograph, ask):
        """Asks about one photograph, or about a list of them, some at a time."""
        if not isinstance(photograph, (list, tuple)):
            return ask([photograph])[0]
        found = []
        for first in range(0, len(photograph), _BATCH_SIZE):
            found += ask(photograph[first : first + _BATCH_SIZE])
        return found

    def _rows(self, name, photographs, boxes=None, **texts):
        """Returns `(row of the answers, image file)` of each photograph."""
        self.check(name)
        images = [encoded(photograph) for photograph in photographs]
        inputs = {key: [text] * len(images) for key, text in texts.items()}
        if boxes is not None:
            inputs["boxes"] = boxes
        return zip(_split(self.answers.call(name, image_bytes=images, **inputs)), images)

    def check(self, name):
        """Raises VsaTfError where the model does not answer to a signature."""
        if name not in self.signatures:
            raise VsaTfError(
                f"Expected a model with the signature {name}. Received: one that answers "
                f"{', '.join(self.signatures)}"
            )


def _paired(photographs, sentences):
    """Returns two lists of one length; one of either goes with each of the others."""
    images, texts = _listed(photographs), _listed(sentences)
    if len(images) == 1:
        images *= len(texts)
    if len(texts) == 1:
        texts *= len(images)
    if len(images) != len(texts):
        raise VsaTfError(
            "Expected as many photographs as sentences, or one of either. Received: "
            f"{len(images)} photographs and {len(texts)} sentences"
        )
    return images, texts


def _listed(values):
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _split(answers):
    """Returns the rows of answers, list of dicts."""
    count = len(next(iter(answers.values())))
    return [{name: value[row] for name, value in answers.items()} for row in range(count)]


def _vectors(name, rows):
    """Lays rows out as callers want them: one array, or of each row what is no padding."""
    if rows and "embedding" in rows[0] or not rows:
        return np.array([row["embedding"] for row in rows], np.float32)
    (counter,) = {"num_regions", "num_words", "num_fragments"} & rows[0].keys()
    return [
        {key: value[: row[counter]] for key, value in row.items() if key != counter} for row in rows
    ]
