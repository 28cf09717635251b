"""Retrieval by the scores of several models, and by a sentence and its phrases (T eq. 8)."""

import functools
import math

import numpy as np

from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.generated_scenes import generated_ceiling
from vsa_tf.evaluation.metrics_file import ensemble_report
from vsa_tf.evaluation.probability_retrieval import relative_scores
from vsa_tf.evaluation.retrieval_metrics import recall_sum, rescored_metrics, retrieval_metrics
from vsa_tf.evaluation.stored_splits import check_fold_size, check_same_pairs
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.model_dir.load_split import model_view, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.two_branch.settings import DEFAULT_PHRASE_WEIGHT
from vsa_tf.program import silent
from vsa_tf.scoring.blocked_scores import phrase_distances
from vsa_tf.scoring.combined_scores import (
    add_weighted,
    combined_scores,
    sentence_weights,
    standardize,
)
from vsa_tf.scoring.embedded_split import EmbeddedPairs, embed_split
from vsa_tf.settings import Settings

# Weights are multiples of a twentieth; of many models, of what gives no more choices than this.
_MOST_CHOICES = 300
_QUICK = EvaluationOptions(intervals=False)


def combined_retrieval(model, data, scores, options, splits, weight=DEFAULT_PHRASE_WEIGHT):
    """Ranks images and sentences by the combined distance, T eq. 8.

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
        both, covered = _with_phrases(dev, dev_scores, splits)
        sums = recall_sums(both, covered, dev.records.image_of_caption)
        sums = {of_phrases: value for (_, of_phrases), value in sums.items()}
        weight = max(sums, key=sums.get)
        tuning = {
            "tuning": {
                "split": dev.records.split,
                "recall_sums": {f"{each:.2f}": value for each, value in sums.items()},
            }
        }
    both, covered = _with_phrases(data, scores, splits)
    combined = combined_scores(both, covered, (1 - weight, weight))
    return {
        "weight": weight,
        "num_without_phrases": int(np.count_nonzero(~covered[1])),
        **retrieval_metrics(combined, data.records.image_of_caption, options),
        **tuning,
    }


def _with_phrases(data, scores, splits):
    """Returns minus d and d_rp, and which sentences have either, bool `[2, M]`."""
    model, parts = splits.phrase_model(data.records)
    covered = covered_sentences(model, parts, scores.shape[1])
    of_parts = split_scores(model, parts, scores.shape[1])
    return (scores, of_parts), np.stack([np.ones_like(covered), covered])


def recall_sums(scores, covered, image_of_sentence):
    """Returns the sum of all six recalls, percent, by the weights of K models, a dict.

    Args:
        scores, covered: see `combined_scores`.
        image_of_sentence: int `[M]`.

    Returns:
        Its keys are tuples of K weights, those with most of the first model first.
    """
    sums, combined = {}, None
    for weights in weight_choices(len(scores)):
        combined = combined_scores(scores, covered, weights, out=combined)
        sums[weights] = recall_sum(retrieval_metrics(combined, image_of_sentence, _QUICK))
    return sums


def weight_choices(num_models):
    """Returns weights that sum to 1, a list of tuples: all multiples of a step, and equal ones.

    Example:

    >>> len(weight_choices(2)), weight_choices(2)[:2], len(weight_choices(3))
    (21, [(1.0, 0.0), (0.95, 0.05)], 232)
    """
    steps = next(
        count
        for count in range(20, 0, -1)
        if count == 1 or math.comb(count + num_models - 1, num_models - 1) <= _MOST_CHOICES
    )
    choices = [tuple(part / steps for part in parts) for parts in _partitions(steps, num_models)]
    equal = (1 / num_models,) * num_models
    return choices if equal in choices else [*choices, equal]


def _partitions(total, count):
    if count == 1:
        yield (total,)
        return
    for first in range(total, -1, -1):
        for rest in _partitions(total - first, count - 1):
            yield (first, *rest)


def split_scores(model, data, num_sentences, progress=None):
    """Returns the score of every image and sentence by a model that embeds, float32 `[N, M]`.

    Args:
        model: a `FragmentModel` or a `TwoBranchNetwork`; of one of regions and phrases a sentence's
            score is minus d_rp, see `phrase_distances`.
        data: the `SplitData` that it reads.
        num_sentences: M; the captions of `data` may be phrases of the sentences.
        progress: that of `EvaluationOptions`.
    """
    sentence_of_phrase = getattr(data.records, "sentence_of_phrase", None)
    if sentence_of_phrase is not None:
        parts = EmbeddedPairs.embed(model, data, progress=progress)
        vectors = parts.regions, parts.region_mask, parts.sentences
        return -phrase_distances(*vectors, sentence_of_phrase, num_sentences)
    return embed_split(model, data, progress).scores(model, progress)


def covered_sentences(model, data, num_sentences):
    """Returns the sentences that a model can score, bool `[M]`; arguments as of `split_scores`.

    It cannot score one that has no phrase, word or relation for it to read.
    """
    sentence_of_phrase = getattr(data.records, "sentence_of_phrase", None)
    if sentence_of_phrase is not None:
        return np.bincount(sentence_of_phrase, minlength=num_sentences) > 0
    if hasattr(model, "score_name"):  # a FragmentModel: a sum over fragments
        return np.asarray(data.tokens.lengths) > 0
    return np.ones(num_sentences, bool)


def evaluate_ensemble(model_dirs, data_dirs, split, options, captions, retrieval, say=silent):
    """Evaluates several models together, by the weighted mean of their standardised scores.

    Args:
        model_dirs: directories that training wrote; `check_options` has allowed them.
        data_dirs: directory of the records of each model, or None for that of its training.
        split: name of the split.
        options: `EvaluationOptions`.
        captions: `CaptionOptions`, of the retrieval of caption generators.
        retrieval: `RetrievalOptions`, with `weights` and `rescoring`.
        say: called with each line about the work.

    Returns:
        The content of `metrics.json`, see `ensemble_report`.

    Raises:
        VsaTfError: records or models cannot be used, or the photographs or captions differ.
    """
    read = functools.cache(lambda data_dir, name: read_records(data_dir, name, say))
    settings = [Settings.load(model_dir) for model_dir in model_dirs]
    data_dirs = [str(d or own.data.data_dir) for d, own in zip(data_dirs, settings, strict=True)]
    dev_split = settings[0].training.dev_split if retrieval.weights == "tuned" else split
    for name in (split, dev_split):
        first, *others = (read(data_dir, name) for data_dir in data_dirs)
        for other in others:
            check_same_pairs(first, other)
    records = read(data_dirs[0], split)
    check_fold_size(options, records)
    members = [
        _Member(model_dir, functools.partial(read, data_dir), captions, options, say)
        for model_dir, data_dir in zip(model_dirs, data_dirs)
    ]
    for member in members:
        member.load_all(split, dev_split)
    weights, tuning, found = retrieval.weights, {}, None
    if weights == "tuned":
        found = [member.standardized(dev_split) for member in members]
        covered = np.stack([member.covered(dev_split) for member in members])
        say(f"choosing weights on {dev_split}")
        image_of_caption = read(data_dirs[0], dev_split).image_of_caption
        sums = recall_sums([scores for _, scores in found], covered, image_of_caption)
        weights = max(sums, key=sums.get)
        named = {" ".join(f"{each:.2f}" for each in key): value for key, value in sums.items()}
        tuning = {"tuning": {"split": dev_split, "recall_sums": named}}
        found = found if split == dev_split else None
    elif weights == "equal":
        weights = (1.0,) * len(members)
    weights = [float(each) for each in np.divide(weights, np.sum(weights))]
    covered = np.stack([member.covered(split) for member in members])
    of_sentences = sentence_weights(weights, covered)
    total = np.zeros((records.num_images, records.num_captions), np.float32)
    image_of_caption, models = records.image_of_caption, []
    for number, member in enumerate(members):
        ranks, scores = found[number] if found else member.standardized(split)
        add_weighted(total, scores, of_sentences[number])
        models.append(
            {
                "model_dir": str(model_dirs[number]),
                "model": settings[number].training.model,
                "weight": weights[number],
                "num_without_score": int(np.count_nonzero(~covered[number])),
                "metrics": retrieval_metrics(scores, image_of_caption, options, ranks),
            }
        )
        del scores  # before there is the next: either is as large as all others
    ranks = retrieval_ranks(total, image_of_caption)
    metrics = retrieval_metrics(total, image_of_caption, options, ranks)
    metrics |= rescored_metrics(total, image_of_caption, retrieval, options)
    if options.intervals:
        metrics |= generated_ceiling(records, ranks)
    return ensemble_report(models, records, metrics | tuning, captions.normalization)


class _Member:
    """A model of an ensemble, and what it sees of splits; `read(name)` gives a `RecordSplit`."""

    def __init__(self, model_dir, read, captions, options, say):
        self._trained = TrainedModel(model_dir)
        self._read, self._captions, self._options, self._say = read, captions, options, say
        self.data = functools.cache(self._load)

    def _load(self, split):
        records, trained = self._read(split), self._trained
        trained.check_records(records, self._say)
        return model_view(records, trained.text, trained.settings, say=self._say)

    def load_all(self, *splits):
        """Reads all that is needed, so that what cannot be read is told before the slow part."""
        settings = self._trained.settings
        if settings.model.family == "captioning":
            splits += (settings.training.train_split,)
        for split in splits:
            self.data(split)

    def covered(self, split):
        """Returns the sentences of a split that the model can score, bool `[M]`."""
        num_sentences = self._read(split).num_captions
        return covered_sentences(self._trained.model, self.data(split), num_sentences)

    def standardized(self, split):
        """Returns the `RetrievalRanks` of the model alone and its standardised scores."""
        self._say(f"scoring {split} by {self._trained.model_dir}")
        records = self._read(split)
        scores = self._scores(split, records.num_captions)
        ranks = retrieval_ranks(scores, records.image_of_caption)
        scores = scores.astype(np.float32, copy=False)
        return ranks, standardize(scores, self.covered(split))

    def _scores(self, split, num_sentences):
        model, data, settings = self._trained.model, self.data(split), self._trained.settings
        if settings.model.family != "captioning":
            return split_scores(model, data, num_sentences, self._options.progress)
        training = self.data(settings.training.train_split)
        return relative_scores(model, data, training, self._options, self._captions)
