"""The vectors of a split that TensorBoard's embedding projector shows."""

import dataclasses

import keras
import numpy as np

from vsa_tf.evaluation.probability_retrieval import encode_images
from vsa_tf.models.captioning.captioner import Captioner

# Images of a split; with a sentence each there are twice as many points.
_MOST_IMAGES = 4096


@dataclasses.dataclass
class ProjectedPoints:
    """P points.

    Attributes:
        vectors: float `[P, H]`, of length 1: models compare by angle.
        kinds: list of P str, such as `image`.
        texts: list of P str.
        images: int `[P]`, whose photograph stands for each point.
    """

    vectors: np.ndarray
    kinds: list
    texts: list
    images: np.ndarray

    @classmethod
    def of_evaluation(cls, model, evaluation, data):
        """Takes images, spread over the split, and the first sentence of each.

        An alignment model's image is its whole frame, its sentence the sum of its words. Of
        phrases, each is a point; of a caption generator, what each image hands to it.

        Args:
            model: the model.
            evaluation: its `Evaluation`.
            data: the `SplitData`.
        """
        records, embedded = data.records, evaluation.embedded
        if isinstance(model, Captioner):
            parts = keras.tree.flatten(encode_images(model, data))
            vectors = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
            return cls._of(vectors, None, records)
        if evaluation.scores is None:
            chosen = _spread(records.num_captions)
            return cls(
                _unit(embedded.sentences[chosen]),
                ["phrase"] * len(chosen),
                [records.captions[phrase] for phrase in chosen],
                records.image_of_caption[chosen],
            )
        if embedded.regions is None:
            return cls._of(embedded.images, embedded.sentences, records)
        # Every sentence has a word at least, see TokenStore.
        sentences = np.add.reduceat(embedded.words, embedded.starts)
        return cls._of(embedded.regions[:, 0], sentences, records)

    @classmethod
    def _of(cls, images, sentences, records):
        chosen = _spread(len(images))
        points = cls(
            _unit(images[chosen]),
            ["image"] * len(chosen),
            [records.filenames[image] for image in chosen],
            chosen,
        )
        if sentences is None:
            return points
        captioned = chosen[np.diff(records.first_caption)[chosen] > 0]
        first = records.first_caption[captioned]
        return cls(
            np.concatenate([points.vectors, _unit(sentences[first])]),
            points.kinds + ["sentence"] * len(first),
            points.texts + [records.captions[sentence] for sentence in first],
            np.concatenate([chosen, captioned]),
        )


def _spread(count):
    return np.linspace(0, count - 1, min(count, _MOST_IMAGES)).astype(int)


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
