"""How probable sentences are given images: `log P(w_1:L | I)` (M section 5)."""

import keras
import numpy as np
from keras import ops

from vsa_tf.scoring.embedded_split import told

_PAIRS_IN_A_BATCH = 256
_IMAGES_IN_A_BLOCK = 8
_CONTEXTS_IN_A_BLOCK = 128


def pair_log_likelihoods(model, images, tokens, image_index, sentence_index, progress=None):
    """Returns `log P(sentence | image)` of chosen pairs.

    Args:
        model: a `Captioner`.
        images: what the images contribute, a nest of numpy arrays `[N, ...]`.
        tokens: the `TokenStore` of M sentences.
        image_index: int `[P]`.
        sentence_index: int `[P]`.
        progress: see `told`.

    Returns:
        float32 `[P]`.
    """
    scores = np.empty(len(image_index), np.float32)
    order = np.argsort(tokens.lengths[sentence_index], kind="stable")
    starts = range(0, len(order), _PAIRS_IN_A_BATCH)
    for first in told(starts, _PAIRS_IN_A_BATCH, len(order), "pairs", progress):
        pairs = order[first : first + _PAIRS_IN_A_BATCH]
        sentences = sentence_index[pairs]
        token_ids = tokens.padded(sentences, int(tokens.lengths[sentences].max()))
        of_pairs = keras.tree.map_structure(lambda value: value[image_index[pairs]], images)
        log_probs = model.sentence_log_probs(of_pairs, token_ids)
        scores[pairs] = ops.convert_to_numpy(ops.sum(log_probs, axis=1))
    return scores


def all_log_likelihoods(model, images, tokens, progress=None):
    """Returns `log P(sentence | image)` of every image and sentence, exactly.

    Where the image does not enter the recurrence (`Captioner.image_in_recurrence`), the recurrent
    states are computed once a sentence, and what sentences share is shared: all that begin alike
    have the same states up to where they part, so that every different beginning is met once an
    image. The work goes in blocks whose memory does not grow with N or M.

    Args:
        model: a `Captioner`.
        images: what the images contribute, a nest of numpy arrays `[N, ...]`.
        tokens: the `TokenStore` of M sentences.
        progress: `progress(done, total)` is called now and then, in images.

    Returns:
        float32 `[N, M]`.
    """
    num_images = len(keras.tree.flatten(images)[0]) if keras.tree.flatten(images) else 1
    num_sentences = len(tokens)
    scores = np.empty((num_images, num_sentences), np.float32)
    if model.image_in_recurrence:
        for image in range(num_images):
            scores[image] = pair_log_likelihoods(
                model, images, tokens, np.full(num_sentences, image), np.arange(num_sentences)
            )
            if progress:
                progress(image + 1, num_images)
        return scores
    beginnings = Beginnings(tokens)
    terms = beginnings.language_terms(model)
    for first in range(0, num_images, _IMAGES_IN_A_BLOCK):
        block = slice(first, first + _IMAGES_IN_A_BLOCK)
        image = keras.tree.map_structure(lambda value: value[block], images)
        scores[block] = beginnings.sentence_sums(
            _next_word_log_probs(model, image, terms, beginnings)
        )
        if progress:
            progress(min(first + _IMAGES_IN_A_BLOCK, num_images), num_images)
    return scores


def _next_word_log_probs(model, image, terms, beginnings):
    """Returns `log P(word | beginning, image)` of every step, float32 `[n, S]`."""
    parts = []
    for first in range(0, len(terms), _CONTEXTS_IN_A_BLOCK):
        last = min(first + _CONTEXTS_IN_A_BLOCK, len(terms))
        logits = model.logits_of_terms(terms[None, first:last], image)  # [n, contexts, V]
        steps = slice(*np.searchsorted(beginnings.context_of_step, (first, last)))
        context, word = beginnings.context_of_step[steps] - first, beginnings.word_of_step[steps]
        flat = ops.reshape(logits, (ops.shape(logits)[0], -1))
        chosen = ops.take(flat, context * logits.shape[-1] + word, axis=1)
        normalizer = ops.take(ops.logsumexp(logits, axis=-1), context, axis=1)
        parts.append(ops.convert_to_numpy(chosen - normalizer))
    return np.concatenate(parts, axis=1)


class Beginnings:
    """The tree of all beginnings of sentences.

    A context is a different beginning, START alone being the first; a step is a context and the
    word or END that follows it in some sentence.

    Args:
        tokens: the `TokenStore` of M sentences.

    Attributes:
        context_of_step: int `[S]`, ascending.
        word_of_step: int `[S]`.
        step_of_word: int `[M, T]`, the step of each word and of END; S at padding.
    """

    def __init__(self, tokens, end_id=2):
        lengths = np.asarray(tokens.lengths)
        self._tokens = tokens
        width = int(lengths.max())
        words = np.zeros((len(lengths), width + 1), np.int64)
        words[:, :-1] = tokens.padded(np.arange(len(lengths)), width)
        words[np.arange(len(lengths)), lengths] = end_id
        base = int(words.max()) + 1
        context = np.zeros_like(words)
        num_contexts = 1
        for t in range(width):  # the beginnings of t + 1 words
            alive = np.flatnonzero(lengths > t)
            keys = context[alive, t] * base + words[alive, t]
            different, number = np.unique(keys, return_inverse=True)
            context[alive, t + 1] = num_contexts + number
            num_contexts += len(different)
        is_word = np.arange(width + 1) <= lengths[:, None]
        keys, number = np.unique((context * base + words)[is_word], return_inverse=True)
        self.context_of_step, self.word_of_step = np.divmod(keys, base)
        self.step_of_word = np.full(words.shape, len(keys))
        self.step_of_word[is_word] = number
        # Where each context is first met, as sentence and position.
        _, first = np.unique(context[is_word], return_index=True)
        self._sentence, self._position = (index[first] for index in np.nonzero(is_word))

    def language_terms(self, model):
        """Returns what the sentences contribute at every context, float `[contexts, .]`."""
        terms = None
        order = np.argsort(self._sentence, kind="stable")
        bounds = np.searchsorted(
            self._sentence[order], np.arange(0, len(self._tokens) + 1, _PAIRS_IN_A_BATCH)
        ).tolist() + [len(order)]
        for start, first, last in zip(
            range(0, len(self._tokens), _PAIRS_IN_A_BATCH), bounds, bounds[1:]
        ):
            sentences = np.arange(start, min(start + _PAIRS_IN_A_BATCH, len(self._tokens)))
            token_ids = self._tokens.padded(sentences, int(self._tokens.lengths[sentences].max()))
            values = ops.convert_to_numpy(model.sentence_terms(token_ids))
            chosen = order[first:last]
            if terms is None:
                terms = np.empty((len(order), values.shape[-1]), values.dtype)
            terms[chosen] = values[self._sentence[chosen] - start, self._position[chosen]]
        return terms

    def sentence_sums(self, log_probs):
        """Sums the log probabilities of steps, `[n, S]`, over each sentence; float `[n, M]`."""
        padded = np.pad(log_probs, ((0, 0), (0, 1)))
        return sum(padded[:, steps] for steps in self.step_of_word.T)
