"""What trained models answer, in TensorFlow operations: one method a signature."""

import tensorflow as tf

from vsa_tf.decoding.segment_alignment import batch_segment_alignment
from vsa_tf.inference.graph_sentences import tidy


class GraphFragments:
    """The answers of a `FragmentModel`; each method is a signature of its SavedModel.

    B is the number of rows, R the regions of an image, E the relations of the longest sentence, H
    the width of the model. What is padded is 0.

    Args:
        model: the `FragmentModel`.
        photographs: the `GraphPhotographs`.
        sentences: the `GraphRelations`.
    """

    def __init__(self, model, photographs, sentences):
        self._model = model
        self._photographs = photographs
        self._sentences = sentences

    def embed_image(self, image_bytes):
        """Returns regions float `[B, R, H]`, boxes `[B, R, 4]` and num_regions `[B]`."""
        batch = self._photographs(image_bytes)
        return graph_region_answers(batch, {"regions": self._model.embed_images(batch)})

    def embed_sentence(self, sentences):
        """Returns fragments float `[B, E, H]` and num_fragments `[B]`."""
        batch = self._sentences(sentences)
        is_real = self._model.sentence_mask(batch)[..., None]
        return {
            "fragments": tf.where(is_real, self._model.embed_sentences(batch), 0.0),
            "num_fragments": batch["num_fragments"],
        }

    def score(self, image_bytes, sentences):
        """Returns score `[B]`, of each row's image and sentence."""
        images, texts = self._photographs(image_bytes), self._sentences(sentences)
        scores = self._model.score(
            self._model.embed_images(images),
            images["region_mask"],
            self._model.embed_sentences(texts),
            self._model.sentence_mask(texts),
        )
        # A row is one image and one sentence: of all pairs, the rows' own.
        return {"score": tf.linalg.diag_part(scores)}


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


class GraphTwoBranch:
    """The answers of a `TwoBranchNetwork`; each method is a signature of its SavedModel.

    B is the number of rows, R the regions of an image, H the width of the model. What is padded
    is 0.

    Args:
        model: the `TwoBranchNetwork`.
        photographs: the `GraphPhotographs`.
        sentences: the `GraphSentences`.
    """

    def __init__(self, model, photographs, sentences):
        self._model = model
        self._photographs = photographs
        self._sentences = sentences

    def embed_image(self, image_bytes):
        """Returns embedding float `[B, H]`; of regions and phrases: regions float `[B, R, H]`,
        boxes `[B, R, 4]` and num_regions `[B]`."""
        batch = self._photographs(image_bytes)
        if self._model.task == "image_sentence":
            return {"embedding": self._model.embed_images(batch)}
        return graph_region_answers(batch, {"regions": self._model.embed_regions(batch)})

    def embed_sentence(self, sentences):
        """Returns embedding float `[B, H]`."""
        return {"embedding": self._model.embed_sentences(self._sentences(sentences))}

    def score(self, image_bytes, sentences):
        """Returns score `[B]`, of each row's image and sentence."""
        images = self._model.embed_images(self._photographs(image_bytes))
        return {"score": self._scores(images[:, None], sentences)[:, 0]}

    def localize(self, image_bytes, phrases):
        """Ranks the regions of each row's image for its phrase.

        Returns:
            boxes `[B, R, 4]`, best first; scores `[B, R]`; num_boxes `[B]`.
        """
        batch = self._photographs(image_bytes)
        return ranked_boxes(batch, self._scores(self._model.embed_regions(batch), phrases))

    def _scores(self, vectors, texts):
        """Scores of vectors `[B, r, H]` and one text a row, `[B, r]`."""
        texts = self._model.embed_sentences(self._sentences(texts))
        return tf.map_fn(
            lambda row: self._model.score(row[0], row[1][None])[:, 0],
            (vectors, texts),
            fn_output_signature=tf.TensorSpec((vectors.shape[1],), tf.float32),
        )


