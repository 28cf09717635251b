"""A model directory that answers questions about photographs."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfrecords_tools.image_decoding import ImageError, decode_image
from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.data.caption_rows import FragmentStore, TokenStore
from vsa_tf.errors import InputError, VsaTfError
from vsa_tf.inference.answers import answer, make_answers
from vsa_tf.inference.exported_model import as_arrays, input_errors
from vsa_tf.inference.photograph_reader import PhotographReader
from vsa_tf.inference.signatures import (
    INTEGER_INPUTS,
    SIGNATURE_INPUTS,
    AnswerSettings,
    check_numbers,
)
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.text.vocabulary import PAD_ID, UNK_ID, UNK_TOKEN

# As many as detectors commonly keep; a captioner of regions itself sees one at a time.
_REGIONS_TO_CAPTION = 20
# As many as threads ask about at a time (`answered_images`).
_KEPT_BATCHES = 4
# White space to TensorFlow's operations.
_SPACES = " \t\n\v\f\r"


class LocalModel:
    """Answers by the model of a model directory; `ExportedModel` answers the same.

    Args:
        model_dir: directory that `vsa_tf.train` has written.
        image_encoder: the encoder of its records, see `PhotographReader`.
        detector: the detector of its records, likewise.
        settings: `AnswerSettings`.

    Attributes:
        signatures: dict of name to the names of its inputs, the main one first.
        trained: the `TrainedModel`.
        reader: the `PhotographReader`.
        settings: the `AnswerSettings`.
        answers: of `make_answers`.

    Raises:
        VsaTfError: the model, its encoder, its detector or the prefix cannot be used.
    """

    def __init__(self, model_dir, image_encoder="", detector="", settings=AnswerSettings()):
        self.trained = TrainedModel(model_dir)
        self.settings = settings
        own, text = self.trained.settings, self.trained.text
        self.signatures = {
            name: SIGNATURE_INPUTS[name]
            for name in own.model.signatures
            # Draws are of one number of captions, and of no beams.
            if not (name == "caption_with" and settings.sample)
        }
        _check_prefix(settings, text)
        num_regions = self.trained.inputs["num_regions"]
        if own.model.captions_regions:
            num_regions = _REGIONS_TO_CAPTION
        self.reader = PhotographReader(
            self.trained.inputs, own.data.image_size, image_encoder, detector, num_regions
        )
        # Several questions about the same photographs: their regions are found once.
        self._read_photographs = functools.lru_cache(_KEPT_BATCHES)(self._read_photographs)
        read = RelationReader if own.model.reads_dependencies else SentenceReader
        self._sentences = read(text, own.data.max_words)
        self.answers = make_answers(self.trained, settings)
        self._functions = {
            name: functools.partial(answer, self.answers, name) for name in self.signatures
        }
        for name in {"caption", "caption_with"} & self._functions.keys():
            if keras.backend.backend() == "tensorflow":
                # A search of many small steps: the only answer that a graph makes quicker.
                self._functions[name] = tf.function(
                    self._functions[name], reduce_retracing=True, autograph=False
                )

    def call(self, name, boxes=None, **inputs):
        """Answers one signature.

        Args:
            name: one of `signatures`.
            boxes: float `[n, 4]`, normalised `ymin, xmin, ymax, xmax`: the regions of every image,
                after the whole frame; None: the detector's.
            **inputs: its inputs, lists of one length: bytes of encoded images, str, or int.

        Returns:
            dict of name to numpy array, batch first; strings are arrays of str.

        Raises:
            InputError: an image cannot be read, or an input is out of its range.
            VsaTfError: the model has diverged.
        """
        if boxes is not None:
            boxes = tuple(map(tuple, np.asarray(boxes, np.float32).tolist()))
        batches = [self._read(key, inputs[key], boxes) for key in self.signatures[name]]
        with input_errors():
            return check_numbers(as_arrays(self._functions[name](*batches)))

    def _read(self, key, values, boxes):
        if key == "image_bytes":
            return self._read_photographs(tuple(values), boxes)
        if key in INTEGER_INPUTS:
            return tf.constant(values, tf.int32)
        if key == "prefixes":
            # Tensors: a graph takes no arrays of str.
            return {
                name: tf.constant(value, tf.string if value.dtype == object else value.dtype)
                for name, value in self._sentences.prefixes(values).items()
            }
        return self._sentences(values)

    def _read_photographs(self, image_bytes, boxes):
        # One photograph may go with many texts.
        rows = {data: row for row, data in enumerate(dict.fromkeys(image_bytes))}
        if boxes is not None:
            # Region 0 is the whole frame: models may add it to the others.
            boxes = np.concatenate([WHOLE_FRAME, np.float32(boxes).reshape(-1, 4)])
            boxes = [boxes] * len(rows)
        try:
            batch = self.reader.batch([(data, decode_image(data)) for data in rows], boxes)
        except ImageError as error:
            raise InputError(str(error)) from error
        if len(rows) == len(image_bytes):
            return batch
        places = [rows[data] for data in image_bytes]
        return {name: values[places] for name, values in batch.items()}


def _check_prefix(settings, text):
    num_words = len(text.tokenize(settings.prefix))
    if num_words >= settings.max_caption_words:
        raise VsaTfError(
            f"--prefix has {num_words} words, which leaves no room for more in captions of at most "
            f"{settings.max_caption_words}, their end counted: shorten it, or allow longer captions"
        )


class SentenceReader:
    """The text processing of a `TrainedModel`.

    Args:
        text: its `CaptionText`.
        max_words: longer sentences lose their end.
    """

    def __init__(self, text, max_words):
        self._text = text
        self._max_words = max_words

    def __call__(self, sentences):
        """Tokenises a list of B str; returns the dict of `GraphSentences`, numpy arrays."""
        tokens = [self._text.tokenize(text)[: self._max_words] or [UNK_TOKEN] for text in sentences]
        store = TokenStore.from_captions(sentences, self._text.encode, self._max_words)
        width = int(store.lengths.max())
        features = self._text.sentence_features(sentences)
        return {
            **({} if features is None else {"sentence_features": features}),
            "token_ids": store.padded(np.arange(len(store)), width),
            "tokens": padded_strings(tokens, width),
            "num_words": store.lengths,
            **known_words(map(self._text.known_words, sentences)),
        }

    def prefixes(self, texts):
        """Reads beginnings of captions; returns the dict of `GraphSentences.prefixes`."""
        tokens = [self._text.tokenize(text) for text in texts]
        width = max(1, *map(len, tokens))
        ids = np.full((len(texts), width), PAD_ID, np.int32)
        for row, words in enumerate(tokens):
            ids[row, : len(words)] = self._text.vocabulary.encode(words)
        return {
            "prefix_ids": ids,
            "prefix_tokens": padded_strings(tokens, width),
            "unknown_words": known_words(map(self._text.known_words, texts))["unknown_words"],
        }


def padded_strings(rows, width):
    """Returns lists of str as an array `[B, width]` of str, empty on the right."""
    padded = np.full((len(rows), width), "", object)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def known_words(rows):
    """Returns the dict of `TextToIds.known_words` of rows of `CaptionText.known_words`."""
    unknown, num_known = zip(*rows)
    return {
        "unknown_words": padded_strings(unknown, max(map(len, unknown))),
        "num_known_words": np.array(num_known, np.int32),
    }


class RelationReader:
    """The reading of dependency relations of a `TrainedModel`.

    A sentence is a string of its relations, one a line: `relation<TAB>head<TAB>dependent`.

    Args:
        text: its `CaptionText`.
        max_relations: sentences of more lose their last.
    """

    def __init__(self, text, max_relations):
        self._text = text
        self._max_relations = max_relations

    def __call__(self, sentences):
        """Reads a list of B str; returns the dict of `GraphRelations`, numpy arrays."""
        parses = [_relations(each) for each in sentences]
        fragments = self._text.encode_dependencies(parses)
        store = FragmentStore(fragments, self._max_relations)
        width = max(int(store.lengths.max(initial=0)), 1)
        return {
            **store.entries(np.arange(len(store)), width),
            "num_fragments": store.lengths,
            **known_words(map(self._known_words, parses)),
        }

    def _known_words(self, relations):
        """As of `CaptionText`; a head or dependent is known by its first part."""
        unknown, num_known = [], 0
        for words in (words for _, *words in relations):
            ids = [self._text.encode([word])[0][:1] for word in words]
            # What captions have no word for has no relation.
            for word, (first,) in zip(words, ids) if all(ids) else ():
                if first == UNK_ID:
                    unknown.append(word)
                else:
                    num_known += 1
        return unknown, num_known


def _relations(sentence):
    relations = []
    for line in sentence.split("\n"):
        if not line.strip(_SPACES):
            continue
        columns = tuple(column.strip(_SPACES) for column in line.split("\t"))
        if len(columns) != 3 or not all(columns):
            raise InputError(
                "Expected dependency relations, one a line: relation<TAB>head<TAB>dependent. "
                f"Received: {line}"
            )
        relations.append(columns)
    return tuple(relations)
