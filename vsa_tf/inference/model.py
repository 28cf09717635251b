"""A trained model in Python: photographs and text in, results out, wherever the model is."""

import pathlib
import re
import warnings

import numpy as np

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf.errors import InputError, VsaTfError, check_text
from vsa_tf.inference.image_files import check_boxes
from vsa_tf.inference.model_source import SERVER_ADDRESS, ModelSource
from vsa_tf.inference.photographs import batches, encoded
from vsa_tf.inference.results import Alignment, Captions, Localization
from vsa_tf.inference.signatures import AnswerSettings
from vsa_tf.text.vocabulary import TextKnowledge

_SERVED = re.compile(rf"({SERVER_ADDRESS})/(.+)")
# By a warning.
_WORDS_NAMED = 10


def open_model(source, image_encoder="", detector="", **settings):
    """Opens a trained model; this takes seconds.

    Args:
        source: a model directory of `train_model`, a SavedModel's directory of `export_model`, or
            `HOST:PORT/NAME` of a model that a server answers for.
        image_encoder, detector: of a model directory: what its records were made with, SavedModel
            directories or handles.
        **settings: of a model directory: fields of `AnswerSettings`, such as beam_size.

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
    remote = None if pathlib.Path(source).exists() else _SERVED.fullmatch(source)
    if not remote and not pathlib.Path(source).is_dir():
        raise VsaTfError(
            "Expected a directory of train_model or export_model, or HOST:PORT/NAME of a served "
            f"model. Received: {source!r}, and there is no such directory"
        )
    if remote:
        named = {"server": remote[1], "model_name": remote[2]}
    else:
        named = {"model_dir" if is_local else "saved_model": source}
    if settings and not is_local:
        raise VsaTfError(
            f"--{next(iter(settings))} goes with a model directory: {source} answers as it was "
            "exported"
        )
    source = ModelSource(**named, image_encoder=image_encoder, detector=detector)
    return Model.of(source, settings=AnswerSettings.of(**settings))


class Model:
    """Answers for photographs and text; `open_model` makes it.

    A photograph is a path, the bytes of an image file, a PIL image or uint8 `[h, w, 3]`. Where one
    is asked for, a list of photographs may stand: the result is then a list. A text is a str.

    Args:
        opened: a `LocalModel`, an `ExportedModel` or a `RemoteModel`.
        source: the `ModelSource` that names it.

    Attributes:
        signatures: what the model answers, a tuple of names, the main one first.
    """

    def __init__(self, opened, source):
        self.opened = opened
        self.source = source
        self.signatures = tuple(opened.signatures)

    @classmethod
    def of(cls, source, *signatures, **options):
        """Opens the model that a `ModelSource` names; see `ModelSource.open`."""
        return cls(source.open(*signatures, **options), source)

    def __repr__(self):
        return f"Model({self.source}, signatures={self.signatures})"

    def align(self, photograph, sentence):
        """Returns the `Alignment` of a sentence, str, to the regions of a photograph."""
        check_text("sentence", sentence)
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
        check_text("phrase", phrase)
        own = {}
        if boxes is not None:
            if not hasattr(self.opened, "reader"):
                raise VsaTfError("--boxes goes with a model directory: others have a detector")
            check_boxes(boxes)
            own["boxes"] = boxes
        return self._each(
            photograph,
            lambda images: [
                Localization.of_row(row, phrase, data, boxes)
                for row, data in self._rows("localize", images, phrases=phrase, **own)
            ],
        )

    def caption(self, photograph, num_captions=1, prefix="", beam_size=0):
        """Returns the `Captions` of a photograph, the best `num_captions`.

        Args:
            photograph: see `Model`.
            num_captions: how many.
            prefix: words that they start with.
            beam_size: beams of the search. Both are by default as the model was opened or exported.

        Raises:
            InputError: there are not so many beams, or the prefix is too long.
            VsaTfError: no caption is asked for; an export of an earlier release, which answers as
                it was exported alone.
        """

        if num_captions < 1:
            raise VsaTfError(
                f"Expected --num_captions of 1 or more. Received: --num_captions={num_captions}"
            )
        check_text("prefix", prefix, may_be_blank=True)

        def captions(images):
            if not prefix and not beam_size:
                rows = list(self._rows("caption", images))
                num_written = rows[0][0]["captions"].shape[-1] if rows else num_captions
                if num_captions <= num_written:
                    return [Captions.of_row(row, num_captions, data) for row, data in rows]
                if "caption_with" not in self.signatures:
                    raise VsaTfError(
                        f"--num_captions={num_captions}: the model was opened or exported with "
                        f"{num_written}. Ask for fewer, or open or export it with more"
                    )
            asked = {"num_beams": beam_size, "num_captions": num_captions, "prefixes": prefix}
            rows = self._rows("caption_with", images, **asked)
            return [Captions.of_row(row, num_captions, data) for row, data in rows]

        return self._each(photograph, captions)

    def score(self, photographs, sentences):
        """Returns how well photographs and sentences belong together, float32 `[n]`.

        Args:
            photographs: one, or a list of n.
            sentences: one, or a list of n; one goes with each of the others.

        Raises:
            VsaTfError: lists of different lengths, or what is no text with words.
        """
        self.check("score")
        for sentence in _listed(sentences):
            check_text("sentences", sentence)
        images, texts = _paired(photographs, sentences)
        rows, left = [], iter(texts)
        for batch in batches(images, _num_bytes):
            rows += _split(self._call("score", batch, sentences=[next(left) for _ in batch]))
        warn_of_unknown_words(rows, texts)
        return np.array([row["score"] for row in rows], np.float32)

    def log_prob(self, photograph, sentence):
        """Returns the log probability of a sentence, its end counted, given a photograph."""

        check_text("sentence", sentence, may_be_blank=True)

        def log_probs(images):
            rows = [row for row, _ in self._rows("log_prob", images, sentences=sentence)]
            warn_of_unknown_words(rows[:1], [sentence])
            return [float(row["log_prob"]) for row in rows]

        return self._each(photograph, log_probs)

    def embed_images(self, photographs):
        """Returns the vectors of photographs.

        Returns:
            float32 `[n, H]`; of a model of regions a list of n dicts with regions `[r, H]`, the
            whole frame first, and boxes `[r, 4]`.
        """
        return _vectors(
            self._each(
                _listed(photographs),
                lambda images: [row for row, _ in self._rows("embed_image", images)],
            )
        )

    def embed_sentences(self, sentences):
        """Returns the vectors of sentences.

        Returns:
            float32 `[n, H]`; of a model of words or relations a list of n dicts with words
            `[w, H]` and tokens, or fragments `[e, H]`.
        """
        self.check("embed_sentence")
        texts = _listed(sentences)
        for text in texts:
            check_text("sentences", text, may_be_blank=True)
        rows = []
        for batch in batches(texts):
            rows += _split(self.opened.call("embed_sentence", sentences=batch))
        warn_of_unknown_words(rows, texts)
        return _vectors(rows)

    def _each(self, photograph, ask):
        """Asks about one photograph, or about a list of them, some at a time."""
        if not isinstance(photograph, (list, tuple)):
            return ask(list(_numbered([photograph])))[0]
        found = []
        for batch in batches(_numbered(photograph), _num_bytes):
            found += ask(batch)
        return found

    def _rows(self, name, images, boxes=None, **asked):
        """Returns `(row of the answers, image file)` of images of `_numbered`, asked the same."""
        self.check(name)
        inputs = {key: [value] * len(images) for key, value in asked.items()}
        if boxes is not None:
            inputs["boxes"] = boxes
        rows = _split(self._call(name, images, **inputs))
        return zip(rows, [data for _, data in images])

    def _call(self, name, images, **inputs):
        """Asks about images of `_numbered`; names the one of a list that cannot be read."""
        try:
            return self.opened.call(name, image_bytes=[data for _, data in images], **inputs)
        except InputError as error:
            for number, data in images:
                if number is not None and not _is_readable(data):
                    raise InputError(f"photograph {number} of the list: {error}") from error
            raise

    def check(self, name):
        """Raises VsaTfError where the model does not answer to a signature."""
        if name not in self.signatures:
            raise VsaTfError(
                f"Expected a model with the signature {name}. Received: one that answers "
                f"{', '.join(self.signatures)}"
            )


def _paired(photographs, sentences):
    """Returns images of `_numbered` and as many texts; one of either goes with each other."""
    images, texts = _listed(photographs), _listed(sentences)
    if len(texts) == 1:
        texts *= len(images)
    if len(images) not in (1, len(texts)):
        raise VsaTfError(
            "Expected as many photographs as sentences, or one of either. Received: "
            f"{len(images)} photographs and {len(texts)} sentences"
        )
    one = len(images) == 1
    return list(_numbered(images)) * len(texts) if one else _numbered(images), texts


def _listed(values):
    return list(values) if isinstance(values, (list, tuple)) else [values]


def _numbered(photographs):
    """Yields `(number, image file)`; the number, from 0, is None where there is but one."""
    several = len(photographs) > 1
    for number, photograph in enumerate(photographs):
        try:
            yield number if several else None, encoded(photograph)
        except InputError as error:
            if several:
                raise InputError(f"photograph {number} of the list: {error}") from error
            raise


def _num_bytes(image):
    return len(image[1])


def _is_readable(data):
    try:
        decode_image(data)
    except ImageError:
        return False
    return True


def _split(answers):
    """Returns the rows of answers, list of dicts."""
    count = len(next(iter(answers.values())))
    return [{name: value[row] for name, value in answers.items()} for row in range(count)]


def _vectors(rows):
    """Lays rows out as callers want them: one array, or of each row what is no padding."""
    if rows and "embedding" in rows[0] or not rows:
        return np.array([row["embedding"] for row in rows], np.float32)
    (counter,) = {"num_regions", "num_words", "num_fragments"} & rows[0].keys()
    others = {counter, "unknown_words", "num_known_words"}
    return [
        {key: value[: row[counter]] for key, value in row.items() if key not in others}
        for row in rows
    ]


def warn_of_unknown_words(rows, texts):
    """Warns once where texts hold words that the model does not know.

    Args:
        rows: of answers, dicts; of SavedModels of an earlier release they do not say.
        texts: the text of each, list of str.
    """
    known = [TextKnowledge.of_row(row) for row in rows]
    nothing = [text for text, each in zip(texts, known) if each.means_nothing]
    words = list(dict.fromkeys(word for each in known for word in each.unknown_words))
    if not words and not nothing:
        return
    count = f"{len(words)} word{'s' * (len(words) != 1)}"
    message = f"the model does not know {count}: {', '.join(words[:_WORDS_NAMED])}"
    if nothing:
        message += (
            f"; of {len(nothing)} of {len(texts)} texts, such as {nothing[0]!r}, it knows no word, "
            "and its answer means nothing"
        )
    warnings.warn(message, stacklevel=3)