class GraphCaptioner:
    """The answers of a `Captioner`; each method is a signature of its SavedModel.

    B is the number of rows, K the captions of an image, W the most tokens of a caption.

    Args:
        model: the `Captioner`.
        photographs: the `GraphPhotographs`.
        sentences: the `GraphSentences`.
        decoder: a decoder of `vsa_tf.decoding`.
        of_regions: caption every region of an image instead of the image.
        whole_frame: the region captioner sees the whole frame beside a region.
    """

    def __init__(self, model, photographs, sentences, decoder, of_regions=False, whole_frame=False):
        self._model = model
        self._photographs = photographs
        self._sentences = sentences
        self._decoder = decoder
        self._of_regions = of_regions
        self._whole_frame = whole_frame

    def caption(self, image_bytes):
        """Writes captions for images.

        Returns:
            captions string `[B, K]`, best first; log_prob `[B, K]`, END counted; tokens string
            `[B, K, W]`, empty from END on; token_log_probs `[B, K, W]`, END's after the last token,
            then 0. A captioner of regions: the same of each region, `[B, R, K...]`, empty and 0 at
            padding, with boxes `[B, R, 4]` and num_regions `[B]`.
        """
        batch = self._photographs(image_bytes)
        if not self._of_regions:
            return self._captions(batch)
        num_regions = batch["region_mask"].shape[1]
        return graph_region_answers(
            batch,
            {
                name: tf.reshape(value, (-1, num_regions, *value.shape[1:]))
                for name, value in self._captions(self._region_rows(batch)).items()
            },
        )

    def log_prob(self, image_bytes, sentences):
        """Returns log_prob `[B]`, of each row's sentence, END counted, given its image."""
        image = self._model.encode_images(self._photographs(image_bytes))
        token_ids = self._sentences(sentences)["token_ids"]
        log_probs = self._model.sentence_log_probs(image, token_ids)
        return {"log_prob": tf.reduce_sum(log_probs, axis=1)}

    def _captions(self, batch):
        state = self._model.start(batch)
        hypotheses = self._decoder(self._model.step, state, tf.shape(state["first"])[0])
        tokens = self._sentences.written(hypotheses.token_ids)
        return {
            "captions": self._sentences.join(tokens),
            "log_prob": hypotheses.log_prob,
            "tokens": tokens,
            "token_log_probs": hypotheses.token_log_probs,
        }

    def _region_rows(self, batch):
        """A row for each region of each image, padding included; as `region_batch`."""
        rows = {}
        for name, value in batch.items():
            if name == "images":
                rows[name] = tf.repeat(value, batch["region_mask"].shape[1], axis=0)
                continue
            region = value[:, :, None]
            if self._whole_frame:
                frame = tf.broadcast_to(value[:, :1, None], tf.shape(region))
                region = tf.concat([region, frame], axis=2)
            rows[name] = tf.reshape(region, (-1, *region.shape[2:]))
        return rows


def graph_region_answers(batch, answers):
    """Returns answers of regions with the regions' boxes and how many there are.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        answers: dict of tensors `[B, R, ...]`.

    Returns:
        The answers, 0 or empty strings at padding, and boxes `[B, R, 4]` and num_regions `[B]`.
    """
    mask = batch["region_mask"]
    whole = {}
    for name, values in answers.items():
        is_real = tf.reshape(mask, (-1, mask.shape[1], *[1] * (len(values.shape) - 2)))
        whole[name] = tf.where(is_real, values, tf.zeros((), values.dtype))
    num_regions = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)
    return {**whole, "boxes": batch["region_boxes"], "num_regions": num_regions}


def ranked_boxes(batch, scores):
    """Ranks the real regions of each row, in a graph: the answer of `localize`.

    Args:
        batch: dict with region_boxes `[B, R, 4]` and region_mask `[B, R]`.
        scores: float `[B, R]`; of equal ones the earlier region is first.

    Returns:
        dict of boxes `[B, R, 4]`, best first, scores `[B, R]`, num_boxes `[B]`; 0 at padding.
    """
    mask = batch["region_mask"]
    order = tf.argsort(
        tf.where(mask, scores, scores.dtype.min), axis=1, direction="DESCENDING", stable=True
    )
    mask = tf.gather(mask, order, batch_dims=1)
    return {
        "boxes": tf.gather(batch["region_boxes"], order, batch_dims=1),
        "scores": tf.where(mask, tf.gather(scores, order, batch_dims=1), 0.0),
        "num_boxes": tf.reduce_sum(tf.cast(mask, tf.int32), axis=1),
    }
