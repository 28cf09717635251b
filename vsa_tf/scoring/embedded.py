"""A split after the model: region vectors and vectors of words, or other fragments."""

import dataclasses

import numpy as np
from keras import ops


@dataclasses.dataclass
class EmbeddedSplit:
    """What a `FragmentModel` makes of a split of N images and M sentences.

    Where the model reads dependency relations, they are meant by words.

    Attributes:
        regions: float32 `[N, R, H]`, v.
        region_mask: bool `[N, R]`.
        words: float32 `[P, H]`, s of the real words, sentence after sentence.
        lengths: int `[M]`, words of each sentence; they sum to P.
        starts: int `[M]`, position of each sentence's first word.
    """

    regions: np.ndarray
    region_mask: np.ndarray
    words: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self):
        return np.cumsum(self.lengths) - self.lengths

    def words_of(self, sentence):
        """Returns s of one sentence, float32 `[W, H]`."""
        start = self.starts[sentence]
        return self.words[start : start + self.lengths[sentence]]

    @classmethod
    def embed(cls, model, data, image_batch_size=100, sentence_batch_size=250):
        """Runs `model` over all images and sentences of `data`, a `SplitData`."""
        regions, masks, words = [], [], []
        for batch in data.image_batches(image_batch_size):
            regions.append(ops.convert_to_numpy(model.embed_images(batch)).astype(np.float32))
            masks.append(ops.convert_to_numpy(batch["region_mask"]))
        for batch in data.sentence_batches(sentence_batch_size):
            vectors = ops.convert_to_numpy(model.embed_sentences(batch)).astype(np.float32)
            words.append(vectors[ops.convert_to_numpy(model.sentence_mask(batch))])
        return cls(
            np.concatenate(regions),
            np.concatenate(masks),
            np.concatenate(words),
            data.tokens.lengths,
        )
