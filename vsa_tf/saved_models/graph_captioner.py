"""What a caption generator answers, in a graph."""

import tensorflow as tf

from vsa_tf.saved_models.graph_region_answers import graph_region_answers


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
