"""Retrieval by a sentence and its phrases, or its words (T eq. 8)."""

import numpy as np

from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.retrieval_metrics import recall_sum, retrieval_metrics
from vsa_tf.models.two_branch.settings import DEFAULT_PHRASE_WEIGHT
from vsa_tf.scoring.embedded_split import EmbeddedPairs, EmbeddedSplit
from vsa_tf.scoring.phrase_distances import combined_distance, phrase_distances

WEIGHTS = tuple(step / 20 for step in range(21))
_QUICK = EvaluationOptions(intervals=False)


def combined_retrieval(model, data, scores, options, splits, weight=DEFAULT_PHRASE_WEIGHT):
    """Ranks images and sentences by the combined distance.

    Args:
        model: an `EmbeddingNetwork` of the image-sentence task.
        data: `SplitData` of N images and M sentences.
        scores: float `[N, M]`, minus the model's distances.
        options: `EvaluationOptions`.
        splits: `GivenSplits` or `StoredSplits`; `phrase_model` gives the model of d_rp: a
            region-phrase network, or a `FragmentModel`, whose words or relations find their best
            regions as phrases do, so that d_rp is minus its score.
        weight: a; None: chosen on `splits.dev` by the sum of all recalls.

    Returns:
        dict of `weight`, a; `num_without_phrases`, sentences that have d(x, y) alone;
        `image_to_sentence` and `sentence_to_image` as of `retrieval_metrics`, and its `folds`; and
        where a was chosen `tuning`: `split`, and `recall_sums` for each weight.
    """
    tuning = {}
    if weight is None:
        dev = splits.dev
        dev_scores = EmbeddedPairs.embed(model, dev).scores(model)
        sums = recall_sums(-dev_scores, *_of_phrases(dev, splits), dev.records.image_of_caption)
        weight = max(sums, key=sums.get)
        tuning = {
            "tuning": {
                "split": dev.records.split,
                "recall_sums": {f"{each:.2f}": value for each, value in sums.items()},
            }
        }
    distances, has_phrases = _of_phrases(data, splits)
    combined = combined_distance(-scores, distances, has_phrases, weight)
    return {
        "weight": weight,
        "num_without_phrases": int(np.count_nonzero(~has_phrases)),
        **retrieval_metrics(-combined, data.records.image_of_caption, options),
        **tuning,
    }


def recall_sums(distances, phrase_distances, has_phrases, image_of_sentence):
    """Returns the sum of all six recalls, percent, for each of `WEIGHTS`, a dict.

    Args:
        distances, phrase_distances, has_phrases: see `combined_distance`.
        image_of_sentence: int `[M]`.
    """
    sums = {}
    for weight in WEIGHTS:
        combined = combined_distance(distances, phrase_distances, has_phrases, weight)
        sums[weight] = recall_sum(retrieval_metrics(-combined, image_of_sentence, _QUICK))
    return sums


def _of_phrases(data, splits):
    """Returns d_rp, float32 `[N, M]`, and which sentences have phrases, bool `[M]`."""
    model, parts = splits.phrase_model(data.records)
    sentences = parts.records.sentence_of_phrase
    if sentences is None:  # a model of words, not of phrases
        embedded = EmbeddedSplit.embed(model, parts)
        return -embedded.scores(model), embedded.lengths > 0
    num_sentences = data.records.num_captions
    embedded = EmbeddedPairs.embed(model, parts)
    distances = phrase_distances(
        embedded.regions, embedded.region_mask, embedded.sentences, sentences, num_sentences
    )
    return distances, np.bincount(sentences, minlength=num_sentences) > 0
