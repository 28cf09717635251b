"""What a caption generator of a model directory answers."""

import numpy as np
from keras import ops

from vsa_tf.inference.live_region_answers import live_region_answers
from vsa_tf.inference.region_batch import region_batch
from vsa_tf.inference.sentence_reader import padded_strings
from vsa_tf.models.captioning.captioner import CaptionGenerator


class LiveCaptioner:
    """The answers of a `Captioner`, as `GraphCaptioner` gives them in a SavedModel.

    Args:
        model: the `Captioner`.
        photographs: turns a list of encoded images into a batch.
        sentences: the `LiveSentences`.
        decoder, of_regions, whole_frame: see `GraphCaptioner`.
    """

    def __init__(self, model, photographs, sentences, decoder, of_regions=False, whole_frame=False):
        self._model = model
        self._generator = CaptionGenerator(model, decoder)
        self._photographs = photographs
        self._sentences = sentences
        self._of_regions = of_regions
        self._whole_frame = whole_frame

    def caption(self, image_bytes):
        batch = self._photographs(image_bytes)
        if not self._of_regions:
            return self._captions(batch)
        captions = self._captions(region_batch(batch, self._whole_frame))
        return live_region_answers(batch, captions)

    def log_prob(self, image_bytes, sentences):
        image = self._model.encode_images(self._photographs(image_bytes))
        log_probs = self._model.sentence_log_probs(image, self._sentences(sentences)["token_ids"])
        return {"log_prob": ops.convert_to_numpy(ops.sum(log_probs, axis=1))}

    def _captions(self, batch):
        hypotheses = self._generator.predict_on_batch(batch)
        token_ids, token_log_probs, log_prob = (np.asarray(value) for value in hypotheses)
        text = self._sentences.text
        tokens = [[text.decode(ids) for ids in row] for row in token_ids]
        width = token_ids.shape[2]
        return {
            "captions": np.array([[text.join(row) for row in rows] for rows in tokens], object),
            "log_prob": log_prob,
            "tokens": np.stack([padded_strings(rows, width) for rows in tokens]),
            "token_log_probs": token_log_probs,
        }
