"""What trained models answer, in TensorFlow operations: one method a signature.

The same code answers for a model directory (`LocalModel`, eagerly) and within a SavedModel
(`export_model`, as a graph): what differs is how photographs and sentences are read into batches.
"""

import keras
import numpy as np
import tensorflow as tf

from vsa_tf.boxes import WITH_BOXES, WITHOUT_BOXES, box_agreement
from vsa_tf.decoding.segment_alignment import smooth_alignment, snippet_numbers
from vsa_tf.inference.caption_answers import CaptionAnswers, region_answers, tidy

# What is said of texts, whatever is asked about them.
_OF_TEXTS = ("unknown_words", "num_known_words")


def make_answers(trained, settings):
    """Returns the answers of a trained model, an object with a method for each signature.

    Args:
        trained: the `TrainedModel`.
        settings: `AnswerSettings`.
    """
    model, own = trained.model, trained.settings.model
    if own.family == "captioning":
        return CaptionAnswers(
            model,
            trained.text,
            settings.make_decoder(),
            prefix=settings.prefix,
            of_regions=own.captions_regions,
            whole_frame=own.whole_frame,
            wide_search=settings.make_search(settings.most_beams, settings.most_beams),
            beam_size=settings.beam_size,
            num_captions=settings.num_captions,
        )
    if own.family == "two_branch":
        return TwoBranchAnswers(model)
    if own.reads_dependencies:
        return FragmentAnswers(model)
    return AlignmentAnswers(model, settings.smoothness)


def answer(answers, name, *batches):
    """Answers one signature.

    Args:
        answers: of `make_answers`.
        name: of the signature, a method of theirs.
        *batches: what it takes.

    Returns:
        What it gives; and of each row's text, where there is one, unknown_words string `[B, U]`,
        the words that the model does not know, empty on the right, and num_known_words `[B]`, how
        many it knows: of a text of which it knows none, the answer means nothing.
    """
    answered = getattr(answers, name)(*batches)
    read = [batch for batch in batches if isinstance(batch, dict)]  # others are numbers
    of_texts = {key: batch[key] for batch in read for key in _OF_TEXTS if key in batch}
    return {**answered, **of_texts}


class FragmentAnswers:
    """The answers of a `FragmentModel`.

    B is the number of rows, R the regions of an image, E the relations of the longest sentence, H
    the width of the model. What is padded is 0.

    Args:
        model: the `FragmentModel`.
    """

    def __init__(self, model):
        self._model = model

    def embed_image(self, images):
        """Returns regions float `[B, R, H]`, boxes `[B, R, 4]` and num_regions `[B]`.

        Args:
            images: a batch, dict of region_boxes `[B, R, 4]`, region_mask `[B, R]`, and
                region_features `[B, R, D]` or images `[B, S, S, 3]`.
        """
        return region_answers(images, {"regions": self._regions(images)})

    def embed_sentence(self, sentences):
        """Returns fragments float `[B, E, H]` and num_fragments `[B]`.

        Args:
            sentences: a batch, dict of what the model reads of sentences and of what is said of
                them: here num_fragments `[B]`.
        """
        return {
            "fragments": self._fragments(sentences),
            "num_fragments": sentences["num_fragments"],
        }

    def score(self, images, sentences):
        """Returns score `[B]`, of each row's image and sentence."""
        regions, fragments = self._regions(images), self._fragments(sentences)
        return {"score": self._scores(images, regions, sentences, fragments)}

    def _scores(self, images, regions, sentences, fragments):
        """Scores what is embedded, `[B]`."""

        def score(*row):
            return self._model.score(*(part[None] for part in row))[0, 0]

        mask = self._model.sentence_mask(sentences)
        return _map_rows(score, (regions, images["region_mask"], fragments, mask))

    def _regions(self, images):
        return tf.convert_to_tensor(self._model.embed_images(images))

    def _fragments(self, sentences):
        is_real = tf.convert_to_tensor(self._model.sentence_mask(sentences))[..., None]
        return tf.where(is_real, self._model.embed_sentences(sentences), 0.0)


