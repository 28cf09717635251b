"""Scores of generated captions against references: the COCO tool's, neuraltalk's BLEU; novelty."""

import collections
import contextlib
import math
import pathlib
import shutil
import subprocess
from typing import NamedTuple

import numpy as np
from pycocoevalcap import spice as spice_package
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.spice.spice import Spice

from vsa_tf.text.ptb_tokenizer import ptb_tokenize

BLEU_NAMES = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")
_SPICE_PARTS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_MAX_LENGTH = 4
# Of BLEU as the COCO tool has it, so that a share of nothing is 0.
_TINY, _SMALL = 1e-15, 1e-9


class CaptionStatistics(NamedTuple):
    """What the scores of N captions are made of, image by image.

    Attributes:
        bleu_counts: int64 `[N, 10]`; right 1- to 4-grams, all 1- to 4-grams, words, and words of
            the reference of the closest length.
        images: dict of `ROUGE_L`, `CIDEr` and, where they were computed, `METEOR` and `SPICE` to
            float64 `[N]`.
        meteor: METEOR of all, which is no mean of the images'; None if it was not computed.
        skipped: dict of each metric that was not computed to the reason.
    """

    bleu_counts: np.ndarray
    images: dict
    meteor: float | None
    skipped: dict

    def metrics(self):
        """Returns the scores of all captions, as `CaptionScorer.score` has them."""
        metrics = dict(zip(BLEU_NAMES, bleu(self.bleu_counts.sum(axis=0)).tolist()))
        means = {name: float(values.mean()) for name, values in self.images.items()}
        metrics |= {"METEOR": self.meteor, "ROUGE_L": means["ROUGE_L"], "CIDEr": means["CIDEr"]}
        if "SPICE" in means or "SPICE" in self.skipped:
            metrics["SPICE"] = means.get("SPICE")
        return metrics


def bleu(counts):
    """BLEU-1 to BLEU-4 with the brevity penalty, of counts summed over any captions.

    Args:
        counts: `[..., 10]`, as `CaptionStatistics.bleu_counts`.

    Returns:
        float64 `[..., 4]`, to the last digits the COCO tool's, which is never quite 0.
    """
    counts = np.asarray(counts, np.float64)
    right, total, words, closest = np.split(counts, [_MAX_LENGTH, 2 * _MAX_LENGTH, -1], axis=-1)
    powers = 1.0 / np.arange(1, _MAX_LENGTH + 1)
    precisions = np.cumprod((right + _TINY) / (total + _SMALL), axis=-1) ** powers
    ratio = (words + _TINY) / (closest + _SMALL)
    return precisions * np.exp(np.minimum(0.0, 1.0 - 1.0 / ratio))


