"""What a model of regions and dependency relations answers, in a graph."""

import tensorflow as tf

from vsa_tf.saved_models.graph_region_answers import graph_region_answers


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
