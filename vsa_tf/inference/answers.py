"""What an alignment model answers, in a graph."""

import tensorflow as tf

from vsa_tf.decoding.segment_alignment import batch_segment_alignment
from vsa_tf.saved_models.graph_fragments import GraphFragments
from vsa_tf.saved_models.graph_sentences import tidy
from vsa_tf.saved_models.ranked_boxes import ranked_boxes


class GraphAlignment(GraphFragments):
    """The answers of an `AlignmentModel` of words; each method is a signature of its SavedModel.

    B is the number of rows, R the regions of an image, W the words of the longest sentence, H the
    width of the model. What is padded is 0, or an empty string.

    Args:
        model: the `AlignmentModel`.
        photographs: the `GraphPhotographs`.
        sentences: the `GraphSentences`.
        smoothness: beta of the chain that cuts sentences into snippets, in shares of the mean over
            a sentence's words of their best score (`aligned_snippets`).
    """

    def __init__(self, model, photographs, sentences, smoothness):
        super().__init__(model, photographs, sentences)
        self._smoothness = smoothness

    def embed_sentence(self, sentences):
        """Returns words float `[B, W, H]`, tokens string `[B, W]` and num_words `[B]`."""
        batch = self._sentences(sentences)
        is_word = batch["token_ids"] != 0
        return {
            "words": tf.where(is_word[..., None], self._model.embed_sentences(batch), 0.0),
            "tokens": batch["tokens"],
            "num_words": batch["num_words"],
        }

    def score(self, image_bytes, sentences):
        """Returns score `[B]`, of each row's image and sentence."""
        return {"score": self._pairs(image_bytes, sentences)["score"]}

    def align(self, image_bytes, sentences):
        """Aligns each row's sentence to the regions of its image.

        Returns:
            score `[B]`; tokens string `[B, W]`; num_words `[B]`; word_regions int `[B, W]`, -1 at
            padding, and word_scores `[B, W]`, of each word and its region; boxes `[B, R, 4]`;
            and of the snippets, runs of words with one region: snippets string `[B, S]`,
            snippet_boxes `[B, S, 4]`, snippet_scores `[B, S]`, num_snippets `[B]`.
        """
        pairs = self._pairs(image_bytes, sentences)
        scores, lengths = pairs["word_region_scores"], pairs["num_words"]
        scale = tf.maximum(pairs["mean_best"], 1e-12)[:, None, None]
        regions = batch_segment_alignment(
            scores / scale, lengths, self._smoothness, pairs["region_mask"]
        )
        is_word = regions >= 0
        real = tf.maximum(regions, 0)
        word_scores = tf.gather(scores, real, batch_dims=2)
        word_scores = tf.where(is_word, word_scores, 0.0)
        return {
            "score": pairs["score"],
            "tokens": pairs["tokens"],
            "num_words": lengths,
            "word_regions": regions,
            "word_scores": word_scores,
            "boxes": pairs["region_boxes"],
            **_snippets(pairs["tokens"], regions, word_scores, pairs["region_boxes"]),
        }

    def localize(self, image_bytes, phrases):
        """Ranks the regions of each row's image by the sum over the words of its phrase.

        Returns:
            boxes `[B, R, 4]`, best first; scores `[B, R]`; num_boxes `[B]`.
        """
        batch = self._photographs(image_bytes)
        sentence = self._sentences(phrases)
        is_word = (sentence["token_ids"] != 0)[..., None]
        phrase = tf.reduce_sum(
            tf.where(is_word, self._model.embed_sentences(sentence), 0.0), axis=1
        )
        scores = tf.linalg.matvec(self._model.embed_images(batch), phrase)
        return ranked_boxes(batch, scores)

    def _pairs(self, image_bytes, sentences):
        batch = {**self._photographs(image_bytes), **self._sentences(sentences)}
        regions, words = self._model.embed_images(batch), self._model.embed_sentences(batch)
        scores = tf.matmul(words, regions, transpose_b=True)
        mask = batch["region_mask"]
        best = tf.reduce_max(tf.where(mask[:, None], scores, scores.dtype.min), axis=2)
        best = tf.where(batch["token_ids"] != 0, best, 0.0)
        length = tf.cast(batch["num_words"], best.dtype)
        score = tf.reduce_sum(best, axis=1)
        if self._model.length_normalization:
            score /= length
        mean_best = tf.reduce_sum(tf.abs(best), axis=1) / length
        return {**batch, "word_region_scores": scores, "score": score, "mean_best": mean_best}


def _snippets(tokens, regions, word_scores, boxes):
    """Merges neighbouring words of one region; see `align`."""
    is_word = regions >= 0
    starts = tf.concat([is_word[:, :1], is_word[:, 1:] & (regions[:, 1:] != regions[:, :-1])], 1)
    number = tf.cumsum(tf.cast(starts, tf.int32), axis=1) - 1
    num_snippets = tf.reduce_max(number, axis=1) + 1
    count = tf.reduce_max(num_snippets)
    num_rows = tf.shape(regions)[0]
    # Each snippet of the batch has a number of its own; the last is that of padding.
    segment = tf.where(is_word, number + count * tf.range(num_rows)[:, None], num_rows * count)
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
