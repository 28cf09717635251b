"""The regions of a split that a model finds for a snippet of text."""

import numpy as np
from keras import ops

from vsa_tf.program import ProgramError
from vsa_tf.retrieval.snippet_query import best_regions


def snippet_regions(model, snippet, embedded, data, top_k=10):
    """Finds the best regions of a split for a snippet.

    Args:
        model: an `AlignmentModel`, or an `EmbeddingNetwork` of regions and phrases, in whose space
            of rows of length 1 the nearest is that of the largest inner product.
        snippet: str.
        embedded: the `EmbeddedSplit` of the model, or its `EmbeddedPairs`.
        data: its `SplitData`.
        top_k: number of regions.

    Returns:
        A list of `RegionHit`, best first.

    Raises:
        ProgramError: the snippet has no words.
    """
    ids = data.text.encode([snippet])[0]
    if not ids:
        raise ProgramError(f"--query={snippet!r} has no words")
    batch = {"token_ids": np.array([ids], np.int32)}
    features = data.text.sentence_features([snippet])
    if features is not None:
        batch["sentence_features"] = features
    # Vectors of a sentence's words [1, W, H], or of a phrase as a whole [1, H].
    vectors = ops.convert_to_numpy(model.embed_sentences(batch))
    words = vectors.reshape(-1, vectors.shape[-1])
    return best_regions(words, embedded.regions, embedded.region_mask, top_k)
