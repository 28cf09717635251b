"""What a two-branch network of a model directory answers."""

import numpy as np
from keras import ops

from vsa_tf.inference.live_alignment import ranked_boxes
from vsa_tf.inference.live_region_answers import live_region_answers


class LiveTwoBranch:
    """The answers of a `TwoBranchNetwork`, as `GraphTwoBranch` gives them in a SavedModel.

    Args:
        model: the `TwoBranchNetwork`.
        photographs: turns a list of encoded images into a batch.
        sentences: the `LiveSentences`.
    """

    def __init__(self, model, photographs, sentences):
        self._model = model
        self._photographs = photographs
        self._sentences = sentences

    def embed_image(self, image_bytes):
        batch = self._photographs(image_bytes)
        if self._model.task == "image_sentence":
            return {"embedding": ops.convert_to_numpy(self._model.embed_images(batch))}
        real_regions = self._regions(batch)[batch["region_mask"]]
        return live_region_answers(batch, {"regions": real_regions})

    def embed_sentence(self, sentences):
        batch = self._sentences(sentences)
        return {"embedding": ops.convert_to_numpy(self._model.embed_sentences(batch))}

    def score(self, image_bytes, sentences):
        images = self.embed_image(image_bytes)["embedding"]
        scores = self._model.score(images, self.embed_sentence(sentences)["embedding"])
        return {"score": np.diagonal(ops.convert_to_numpy(scores))}

    def localize(self, image_bytes, phrases):
        batch = self._photographs(image_bytes)
        texts = self.embed_sentence(phrases)["embedding"]
        scores = [
            ops.convert_to_numpy(self._model.score(regions, text[None]))[:, 0]
            for regions, text in zip(self._regions(batch), texts)
        ]
        return ranked_boxes(batch, np.stack(scores))

    def _regions(self, batch):
        return ops.convert_to_numpy(self._model.embed_regions(batch))
