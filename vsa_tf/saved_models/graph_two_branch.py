"""What a two-branch network answers, in a graph."""

import tensorflow as tf

from vsa_tf.saved_models.graph_region_answers import graph_region_answers
from vsa_tf.saved_models.ranked_boxes import ranked_boxes


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