class AlignmentAnswers(FragmentAnswers):
    """The answers of an `AlignmentModel` of words.

    B is the number of rows, R the regions of an image, W the words of the longest sentence, H the
    width of the model. What is padded is 0, or an empty string.

    Args:
        model: the `AlignmentModel`.
        smoothness: beta of the chain that cuts sentences into snippets (`smooth_alignment`).
    """

    def __init__(self, model, smoothness):
        super().__init__(model)
        self._smoothness = smoothness

    def embed_sentence(self, sentences):
        """Returns words float `[B, W, H]`, tokens string `[B, W]` and num_words `[B]`."""
        return {
            "words": self._fragments(sentences),
            "tokens": sentences["tokens"],
            "num_words": sentences["num_words"],
        }

    def align(self, images, sentences):
        """Aligns each row's sentence to the regions of its image.

        Returns:
            score `[B]`; tokens string `[B, W]`; num_words `[B]`; word_regions int `[B, W]`, -1 at
            padding, and word_scores `[B, W]`, of each word and its region; boxes `[B, R, 4]`;
            and of the snippets, runs of words with one region: snippets string `[B, S]`,
            snippet_boxes `[B, S, 4]`, snippet_scores `[B, S]`, num_snippets `[B]`.
        """
        vectors, words = self._regions(images), self._fragments(sentences)
        scores = tf.matmul(words, vectors, transpose_b=True)
        regions = tf.convert_to_tensor(
            smooth_alignment(
                scores,
                sentences["num_words"],
                self._smoothness,
                images["region_mask"],
                _array_module(),
            )
        )
        word_scores = tf.gather(scores, tf.maximum(regions, 0), batch_dims=2)
        word_scores = tf.where(regions >= 0, word_scores, 0.0)
        return {
            "score": self._scores(images, vectors, sentences, words),
            "tokens": sentences["tokens"],
            "num_words": sentences["num_words"],
            "word_regions": regions,
            "word_scores": word_scores,
            "boxes": images["region_boxes"],
            **_snippets(sentences["tokens"], regions, word_scores, images["region_boxes"]),
        }

    def localize(self, images, phrases):
        """Ranks the regions of each row's image by the sum over the words of its phrase.

        Returns:
            boxes `[B, R, 4]`, best first by `box_agreement`; their own scores `[B, R]`; num_boxes
            `[B]`.
        """
        phrase = tf.reduce_sum(self._fragments(phrases), axis=1)
        scores = tf.linalg.matvec(self._regions(images), phrase)
        return ranked_boxes(images, scores, WITHOUT_BOXES)


class TwoBranchAnswers:
    """The answers of a `TwoBranchNetwork`.

    B is the number of rows, R the regions of an image, H the width of the model. What is padded
    is 0.

    Args:
        model: the `TwoBranchNetwork`.
    """

    def __init__(self, model):
        self._model = model

    def embed_image(self, images):
        """Returns embedding float `[B, H]`; of regions and phrases: regions float `[B, R, H]`,
        boxes `[B, R, 4]` and num_regions `[B]`."""
        if self._model.task == "image_sentence":
            return {"embedding": self._model.embed_images(images)}
        return region_answers(images, {"regions": self._model.embed_regions(images)})

    def embed_sentence(self, sentences):
        """Returns embedding float `[B, H]`."""
        return {"embedding": self._model.embed_sentences(sentences)}

    def score(self, images, sentences):
        """Returns score `[B]`, of each row's image and sentence."""
        vectors = tf.convert_to_tensor(self._model.embed_images(images))
        return {"score": self._scores(vectors[:, None], sentences)[:, 0]}

    def localize(self, images, phrases):
        """Ranks the regions of each row's image for its phrase.

        Returns:
            boxes `[B, R, 4]`, best first by `box_agreement`; their own scores `[B, R]`; num_boxes
            `[B]`.
        """
        vectors = tf.convert_to_tensor(self._model.embed_regions(images))
        return ranked_boxes(images, self._scores(vectors, phrases), WITH_BOXES)

    def _scores(self, vectors, texts):
        """Scores of vectors `[B, r, H]` and one text a row, `[B, r]`."""
        texts = tf.convert_to_tensor(self._model.embed_sentences(texts))

        def scores(vectors, text):
            return self._model.score(vectors, text[None])[:, 0]

        return _map_rows(scores, (vectors, texts), (vectors.shape[1],))


