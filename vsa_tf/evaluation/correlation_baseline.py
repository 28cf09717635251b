"""Normalised CCA in the place of a two-branch network."""

import dataclasses

import numpy as np
from keras import ops

from vsa_tf.evaluation.canonical_correlation import CanonicalCorrelation, PairCovariance
from vsa_tf.program import silent

REGULARIZATIONS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0)
# As published with Flickr30K Entities and in T.
_POWER = 4.0
_BATCH_SIZE = 256


class CorrelationBaseline:
    """Embeds and scores as a two-branch network does, by linear projections that CCA has found.

    Args:
        network: the `TwoBranchNetwork`; of it only what its branches read is used.
        correlation: the `CanonicalCorrelation` of that.

    Attributes:
        task: that of the network.
    """

    has_joint_space = True

    def __init__(self, network, correlation):
        self.task = network.task
        self._network = network
        self._correlation = correlation

    def embed_images(self, batch):
        """Returns the projection of region 0 of every row, float32 `[B, K]`."""
        return self._correlation.project_x(ops.convert_to_numpy(self._network.image_inputs(batch)))

    def embed_regions(self, batch):
        """Returns the projections of all regions, float32 `[B, R, K]`."""
        inputs = ops.convert_to_numpy(self._network.region_inputs(batch))
        rows = self._correlation.project_x(inputs.reshape(-1, inputs.shape[-1]))
        return rows.reshape(*inputs.shape[:-1], -1)

    def embed_sentences(self, batch):
        """Returns the projections of sentences or phrases, float32 `[B, K]`."""
        return self._correlation.project_y(ops.convert_to_numpy(self._network.text_inputs(batch)))

    def score(self, images, sentences):
        """Returns the cosine of every pair, float32 `[N, M]`."""
        return images @ sentences.T


def fit_correlation_baseline(network, evaluator, splits, options, say=silent):
    """Fits to the training split; the regularisation is the one that is best on the dev split.

    Args:
        network: a `TwoBranchNetwork` that reads features of images and of sentences.
        evaluator: the `TwoBranchEvaluator`; its `selection_score` says what is best.
        splits: `GivenSplits` or `StoredSplits`, with the training and the dev split.
        options: `EvaluationOptions`.
        say: called with each line about the work.

    Returns:
        `(baseline, report)`: the `CorrelationBaseline`, as wide as the network's joint space at
        most, and a dict of `baseline`, `baseline_choice` and `protocol` for `evaluation_report`.
    """
    x, y = training_pairs(network, splits.training)
    say(f"fitting CCA to {len(x)} pairs of {x.shape[1]} and {y.shape[1]} numbers")
    covariance = PairCovariance.of(x, y)
    dimensions = min(network.joint_size, x.shape[1], y.shape[1])
    dev = splits.dev
    quick = dataclasses.replace(options, intervals=False, fold_size=0, num_pictures=0)
    baselines, scores = {}, {}
    for regularization in REGULARIZATIONS:
        correlation = CanonicalCorrelation.from_covariance(
            covariance, regularization, dimensions, _POWER
        )
        baseline = CorrelationBaseline(network, correlation)
        metrics = evaluator.evaluate(baseline, dev, quick).metrics
        baselines[regularization] = baseline
        scores[regularization] = evaluator.selection_score(metrics)
    best = max(scores, key=scores.get)
    split = dev.records.split
    return baselines[best], {
        "baseline": "cca",
        "baseline_choice": {
            "regularization": best,
            "dimensions": dimensions,
            "power": _POWER,
            "num_pairs": len(x),
            "split": split,
            "selection_scores": {f"{each:g}": score for each, score in scores.items()},
        },
        "protocol": (
            f"normalised CCA of {len(x)} training pairs, on the features that the network reads; "
            f"{dimensions} dimensions, eigenvalues to the power {_POWER:g}, cosine; regularisation "
            f"{best:g} of the mean variance, the best of "
            f"{', '.join(f'{each:g}' for each in REGULARIZATIONS)} on {split}"
        ),
    }


def training_pairs(network, data):
    """Returns what the branches of a network read of every training pair.

    Args:
        network: a `TwoBranchNetwork`.
        data: `SplitData` of images and sentences, or of phrases: then a pair is a phrase and its
            annotated box, or where the records hold no feature of it the proposal that overlaps it
            most, by at least 0.5.

    Returns:
        `(x, y)`, float16 `[n, P]` and `[n, Q]`.
    """
    regions, width = data.phrase_regions, int(data.tokens.lengths.max())
    texts = np.arange(data.records.num_captions)
    if regions is not None:
        texts = texts[regions.has_region]
    x = y = None
    for first in range(0, len(texts), _BATCH_SIZE):
        block = texts[first : first + _BATCH_SIZE]
        batch = data.pipeline.assembler.pair_batch(block, width)
        if regions is not None:
            batch |= regions.of(block, 0, batch)
        images = ops.convert_to_numpy(network.image_inputs(batch))
        sentences = ops.convert_to_numpy(network.text_inputs(batch))
        if x is None:
            x = np.empty((len(texts), images.shape[1]), np.float16)
            y = np.empty((len(texts), sentences.shape[1]), np.float16)
        x[first : first + len(block)], y[first : first + len(block)] = images, sentences
    return x, y
