"""CLIP's text tower as a frozen sentence feature, in core operations of TensorFlow."""

import io
import os
import tempfile
import zipfile

import numpy as np
import tensorflow as tf

from vsa_tf.files import read_arrays, write_arrays
from vsa_tf.model_handles import import_keras_hub, load_preset, split_spec

_ROWS = 64
_END_OF_WORD = "</w>"
# Those of CLIP's tokenizer, whose words are letters, one digit, or signs.
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_SPACES = r"[\s\v\x{85}\p{Z}]+"
# A longer word loses its end: merging takes a round for each of its bytes.
_MOST_BYTES = 128


class TextTower:
    """The projected embedding of a whole sentence by CLIP's text tower.

    It is kept as a SavedModel, so that to answer needs no Keras Hub.

    Args:
        archive: bytes, a zip of the SavedModel.

    Attributes:
        module: the loaded SavedModel, whose `embed` takes string `[B]` to float32 `[B, D]`.
        dimension: D.
        words: None: it reads texts as they are, whatever their words.
    """

    kind = "keras_hub"
    words = None

    def __init__(self, archive):
        self._archive = archive
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(io.BytesIO(archive)) as file:
                if any(info.compress_type for info in file.infolist()):
                    raise ValueError("Expected a zip of a SavedModel. Received: one that is packed")
                file.extractall(folder)
            self.module = tf.saved_model.load(folder)
        self.dimension = self.transform([""]).shape[1]

    @staticmethod
    def preset_tokenizer(spec):
        """Returns the tokenizer of a preset of CLIP, `keras_hub:PRESET`, which is small.

        Raises:
            ValueError: it is not there, or is none of CLIP's, or Keras runs on another backend.
        """
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend != "tensorflow":
            raise ValueError(
                "Expected KERAS_BACKEND=tensorflow where a text tower is made; a model that has "
                f"begun goes on with any. Received: {backend}"
            )
        return load_preset(import_keras_hub(spec).models.CLIPTokenizer, split_spec(spec)[1])

    @classmethod
    def of_preset(cls, spec):
        """Takes the tower of a preset; raises ValueError as `preset_tokenizer` does."""
        tokenizer = cls.preset_tokenizer(spec)
        backbone = load_preset(
            import_keras_hub(spec).models.CLIPBackbone, split_spec(spec)[1], dtype="float32"
        )
        module = _GraphTower(backbone, tokenizer)
        content = io.BytesIO()
        with tempfile.TemporaryDirectory() as folder:
            tf.saved_model.save(module, folder)
            with zipfile.ZipFile(content, "w") as file:
                for path in tf.io.gfile.glob([f"{folder}/*.pb", f"{folder}/variables/*"]):
                    file.write(path, path.removeprefix(folder))
        return cls(content.getvalue())

    def transform(self, texts):
        """Returns the embeddings of M str, float32 `[M, D]`."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        blocks = [encoded[start : start + _ROWS] for start in range(0, len(encoded), _ROWS)]
        return np.concatenate([self.module.embed(tf.constant(block)).numpy() for block in blocks])

    def save(self, path):
        """Writes one file, which `load` restores."""
        write_arrays(path, self.kind, {"saved_model": np.frombuffer(self._archive, np.uint8)})

    @classmethod
    def load(cls, path):
        """Reads a file that `save` wrote.

        Raises:
            FileNotFoundError: there is none.
            ValueError: when it is another file.
        """
        return cls(read_arrays(path, cls.kind)["saved_model"].tobytes())


class _GraphTower(tf.Module):
    """Tokenizer and text tower of a CLIPBackbone."""

    def __init__(self, backbone, tokenizer):
        super().__init__()
        encoder = backbone.text_encoder
        self._tokenizer = BytePairTokenizer(
            tokenizer.vocabulary,
            tokenizer.merges,
            tokenizer.start_token_id,
            tokenizer.end_token_id,
            encoder.max_sequence_length,
        )
        self._embeddings = backbone.get_text_embeddings
        # Plain variables, of this tower alone: the SavedModel shall not know of Keras.
        layers = (encoder, backbone.text_projection)
        self._tracked = [variable.value for layer in layers for variable in layer.variables]
        self.embed = tf.function(
            lambda texts: self._embeddings(self._tokenizer(texts)),
            input_signature=[tf.TensorSpec([None], tf.string)],
            autograph=False,
        )


class BytePairTokenizer(tf.Module):
    """CLIP's tokenizer in a graph, of core operations alone.

    Letters are made small, and spaces of all kinds are one; compositions of marks and letters stay
    as they are, which CLIP's own composes.

    Args:
        vocabulary: dict of tokens to ids.
        merges: list of str, `first second`, the first to be merged first.
        start, end: ids that stand around a text.
        length: most ids of a text, those two included; longer texts lose their end.

    Reference: Sennrich et al., Neural machine translation of rare words with subword units, 2016;
    openai/CLIP's clip/simple_tokenizer.py.
    """

    def __init__(self, vocabulary, merges, start, end, length):
        super().__init__()
        self._start, self._end, self._length = start, end, length
        letters = _letters_of_bytes()
        self._inner = tf.constant([vocabulary[letter] for letter in letters])
        self._last = tf.constant([vocabulary[letter + _END_OF_WORD] for letter in letters])
        pairs = [merge.split(" ") for merge in merges if not merge.startswith("#version:")]
        self._size = max(vocabulary.values()) + 1
        keys = [vocabulary[first] * self._size + vocabulary[second] for first, second in pairs]
        self._merged = tf.constant([vocabulary[first + second] for first, second in pairs])
        self._num_merges = len(pairs)
        self._ranks = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(keys, tf.int64), tf.range(len(keys), dtype=tf.int64)
            ),
            default_value=len(keys),
        )

    def __call__(self, texts):
        """Returns ids int32 `[B, T]` of string `[B]`, 0 after a text's end."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", replacement_char=ord(" "))
        texts = tf.strings.regex_replace(tf.strings.lower(texts, "utf-8"), _SPACES, " ")
        words = tf.strings.split(tf.strings.regex_replace(texts, _WORDS, r"\0 "), " ")
        words = tf.ragged.boolean_mask(words, words != "")
        ids = words.with_flat_values(self._pieces(words.flat_values)).merge_dims(1, 2)
        ids = ids[:, : self._length - 2]
        around = tf.fill([tf.shape(texts)[0], 1], 1)
        return tf.concat([around * self._start, ids, around * self._end], axis=1).to_tensor(0)

    def _pieces(self, words):
        """Returns the ids of the pieces of words, int32 ragged `[n, pieces]`, of string `[n]`."""
        letters = tf.strings.bytes_split(words)[:, :_MOST_BYTES]
        codes = tf.io.decode_raw(letters.flat_values, tf.uint8)
        codes = tf.reshape(tf.cast(codes, tf.int32), [-1])
        is_last = tf.scatter_nd(
            letters.row_limits()[:, None] - 1,
            tf.ones_like(letters.row_limits()),
            [tf.size(codes, tf.int64)],
        )
        ids = tf.where(is_last > 0, tf.gather(self._last, codes), tf.gather(self._inner, codes))
        # One more column, so that there is one where there is no word.
        ids = tf.pad(letters.with_flat_values(ids).to_tensor(-1), [[0, 0], [0, 1]], "CONSTANT", -1)
        ids, _ = tf.while_loop(
            lambda ids, goes_on: goes_on,
            self._merge,
            (ids, tf.constant(True)),
            shape_invariants=(tf.TensorShape([None, None]), tf.TensorShape([])),
        )
        return tf.RaggedTensor.from_tensor(ids, padding=-1)

    def _merge(self, ids, _):
        """Merges one pair of each word, that of the lowest rank; -1 stays on the right."""
        following = tf.concat([ids[:, 1:], tf.fill([tf.shape(ids)[0], 1], -1)], axis=1)
        keys = tf.cast(ids, tf.int64) * self._size + tf.cast(following, tf.int64)
        keys = tf.where((ids < 0) | (following < 0), tf.constant(-1, tf.int64), keys)
        ranks = self._ranks.lookup(keys)
        best = tf.argmin(ranks, axis=1, output_type=tf.int32)[:, None]
        rank = tf.gather(ranks, best, batch_dims=1)
        place = tf.range(tf.shape(ids)[1])[None]
        merged = tf.gather(self._merged, tf.minimum(rank, self._num_merges - 1))
        result = tf.where(place < best, ids, tf.where(place == best, merged, following))
        found = rank < self._num_merges
        return tf.where(found, result, ids), tf.reduce_any(found)


def _letters_of_bytes():
    """Returns the letters by which GPT-2, and CLIP, write the 256 bytes; none is a space."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]