class CaptionScorer:
    """Scores captions of the same images again and again; references are tokenised once.

    Args:
        references: a list of N lists of strings, the captions that people wrote for N images, one
            or more for each.

    Attributes:
        references: the same, as strings of tokens separated by spaces (`ptb_tokenize`).

    Example:

    >>> scorer = CaptionScorer([["A dog runs on grass.", "Dogs run"], ["Two men sit."]])
    >>> metrics, skipped = scorer.score(["A dog runs on grass", "A cat"], meteor=False)
    >>> metrics["ROUGE_L"], round(metrics["Bleu_1"], 3)  # 5/7 exp(1 - 8/7)
    (0.5, 0.619)

    Raises:
        ValueError: without images, for an image without references, and for what is no string.
    """

    def __init__(self, references):
        if not len(references):
            raise ValueError("Expected references for one image or more. Received: none")
        for index, captions in enumerate(references):
            if isinstance(captions, str) or not len(captions):
                raise ValueError(
                    "Expected a list of one or more references for each image. "
                    f"Received: references[{index}]={captions!r}"
                )
        self.references = [
            [
                _tokenised(caption, f"references[{index}][{number}]")
                for number, caption in enumerate(captions)
            ]
            for index, captions in enumerate(references)
        ]

    def score(self, candidates, meteor=True, spice=False):
        """Scores one caption for each image.

        A caption without a word scores 0. All scores are fractions as the COCO tool's are: BLEU,
        METEOR, ROUGE-L and SPICE from 0 to 1, CIDEr (CIDEr-D) from 0 to 10, with document
        frequencies from these references.

        Args:
            candidates: list of N strings.
            meteor: whether to compute METEOR, which starts Java and takes seconds.
            spice: whether to compute SPICE, if its Java parts are there. They are never
                downloaded.

        Returns:
            `(metrics, skipped)`. metrics: `Bleu_1` to `Bleu_4` (corpus, closest reference length),
            `METEOR`, `ROUGE_L`, `CIDEr` and, if asked for, `SPICE`: floats, or None where a metric
            cannot run. skipped: for each None its name with the reason.

        Raises:
            ValueError: if there is not one string for each image.

        Reference: Chen et al. (2015), Microsoft COCO captions: data collection and evaluation
        server; the scorers are pycocoevalcap's.
        """
        statistics = self.statistics(candidates, meteor, spice)
        return statistics.metrics(), statistics.skipped

    def statistics(self, candidates, meteor=True, spice=False):
        """Returns the `CaptionStatistics` of one caption for each image; all as for `score`."""
        candidates = self._tokenised_candidates(candidates)
        images = {"ROUGE_L": self._rouge(candidates), "CIDEr": self._cider(candidates)}
        corpus_meteor, skipped = None, {}
        if not meteor:
            skipped["METEOR"] = "not asked for"
        else:
            corpus_meteor, found = self._meteor(candidates)
            (skipped if corpus_meteor is None else images)["METEOR"] = found
        if spice:
            found = self._spice(candidates)
            (skipped if isinstance(found, str) else images)["SPICE"] = found
        return CaptionStatistics(self._bleu_counts(candidates), images, corpus_meteor, skipped)

    def _tokenised_candidates(self, candidates):
        if isinstance(candidates, str) or len(candidates) != len(self.references):
            received = repr(candidates) if isinstance(candidates, str) else len(candidates)
            raise ValueError(
                f"Expected one caption for each of {len(self.references)} images. "
                f"Received: {received}"
            )
        return [
            _tokenised(caption, f"candidates[{index}]") for index, caption in enumerate(candidates)
        ]

    def _bleu_counts(self, candidates):
        scorer, counts = BleuScorer(n=_MAX_LENGTH), []
        for candidate, references in zip(candidates, self.references, strict=True):
            scorer += candidate, references
            found = scorer.ctest[-1]
            words = found["testlen"]
            closest = min(found["reflen"], key=lambda length: (abs(length - words), length))
            counts.append([*found["correct"], *found["guess"], words, closest])
        return np.array(counts, np.int64)

    def _rouge(self, candidates):
        _, scores = Rouge().compute_score(*_scorer_arguments(self.references, candidates))
        # An empty caption would be a perfect match of an empty reference.
        return np.where([caption != "" for caption in candidates], scores, 0.0)

    def _cider(self, candidates):
        # The scorer takes the largest document frequency, of which there must be one.
        if not any(caption for captions in self.references for caption in captions):
            return np.zeros(len(candidates))
        _, scores = Cider().compute_score(*_scorer_arguments(self.references, candidates))
        return np.asarray(scores)

    def _meteor(self, candidates):
        """Returns METEOR of all and `[N]`, or None and the reason."""
        if not shutil.which("java"):
            return None, "java is not installed"
        references = [
            [_single_line(caption) for caption in captions] for captions in self.references
        ]
        candidates = [_single_line(caption) for caption in candidates]
        scorer = Meteor()
        try:
            score, scores = scorer.compute_score(*_scorer_arguments(references, candidates))
        except (OSError, ValueError):
            # Else its destructor would wait for the lock for ever, or complain of the closed pipe.
            scorer.lock.release()
            scorer.meteor_p.kill()
            with contextlib.suppress(OSError):
                scorer.meteor_p.stdin.close()
            message = scorer.meteor_p.stderr.read().decode(errors="replace").strip()
            return None, f"METEOR's Java program ended early: {message.splitlines()[:1]}"
        return float(score), np.array(scores)

    def _spice(self, candidates):
        """Returns SPICE `[N]`, or the reason why there is none."""
        if not shutil.which("java"):
            return "java is not installed"
        folder = pathlib.Path(spice_package.__file__).parent / "lib"
        missing = [name for name in _SPICE_PARTS if not (folder / name).exists()]
        if missing:
            return f"{' and '.join(missing)} not in the spice/lib folder of pycocoevalcap"
        try:
            _, parts = Spice().compute_score(*_scorer_arguments(self.references, candidates))
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            return f"SPICE's Java program failed: {error}"
        return np.array([of_image["All"]["f"] for of_image in parts])


