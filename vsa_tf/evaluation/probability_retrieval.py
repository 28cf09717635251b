"""What a generator's probabilities say of a split: retrieval (M eq. 7), and perplexity."""

import keras
import numpy as np
from keras import ops

from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.evaluation.retrieval_metrics import (
    iapr_tc12_metrics,
    rescored_metrics,
    retrieval_metrics,
    similar_images,
)
from vsa_tf.metrics.retrieval import RetrievalRanks, retrieval_ranks
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.scoring.sentence_likelihood import all_log_likelihoods, pair_log_likelihoods
from vsa_tf.text.vocabulary import UNK_ID

_BATCH_SIZE = 250


def probability_retrieval(model, data, images, options, *, captions, retrieval, splits):
    """Ranks images for sentences by `P(w | I)`, and sentences for images relative to `P(w)`.

    Either by `P(w | I) / P(w)`, `P(w) = sum over I' of P(w | I') P(I')` (M eq. 7), I' sampled from
    the training images and P(I') constant; or by `PPL(w | mean) / PPL(w | I)`, the perplexity given
    the mean of the training images over that given the image (Kiros et al. 2014, M section 5).

    Args:
        model: a `Captioner`.
        data: `SplitData`.
        images: of `encode_images`.
        options: `EvaluationOptions`.
        captions: `CaptionOptions`. `retrieval` is `exact` for all pairs, or `shortlist`: of every
            sentence the best images, and of every image the best sentences, by the alignment model
            `splits.shortlist_model`; other pairs rank behind. Those that `retrieval.iapr_tc12`
            asks for are looked at too.
        retrieval: `RetrievalOptions`.
        splits: `GivenSplits` or `StoredSplits`, with the training split.

    Returns:
        dict of `image_to_sentence` and `sentence_to_image`, as of `retrieval_metrics`; where
        `retrieval.iapr_tc12` is set, of what `iapr_tc12_metrics` returns too; and of `rescored`,
        by the probabilities relative to those without the image.
    """
    likelihood = _likelihoods(model, data, images, options, captions, retrieval, splits)
    image_of_caption = data.records.image_of_caption
    by_probability = retrieval_metrics(likelihood, image_of_caption, options)
    relative = _normalized(model, data, splits.training, options, captions, likelihood)
    normalized = retrieval_metrics(relative, image_of_caption, options)
    metrics = {
        "image_to_sentence": normalized["image_to_sentence"],
        "sentence_to_image": by_probability["sentence_to_image"],
    }
    if options.fold_size:
        metrics["folds"] = {
            **normalized["folds"],
            "sentence_to_image": by_probability["folds"]["sentence_to_image"],
        }
    metrics |= rescored_metrics(relative, image_of_caption, retrieval, options)
    if retrieval.iapr_tc12:
        ranks = RetrievalRanks(
            retrieval_ranks(relative, image_of_caption).image_to_sentence,
            retrieval_ranks(likelihood, image_of_caption).sentence_to_image,
        )
        metrics |= iapr_tc12_metrics(relative, ranks, data.records, options)
    return metrics


def relative_scores(model, data, training, options, captions):
    """Returns the scores of all pairs, normalised as for images, float64 `[N, M]`.

    `log P(w | I) - log P(w)`; or by the mean image `log PPL(w | mean) - log PPL(w | I)`, which is
    for each word and END. One score for both directions: it ranks a sentence's images as
    `P(w | I)` does.

    Args:
        training: `SplitData` of the training split.
        model, data, options, captions: see `probability_retrieval`.
    """
    images = encode_images(model, data)
    likelihood = all_log_likelihoods(model, images, data.tokens, options.progress)
    return _normalized(model, data, training, options, captions, likelihood)


def _normalized(model, data, training, options, captions, likelihood):
    """Returns what `relative_scores` does, of `log P(w | I)` `[N, M]`."""
    if captions.normalization == "mean_image":
        images = encode_images(model, training)
        mean = keras.tree.map_structure(lambda each: each.mean(axis=0, keepdims=True), images)
        reference = all_log_likelihoods(model, mean, data.tokens)[0].astype(np.float64)
        return (likelihood - reference) / (data.tokens.lengths + 1)  # of each word and END
    num_training = training.records.num_images
    generator = np.random.default_rng(options.seed)
    sample = generator.choice(
        num_training, min(captions.num_normalization_images, num_training), replace=False
    )
    sampled = encode_images(model, training, images=np.sort(sample))
    return likelihood - log_mean_exp(all_log_likelihoods(model, sampled, data.tokens))