def _map_rows(function, parts, shape=()):
    """Asks a model about each row of tensors alone; it gives float32 of `shape`."""
    if keras.backend.backend() == "tensorflow":
        specification = tf.TensorSpec(shape, tf.float32)
        # As it is: to rewrite it, and all that it calls, takes a second.
        of_row = tf.autograph.experimental.do_not_convert(lambda row: function(*row))
        return tf.map_fn(of_row, parts, fn_output_signature=specification)
    # Other backends are never within a graph of TensorFlow's.
    rows = zip(*(np.asarray(part) for part in parts))
    return tf.stack([tf.convert_to_tensor(function(*row)) for row in rows])


def _array_module():
    """Loops over words: eager ones of Keras take a hundred times as long as numpy's."""
    return np if tf.executing_eagerly() else keras.ops


def _snippets(tokens, regions, word_scores, boxes):
    """Merges neighbouring words of one region; see `align`."""
    number = tf.convert_to_tensor(snippet_numbers(regions, _array_module()))
    num_snippets = tf.reduce_max(number, axis=1) + 1
    count = tf.reduce_max(num_snippets)
    num_rows = tf.shape(regions)[0]
    # Each snippet of the batch has a number of its own; the last is that of padding.
    segment = tf.where(number >= 0, number + count * tf.range(num_rows)[:, None], num_rows * count)
    segment = tf.reshape(segment, (-1,))
    region_boxes = tf.gather(boxes, tf.maximum(regions, 0), batch_dims=1)

    def per_snippet(combine, values, tail=()):
        values = tf.reshape(values, (-1, *tail))
        return tf.reshape(
            combine(values, segment, num_rows * count + 1)[:-1], (num_rows, count, *tail)
        )

    real = tf.range(count) < num_snippets[:, None]
    snippet_boxes = per_snippet(tf.math.unsorted_segment_max, region_boxes, (4,))
    return {
        "snippets": tidy(per_snippet(_join, tokens)),
        "snippet_boxes": tf.where(real[..., None], snippet_boxes, 0.0),
        "snippet_scores": per_snippet(tf.math.unsorted_segment_sum, word_scores),
        "num_snippets": num_snippets,
    }


def _join(values, segment, count):
    return tf.strings.unsorted_segment_join(values, segment, count, separator=" ")


def ranked_boxes(batch, scores, power):
    """Ranks the real regions of each row by `box_agreement`: the answer of `localize`.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        scores: float `[B, R]`, of each region by itself.
        power: of the overlap.

    Returns:
        dict of boxes `[B, R, 4]`, best first, scores `[B, R]`, num_boxes `[B]`; 0 at padding. Of
        equal regions the earlier is first.
    """
    mask, boxes = tf.convert_to_tensor(batch["region_mask"]), batch["region_boxes"]
    agreement = tf.convert_to_tensor(box_agreement(scores, boxes, mask, power, keras.ops))
    order = tf.argsort(tf.where(mask, agreement, -1.0), axis=1, direction="DESCENDING", stable=True)
    mask = tf.gather(mask, order, batch_dims=1)
    return {
        "boxes": tf.where(mask[..., None], tf.gather(boxes, order, batch_dims=1), 0.0),
        "scores": tf.where(mask, tf.gather(scores, order, batch_dims=1), 0.0),
        "num_boxes": tf.reduce_sum(tf.cast(mask, tf.int32), axis=1),
    }