def caption_scores(candidates, references, meteor=True, spice=False):
    """Scores captions once; `CaptionScorer` is for more than once, and says what is computed.

    Example: a perfect caption of a single image. CIDEr weighs words by how few images have them,
    and all have these.

    >>> metrics, skipped = caption_scores(["A dog runs on grass"], [["a dog runs on grass ."]],
    ...                                   meteor=False)
    >>> {name: value if value is None else round(value, 6) for name, value in metrics.items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'Bleu_1': 1.0, 'Bleu_2': 1.0, 'Bleu_3': 1.0, 'Bleu_4': 1.0, 'METEOR': None, 'ROUGE_L': 1.0,
     'CIDEr': 0.0}
    >>> skipped
    {'METEOR': 'not asked for'}

    Args:
        candidates: list of N strings, one caption for each image.
        references: list of N lists of one or more strings.
        meteor: whether to compute METEOR, which starts Java and takes seconds.
        spice: whether to compute SPICE, if its Java parts are there.

    Returns:
        `(metrics, skipped)` as from `CaptionScorer.score`.

    Raises:
        ValueError: as `CaptionScorer` and its `score`.
    """
    return CaptionScorer(references).score(candidates, meteor, spice)


def _tokenised(caption, name):
    if not isinstance(caption, str):
        raise ValueError(f"Expected captions to be strings. Received: {name}={caption!r}")
    return " ".join(ptb_tokenize(caption))


def _scorer_arguments(references, candidates):
    """References and candidates in the form that pycocoevalcap's scorers take."""
    return dict(enumerate(references)), {
        index: [caption] for index, caption in enumerate(candidates)
    }


def _single_line(caption):
    """METEOR reads a line with `|||` between captions; only a token of markup can hold either."""
    return " ".join(caption.replace("|||", " ").split())


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


class Novelty(NamedTuple):
    """Counts over generated captions.

    Attributes:
        num_captions: generated captions.
        num_novel: those that are no training caption, word for word.
        num_distinct: different captions among them; 1 if the model says the same of every image.
    """

    num_captions: int
    num_novel: int
    num_distinct: int

    @property
    def novel_share(self):
        """Share of the captions that are no training caption, 0..1."""
        return self.num_novel / self.num_captions


def novelty(captions, training_captions):
    """Compares generated captions with the training captions, and with one another.

    Args:
        captions: list of token lists, at least one.
        training_captions: iterable of token lists, tokenised in the same way.

    Returns:
        `Novelty`.

    Raises:
        ValueError: if there is no caption, or one is not a list of tokens.

    Example:

    >>> novelty([["a", "dog"], ["a", "cat"], ["a", "cat"]], [["a", "dog"]])
    Novelty(num_captions=3, num_novel=2, num_distinct=2)

    Reference: M section 7.5 (71 % novel on MS COCO).
    """
    captions = [_words(caption) for caption in captions]
    if not captions:
        raise ValueError("Expected at least one generated caption. Received: captions=[]")
    seen = {_words(caption) for caption in training_captions}
    return Novelty(
        len(captions), sum(caption not in seen for caption in captions), len(set(captions))
    )


def _words(caption):
    if not isinstance(caption, (list, tuple)):
        raise ValueError(
            "Expected captions as lists of tokens: tokenise them first. "
            f"Received: caption={caption!r} of type {type(caption).__name__}"
        )
    return tuple(caption)
