"""BLEU as neuraltalk prints it, which is not the standard one."""

import collections
import math

_MAX_LENGTH = 4


def neuraltalk_bleu(candidates, references):
    """Corpus BLEU-1 to BLEU-4 without the brevity penalty.

        BLEU-n = (p_1 p_2 ... p_n)^(1/n)

    where p_k is the share of the candidates' k-grams that occur in a reference of their image,
    each at most as often as in the reference that has it most often. Short captions gain by it:
    the standard BLEU multiplies by exp(1 - r/c) where the candidates' c words are fewer than the
    references' r. Papers that evaluated with neuraltalk report these numbers.

    Example:

    >>> neuraltalk_bleu(["a dog"], [["a dog runs on the grass"]])["Bleu_2_no_brevity_penalty"]
    1.0

    Args:
        candidates: list of N strings of tokens separated by white space, in the tokens that are to
            be compared (neuraltalk's own, or `ptb_tokenize`'s joined by spaces).
        references: list of N lists of one or more such strings.

    Returns:
        dict `Bleu_1_no_brevity_penalty` to `Bleu_4_no_brevity_penalty`, floats from 0 to 1
        (neuraltalk prints percents). Where no k-gram is right, or there is none, those from
        BLEU-k on are 0.

    Raises:
        ValueError: without candidates, if there are not as many lists of references, or if one is
            empty.

    Reference: neuraltalk (Karpathy 2014), eval/multi-bleu.perl, a version of the Moses script with
    the penalty switched off; Papineni et al. (2002), BLEU, equation 1 and section 2.2.
    """
    if not len(candidates) or len(candidates) != len(references):
        raise ValueError(
            "Expected one or more candidates and as many lists of references. "
            f"Received: {len(candidates)} and {len(references)}"
        )
    right, total = [0] * _MAX_LENGTH, [0] * _MAX_LENGTH
    for index, (candidate, captions) in enumerate(zip(candidates, references)):
        if isinstance(captions, str) or not len(captions):
            raise ValueError(
                "Expected a list of one or more references for each candidate. "
                f"Received: references[{index}]={captions!r}"
            )
        words, caption_words = candidate.split(), [caption.split() for caption in captions]
        for n in range(1, _MAX_LENGTH + 1):
            counts, limits = _ngrams(words, n), collections.Counter()
            for reference in caption_words:
                limits |= _ngrams(reference, n)
            right[n - 1] += (counts & limits).total()
            total[n - 1] += counts.total()
    precisions = [r / t if t else 0.0 for r, t in zip(right, total)]
    return {
        f"Bleu_{n}_no_brevity_penalty": math.prod(precisions[:n]) ** (1.0 / n)
        for n in range(1, _MAX_LENGTH + 1)
    }


def _ngrams(words, n):
    return collections.Counter(zip(*(words[start:] for start in range(n))))
