"""What caption generators answer, in TensorFlow operations; see `answers`."""

import numpy as np
import tensorflow as tf
from keras import ops

from vsa_tf.inference.graph_checks import require_all
from vsa_tf.text.tokenizer import CONTINUATION
from vsa_tf.text.vocabulary import END_TOKEN, PAD_ID, PAD_TOKEN


class CaptionAnswers:
    """The answers of a `Captioner`.

    B is the number of rows, K the captions of an image, W the most tokens of a caption.

    Args:
        model: the `Captioner`.
        text: its `CaptionText`.
        decoder: a decoder of `vsa_tf.decoding`.
        prefix: words that every caption starts with, plain text.
        of_regions: caption every region of an image instead of the image.
        whole_frame: the region captioner sees the whole frame beside a region.
        wide_search: of `caption_with`: a `BeamSearch` of as many beams and captions as a row may
            ask for.
        beam_size, num_captions: of rows that do not say.
    """

    def __init__(
        self,
        model,
        text,
        decoder,
        prefix="",
        of_regions=False,
        whole_frame=False,
        wide_search=None,
        beam_size=7,
        num_captions=5,
    ):
        self._model = model
        self._decoder = decoder
        self._of_regions = of_regions
        self._whole_frame = whole_frame
        self._wide_search = wide_search
        self._beam_size = beam_size
        self._num_captions = num_captions
        self._prefix = text.tokenize(prefix)
        self._prefix_ids = text.vocabulary.encode(self._prefix)
        self._written = tf.constant(
            ["" if token in (PAD_TOKEN, END_TOKEN) else token for token in text.vocabulary.tokens]
        )

    def caption(self, images):
        """Writes captions for images.

        Returns:
            captions string `[B, K]`, best first; log_prob `[B, K]`, END counted; tokens string
            `[B, K, W]`, empty from END on; token_log_probs `[B, K, W]`, END's after the last token,
            then 0. A captioner of regions: the same of each region, `[B, R, K...]`, empty and 0 at
            padding, with boxes `[B, R, 4]` and num_regions `[B]`.
        """

        def search(state, num_rows, repeated):
            prefix = given = None
            if self._prefix:
                prefix = ops.tile(np.int32([self._prefix_ids]), (num_rows, 1))
                given = tf.constant([self._prefix])
            return self._decoder(self._model.step, state, num_rows, prefix=prefix), given

        return self._captions(images, search)

    def caption_with(self, images, num_beams, num_captions, prefixes):
        """Writes captions as each row asks; what it leaves open is as of `caption`.

        Args:
            images: a batch.
            num_beams: int32 `[B]`, of the search; 0: open.
            num_captions: int32 `[B]`; 0: open.
            prefixes: dict of prefix_ids int32 `[B, P]`, PAD on the right, and prefix_tokens string
                `[B, P]`, empty on the right: the words that captions start with; none: open. P is
                at least 1.

        Returns:
            What `caption` does; K is the most captions that a row asks for, and where another asks
            for fewer, what is beyond is impossible: log_prob is minus infinity, the rest blank.

        Raises:
            tf.errors.InvalidArgumentError: a number is out of its range, or a prefix too long.
        """
        most, most_words = self._wide_search.beam_size, self._wide_search.max_length
        num_beams = tf.where(tf.equal(num_beams, 0), self._beam_size, num_beams)
        num_captions = tf.where(
            tf.equal(num_captions, 0), tf.minimum(self._num_captions, num_beams), num_captions
        )
        ids = tf.convert_to_tensor(prefixes["prefix_ids"])
        given = tf.convert_to_tensor(prefixes["prefix_tokens"], tf.string)
        if self._prefix:
            is_open = tf.equal(ids[:, :1], PAD_ID)
            ids = _with_own(ids, self._prefix_ids, is_open, PAD_ID)
            given = _with_own(given, self._prefix, is_open, "")
        of_beams = (
            f"Expected from 1 to {most} beams (num_beams), as was settled when the model was "
            "exported or opened. Received:"
        )
        of_captions = (
            "Expected at least 1 caption (num_captions), and as many beams (num_beams). Received "
            "num_captions:"
        )
        of_words = (
            f"Expected prefixes of fewer than {most_words} words, the most of a caption, its end "
            "counted. Received:"
        )
        num_words = tf.reduce_sum(tf.cast(tf.not_equal(ids, PAD_ID), tf.int32), axis=1)
        texts = tf.strings.reduce_join(given, axis=1, separator=" ")
        with (
            require_all((num_beams >= 1) & (num_beams <= most), of_beams, num_beams),
            require_all(
                (num_captions >= 1) & (num_captions <= num_beams), of_captions, num_captions
            ),
            require_all(num_words < most_words, of_words, texts),
        ):
            ids = tf.identity(ids)

        def search(state, num_rows, repeated):
            # From TensorFlow's tensors to Keras's: the decoder runs on other backends, too.
            prefix, beams = (ops.convert_to_tensor(repeated(each)) for each in (ids, num_beams))
            found = self._wide_search(self._model.step, state, num_rows, prefix, beams)
            return found, repeated(given)

        return self._captions(images, search, num_captions)

    def log_prob(self, images, sentences):
        """Returns log_prob `[B]`, of each row's sentence, END counted, given its image."""
        image = self._model.encode_images(images)
        log_probs = self._model.sentence_log_probs(image, sentences["token_ids"])
        return {"log_prob": tf.reduce_sum(log_probs, axis=1)}

    def _captions(self, images, search, num_captions=None):
        """Writes captions by a search.

        Args:
            images: a batch.
            search: takes the state of rows, how many these are, and a function that repeats rows of
                images for their regions; returns `Hypotheses` and the words that were given to
                start with, string `[rows or 1, P]`, empty on the right, or None.
            num_captions: int32 `[B]`; None: all that are found.
        """
        if not self._of_regions:
            return self._written_captions(images, search, num_captions, lambda rows: rows)
        num_regions = images["region_mask"].shape[1]
        captions = self._written_captions(
            self._region_rows(images),
            search,
            num_captions,
            lambda rows: tf.repeat(rows, num_regions, axis=0),
        )
        captions = {
            name: tf.reshape(value, (-1, num_regions, *_sizes(value)[1:]))
            for name, value in captions.items()
        }
        return region_answers(images, captions)

    def _written_captions(self, rows, search, num_captions, repeated):
        state = self._model.start(rows)
        hypotheses, given = search(state, ops.shape(state["first"])[0], repeated)
        tokens = tf.gather(self._written, hypotheses.token_ids)
        words = tokens
        if given is not None:
            # As they were given, where the model knows them only as <unk>.
            start = tf.shape(given)[1]
            given = tf.where(tf.equal(given, "")[:, None], tokens[:, :, :start], given[:, None])
            words = tf.concat([given, tokens[:, :, start:]], axis=2)
        captions = {
            "captions": tidy(tf.strings.reduce_join(words, axis=-1, separator=" ")),
            "log_prob": hypotheses.log_prob,
            "tokens": tokens,
            "token_log_probs": hypotheses.token_log_probs,
        }
        if num_captions is None:
            return captions
        most = tf.reduce_max(num_captions)
        is_asked = tf.range(most) < repeated(num_captions)[:, None]
        return {
            name: _where_asked(is_asked, value[:, :most], -np.inf if name == "log_prob" else None)
            for name, value in captions.items()
        }

    def _region_rows(self, images):
        """A row for each region of each image, padding included."""
        rows = {}
        for name, value in images.items():
            if name == "images":
                rows[name] = tf.repeat(value, images["region_mask"].shape[1], axis=0)
                continue
            region = value[:, :, None]
            if self._whole_frame:
                frame = tf.broadcast_to(value[:, :1, None], tf.shape(region))
                region = tf.concat([region, frame], axis=2)
            rows[name] = tf.reshape(region, (-1, *region.shape[2:]))
        return rows