def _likelihoods(model, data, images, options, captions, retrieval, splits):
    if captions.retrieval == "exact":
        return all_log_likelihoods(model, images, data.tokens, options.progress)
    chosen = _shortlisted(data, captions.shortlist_size, splits)
    if retrieval.iapr_tc12:
        is_similar = np.zeros((len(chosen), len(chosen)), bool)
        np.put_along_axis(is_similar, similar_images(data.records), True, axis=1)
        chosen |= is_similar[:, data.records.image_of_caption]
    image, sentence = np.nonzero(chosen)
    # Far below any probability, and still ordered: of no use but never NaN.
    scores = np.full((data.records.num_images, data.records.num_captions), -1e9, np.float32)
    scores[image, sentence] = pair_log_likelihoods(
        model, images, data.tokens, image, sentence, options.progress
    )
    return scores


def _shortlisted(data, size, splits):
    """Returns which pairs the alignment model finds worth a look, bool `[N, M]`."""
    alignment, alignment_data = splits.shortlist_model(data.records)
    scores = EmbeddedSplit.embed(alignment, alignment_data).scores(alignment)
    chosen = np.zeros(scores.shape, bool)
    num_images = min(size, scores.shape[0])
    images = np.argpartition(-scores, num_images - 1, axis=0)[:num_images]
    np.put_along_axis(chosen, images, True, axis=0)
    # An image has several sentences: as many more are looked at.
    share = scores.shape[1] / scores.shape[0]
    num_sentences = min(round(size * share), scores.shape[1])
    sentences = np.argpartition(-scores, num_sentences - 1, axis=1)[:, :num_sentences]
    np.put_along_axis(chosen, sentences, True, axis=1)
    return chosen


def log_mean_exp(values):
    """Returns `log mean exp` over the first axis of `[N, M]`, float64 `[M]`."""
    values = np.asarray(values, np.float64)
    highest = values.max(axis=0)
    return highest + np.log(np.exp(values - highest).mean(axis=0))


def split_perplexities(model, data, images):
    """Returns the perplexities of a split's captions, each given its image.

    Args:
        model: a `Captioner`.
        data: `SplitData`.
        images: of `encode_images`.

    Returns:
        dict of `perplexity`, every word and END counted, UNK as the word that it is to the model;
        and `perplexity_without_unknown`, as neuraltalk's: unknown words left out of the sentences.
    """
    known = [
        [token for token in data.tokens.row(sentence) if token != UNK_ID]
        for sentence in range(len(data.tokens))
    ]
    without_unknown = TokenStore(known, max_words=int(data.tokens.lengths.max()))
    image_of_caption = data.records.image_of_caption
    return {
        "perplexity": _perplexity(model, data.tokens, images, image_of_caption),
        "perplexity_without_unknown": _perplexity(
            model, without_unknown, images, image_of_caption, uncounted=UNK_ID
        ),
    }


def perplexity(log_probs):
    """`PPL = 2 ^ (-1/N sum log2 P(word))` (M eq. 5).

    Args:
        log_probs: float `[N]`, natural logarithms, of every word and END.

    Returns:
        float of at least 1.

    Raises:
        ValueError: there is no word.

    Example: a word in four, and one in one.

    >>> round(perplexity(np.log([0.25, 1.0])), 6)
    2.0
    """
    log_probs = np.asarray(log_probs, np.float64)
    if not log_probs.size:
        raise ValueError("Expected at least one word. Received: none; choose a split with captions")
    return float(np.exp(-log_probs.mean()))


def _perplexity(model, tokens, images, image_of_caption, uncounted=None):
    log_probs = []
    order = np.argsort(tokens.lengths, kind="stable")
    for first in range(0, len(order), _BATCH_SIZE):
        sentences = order[first : first + _BATCH_SIZE]
        token_ids = tokens.padded(sentences, int(tokens.lengths[sentences].max()))
        of_sentences = keras.tree.map_structure(
            lambda value: value[image_of_caption[sentences]], images
        )
        values = ops.convert_to_numpy(model.sentence_log_probs(of_sentences, token_ids))
        is_word = np.arange(values.shape[1]) <= tokens.lengths[sentences][:, None]
        if uncounted is not None:
            # A sentence of unknown words alone is stored as one: its END counts, it does not.
            is_word[:, :-1] &= token_ids != uncounted
        log_probs.append(values[is_word])
    return perplexity(np.concatenate(log_probs))


def encode_images(model, data, batch_size=_BATCH_SIZE, images=None):
    """Returns what the images of a split contribute, a nest of numpy arrays `[N, ...]`.

    Args:
        model: a `Captioner`.
        data: `SplitData`.
        batch_size: images at a time.
        images: int `[N]`; None: all of the split.
    """
    parts = [
        keras.tree.map_structure(ops.convert_to_numpy, model.encode_images(batch))
        for batch in data.image_batches(batch_size, images)
    ]
    return keras.tree.map_structure(lambda *values: np.concatenate(values), *parts)
