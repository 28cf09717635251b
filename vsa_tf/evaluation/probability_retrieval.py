"""Retrieval by the probability that a generator gives a sentence (M section 5)."""

import keras
import numpy as np

from vsa_tf.evaluation.alignment_evaluation import score_split
from vsa_tf.evaluation.iapr_tc12_metrics import iapr_tc12_metrics
from vsa_tf.evaluation.retrieval_metrics import retrieval_metrics
from vsa_tf.evaluation.sentence_probabilities import encode_images
from vsa_tf.evaluation.similar_images import similar_images
from vsa_tf.metrics.retrieval import RetrievalRanks, retrieval_ranks
from vsa_tf.scoring.embedded import EmbeddedSplit
from vsa_tf.scoring.sentence_likelihood import all_log_likelihoods, pair_log_likelihoods


def probability_retrieval(model, data, images, options):
    """Ranks images for sentences by `log P(w | I)`, and sentences for images by that less
    `log mean_I' P(w | I')` over I' sampled from the training images (M eq. 7).

    Args:
        model: a `Captioner`.
        data: `SplitData`.
        images: of `encode_images`.
        options: `EvaluationOptions`. `retrieval` is `exact` for all pairs, or `shortlist`: of every
            sentence the best images, and of every image the best sentences, by the alignment model
            `options.shortlist_model`; other pairs rank behind. Those that `options.iapr_tc12`
            asks for are looked at too.

    Returns:
        dict of `image_to_sentence` and `sentence_to_image`, as of `retrieval_metrics`; where
        `options.iapr_tc12` is set, of what `iapr_tc12_metrics` returns too.
    """
    likelihood = _likelihoods(model, data, images, options)
    training = encode_images(model, options.load_training_data())
    num_training = len(keras.tree.flatten(training)[0])
    generator = np.random.default_rng(options.seed)
    sample = generator.choice(
        num_training, min(options.num_normalization_images, num_training), replace=False
    )
    sampled = keras.tree.map_structure(lambda value: value[np.sort(sample)], training)
    marginal = log_mean_exp(all_log_likelihoods(model, sampled, data.tokens))
    image_of_caption = data.records.image_of_caption
    settings = {
        "intervals": options.intervals,
        "fold_size": options.fold_size,
        "seed": options.seed,
    }
    by_probability = retrieval_metrics(likelihood, image_of_caption, **settings)
    relative = likelihood - marginal
    normalized = retrieval_metrics(relative, image_of_caption, **settings)
    metrics = {
        "image_to_sentence": normalized["image_to_sentence"],
        "sentence_to_image": by_probability["sentence_to_image"],
    }
    if options.fold_size:
        metrics["folds"] = {
            **normalized["folds"],
            "sentence_to_image": by_probability["folds"]["sentence_to_image"],
        }
    if options.iapr_tc12:
        ranks = RetrievalRanks(
            retrieval_ranks(relative, image_of_caption).image_to_sentence,
            retrieval_ranks(likelihood, image_of_caption).sentence_to_image,
        )
        metrics |= iapr_tc12_metrics(relative, ranks, data.records, options)
    return metrics


def log_mean_exp(values):
    """Returns `log mean exp` over the first axis of `[N, M]`, float64 `[M]`."""
    values = np.asarray(values, np.float64)
    highest = values.max(axis=0)
    return highest + np.log(np.exp(values - highest).mean(axis=0))


def _likelihoods(model, data, images, options):
    if options.retrieval == "exact":
        return all_log_likelihoods(model, images, data.tokens, options.progress)
    chosen = _shortlisted(data, options)
    if options.iapr_tc12:
        is_similar = np.zeros((len(chosen), len(chosen)), bool)
        np.put_along_axis(is_similar, similar_images(data.records), True, axis=1)
        chosen |= is_similar[:, data.records.image_of_caption]
    image, sentence = np.nonzero(chosen)
    # Far below any probability, and still ordered: of no use but never NaN.
    scores = np.full((data.records.num_images, data.records.num_captions), -1e9, np.float32)
    scores[image, sentence] = pair_log_likelihoods(model, images, data.tokens, image, sentence)
    return scores


def _shortlisted(data, options):
    """Returns which pairs the alignment model finds worth a look, bool `[N, M]`."""
    alignment, alignment_data = options.load_shortlist_model(data.records)
    scores = score_split(alignment, EmbeddedSplit.embed(alignment, alignment_data))
    chosen = np.zeros(scores.shape, bool)
    num_images = min(options.shortlist_size, scores.shape[0])
    images = np.argpartition(-scores, num_images - 1, axis=0)[:num_images]
    np.put_along_axis(chosen, images, True, axis=0)
    # An image has several sentences: as many more are looked at.
    share = scores.shape[1] / scores.shape[0]
    num_sentences = min(round(options.shortlist_size * share), scores.shape[1])
    sentences = np.argpartition(-scores, num_sentences - 1, axis=1)[:, :num_sentences]
    np.put_along_axis(chosen, sentences, True, axis=1)
    return chosen