def _with_own(rows, own, is_open, blank):
    """Rows `[B, P]` with the `own` one in the place of those that are open, bool `[B, 1]`."""
    own = tf.constant([own], rows.dtype)
    width = tf.maximum(tf.shape(rows)[1], own.shape[1])

    def widened(each):
        more = tf.fill([tf.shape(each)[0], width - tf.shape(each)[1]], blank)
        return tf.concat([each, more], axis=1)

    return tf.where(is_open, widened(own), widened(rows))


def _sizes(values):
    """The shape of a tensor, numbers as far as they are known."""
    values = tf.convert_to_tensor(values)
    sizes = tf.unstack(tf.shape(values))
    return [size if known is None else known for known, size in zip(values.shape, sizes)]


def _where_asked(is_asked, values, blank):
    values = tf.convert_to_tensor(values)
    blank = tf.zeros((), values.dtype) if blank is None else tf.constant(blank, values.dtype)
    shape = (*_sizes(is_asked), *[1] * (len(values.shape) - 2))
    return tf.where(tf.reshape(is_asked, shape), values, blank)


def region_answers(batch, answers):
    """Returns answers of regions with the regions' boxes and how many there are.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        answers: dict of tensors `[B, R, ...]`.

    Returns:
        The answers, 0 or empty strings at padding, and boxes `[B, R, 4]` and num_regions `[B]`.
    """
    mask = tf.convert_to_tensor(batch["region_mask"])
    whole = {}
    for name, values in answers.items():
        is_real = tf.reshape(mask, (-1, mask.shape[1], *[1] * (len(values.shape) - 2)))
        whole[name] = tf.where(is_real, values, tf.zeros((), values.dtype))
    num_regions = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    return {**whole, "boxes": batch["region_boxes"], "num_regions": num_regions}


def tidy(joined):
    """Returns tokens joined by spaces as `CaptionText.join` writes them, string `[...]`."""
    return tf.strings.regex_replace(tf.strings.strip(joined), " " + CONTINUATION, "")
