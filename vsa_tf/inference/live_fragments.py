"""What a model of regions and dependency relations answers, from a model directory."""

import numpy as np
from keras import ops

from vsa_tf.inference.live_region_answers import live_region_answers


class LiveFragments:
    """The answers of a `FragmentModel`, as `GraphFragments` gives them in a SavedModel.

    Args:
        model: the `FragmentModel`.
        photographs: turns a list of encoded images into a batch.
        sentences: the `LiveRelations`.
    """

    def __init__(self, model, photographs, sentences):
        self._model = model
        self._photographs = photographs
        self._sentences = sentences

    def embed_image(self, image_bytes):
        batch = self._photographs(image_bytes)
        real_regions = self._regions(batch)[batch["region_mask"]]
        return live_region_answers(batch, {"regions": real_regions})

    def embed_sentence(self, sentences):
        batch = self._sentences(sentences)
        return {"fragments": self._words(batch), "num_fragments": batch["num_fragments"]}

    def score(self, image_bytes, sentences):
        return {"score": self._scores(self._photographs(image_bytes), self._sentences(sentences))}

    def _regions(self, batch):
        return ops.convert_to_numpy(self._model.embed_images(batch))

    def _words(self, batch):
        is_real = ops.convert_to_numpy(self._model.sentence_mask(batch))
        words = ops.convert_to_numpy(self._model.embed_sentences(batch))
        return np.where(is_real[..., None], words, np.float32(0))

    def _scores(self, images, texts):
        scores = self._model.score(
            self._model.embed_images(images),
            images["region_mask"],
            self._model.embed_sentences(texts),
            self._model.sentence_mask(texts),
        )
        return np.diagonal(ops.convert_to_numpy(scores))
