"""Small models to decode from, and what their captions are worth by plain Python."""

import itertools

import numpy as np
from keras import ops

END = 2
FIRST_WORD = 4  # PAD 0, START 1, END 2, UNK 3.

_MODULUS = 100003
_NUM_CONTEXTS = 97


class HistoryModel:
    """Random logits that depend on the image and on all tokens so far, by a hash of them.

    A state that is gathered, forced or kept wrongly gives other logits.
    """

    def __init__(self, seed, vocabulary_size=7, scale=1.5):
        table = np.random.default_rng(seed).normal(size=(_NUM_CONTEXTS, vocabulary_size))
        self.table = (scale * table).astype(np.float32)

    def state(self, batch_size):
        return {"hash": 13 * np.arange(batch_size, dtype=np.int32) + 1}

    def step(self, token_ids, state):
        mixed = (state["hash"] * 31 + token_ids + 7) % _MODULUS
        return ops.take(self.table, mixed % _NUM_CONTEXTS, axis=0), {"hash": mixed}

    def log_probs(self, image, tokens):
        """float64 `[V]`; log probabilities of the token that follows these."""
        mixed = 13 * image + 1
        for token in (1, *tokens):
            mixed = (mixed * 31 + token + 7) % _MODULUS
        logits = self.table[mixed % _NUM_CONTEXTS].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())

    def token_log_probs(self, image, tokens):
        return [self.log_probs(image, tokens[:t])[token] for t, token in enumerate(tokens)]

    def all_captions(self, image, max_length, prefix=()):
        """All (tokens, score), best first: ended ones, and others of `max_length` tokens."""
        words = range(FIRST_WORD, self.table.shape[1])
        captions = []
        for length in range(len(prefix), max_length + 1):
            for free in itertools.product(words, repeat=length - len(prefix)):
                tokens = prefix + free
                captions.append(tokens if length == max_length else (*tokens, END))
        scored = [(tokens, sum(self.token_log_probs(image, tokens))) for tokens in captions]
        return sorted(scored, key=lambda caption: -caption[1])

    def beam_search(self, image, beam_size, max_length, prefix=()):
        """The whole final beam by its definition: lists, and a stable sort for ties."""
        allowed = (END, *range(FIRST_WORD, self.table.shape[1]))
        beams = [((), 0.0)]
        for time in range(max_length):
            candidates = []
            for tokens, score in beams:
                if tokens[-1:] == (END,):
                    candidates.append((tokens, score))
                    continue
                log_probs = self.log_probs(image, tokens)
                for token in prefix[time : time + 1] or allowed:
                    candidates.append(((*tokens, token), score + log_probs[token]))
            beams = sorted(candidates, key=lambda beam: -beam[1])[:beam_size]
        return beams


def table_step(probability):
    """A step function whose next token depends on the last one alone.

    Args:
        probability: `[V, V]`; row: the last token, column: the next. Zeros are allowed.
    """
    with np.errstate(divide="ignore"):
        logits = np.log(np.asarray(probability, np.float32))
    return lambda token_ids, state: (ops.take(logits, token_ids, axis=0), state)


def spelling_step(words, vocabulary_size=30):
    """A step function that knows what comes next: row n spells `words[state[n]]`.

    Returns:
        The step function, and its state for one row of each word.
    """
    longest = max(len(word) for word in words)
    spelt = np.full((len(words), longest + 1), END)
    for row, word in enumerate(words):
        spelt[row, : len(word)] = [ord(letter) - ord("a") + FIRST_WORD for letter in word]

    def step(token_ids, state):
        del token_ids
        position = ops.minimum(state["position"], longest)
        token = ops.take(spelt.reshape(-1), state["row"] * (longest + 1) + position)
        logits = 10.0 * ops.one_hot(token, vocabulary_size, dtype="float32")
        return logits, {"row": state["row"], "position": state["position"] + 1}

    return step, {
        "row": np.arange(len(words), dtype=np.int32),
        "position": np.zeros(len(words), np.int32),
    }


def spelling(token_ids):
    """The letters of a row of token ids, `.` for END."""
    letters = {END: "."}
    return "".join(
        letters.get(int(token), chr(int(token) - FIRST_WORD + ord("a")))
        for token in np.asarray(token_ids)
        if token
    )


def captions_of(hypotheses):
    """For each image a list of (tokens without PAD, score), impossible ones left out."""
    token_ids, log_prob = np.asarray(hypotheses.token_ids), np.asarray(hypotheses.log_prob)
    return [
        [
            (tuple(int(token) for token in tokens if token), float(score))
            for tokens, score in zip(token_ids[image], log_prob[image])
            if score > -np.inf
        ]
        for image in range(len(token_ids))
    ]


def assert_scores_are_the_models(hypotheses, model):
    """Every token's log probability is the model's, and they sum to the caption's."""
    token_ids = np.asarray(hypotheses.token_ids)
    token_log_probs = np.asarray(hypotheses.token_log_probs)
    log_prob = np.asarray(hypotheses.log_prob)
    for image, n in np.ndindex(*log_prob.shape):
        tokens = [int(token) for token in token_ids[image, n] if token]
        assert not token_ids[image, n, len(tokens) :].any()
        assert not token_log_probs[image, n, len(tokens) :].any()
        assert END not in tokens[:-1]
        if np.isneginf(log_prob[image, n]):
            assert not tokens
            continue
        expected = model.token_log_probs(image, tuple(tokens))
        np.testing.assert_allclose(token_log_probs[image, n, : len(tokens)], expected, atol=1e-5)
        np.testing.assert_allclose(log_prob[image, n], sum(expected), atol=2e-5)
