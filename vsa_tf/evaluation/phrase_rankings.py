"""Which regions a two-branch network finds for phrases."""

import numpy as np


def phrase_rankings(model, embedded, image_of_phrase):
    """Ranks the regions of each phrase's image by their similarity to the phrase.

    Args:
        model: the network, or another object with its `score`.
        embedded: `EmbeddedPairs` of regions and P phrases.
        image_of_phrase: int `[P]`.

    Returns:
        list of P int arrays, each the real regions of the phrase's image, best first; of equal ones
        the earlier region first.
    """
    rankings = [None] * len(image_of_phrase)
    order = np.argsort(image_of_phrase, kind="stable")
    images, starts = np.unique(image_of_phrase[order], return_index=True)
    for image, phrases in zip(images, np.split(order, starts[1:])):
        real = np.flatnonzero(embedded.region_mask[image])
        scores = embedded.region_scores(model, image, phrases)
        for phrase, column in zip(phrases, np.argsort(-scores, axis=0, kind="stable").T):
            rankings[phrase] = real[column]
    return rankings
