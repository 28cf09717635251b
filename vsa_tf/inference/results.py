"""Answers of a model as people use them: numbers, texts, boxes, JSON and pictures."""

import dataclasses
import io
import itertools

import numpy as np

from tfrecords_tools.image_decoding import decode_image
from vsa_tf.boxes import WHOLE_FRAME
from vsa_tf.errors import VsaTfError
from vsa_tf.inference.image_files import rounded
from vsa_tf.text.vocabulary import TextKnowledge
from vsa_tf.visualization.alignment_picture import alignment_picture


@dataclasses.dataclass(frozen=True)
class Part:
    """Words of a sentence and the region that they are about.

    Attributes:
        text: the word or words.
        box: normalised `(ymin, xmin, ymax, xmax)`.
        score: sum of v_region . s_t over the words.
        first_word, last_word: their positions in the sentence, both included.
    """

    text: str
    box: tuple
    score: float
    first_word: int
    last_word: int

    def to_dict(self):
        return {"text": self.text, "box": rounded(self.box), "score": rounded(self.score)}


class _Shown:
    """A result that a notebook shows as its picture."""

    def _repr_png_(self):
        file = io.BytesIO()
        self.picture().save(file, "PNG")
        return file.getvalue()


@dataclasses.dataclass(frozen=True)
class Alignment(_Shown):
    """A sentence aligned to the regions of a photograph.

    Attributes:
        sentence: as it was given.
        score: S_kl, how well the two belong together.
        snippets: runs of words with one region, list of `Part`, in the order of the sentence.
        words: each word with its region, list of `Part`.
        photograph: the image file, bytes.
        known: how much of the sentence the model knows, `TextKnowledge`.
    """

    sentence: str
    score: float
    snippets: list
    words: list
    photograph: bytes = dataclasses.field(repr=False, default=b"")
    known: TextKnowledge = TextKnowledge()

    @classmethod
    def of_row(cls, row, sentence, photograph):
        """Makes it of a row of the answers of `align`."""
        regions = row["word_regions"][: row["num_words"]].tolist()
        words = [
            Part(str(row["tokens"][word]), _box(row["boxes"][region]), float(score), word, word)
            for word, (region, score) in enumerate(zip(regions, row["word_scores"]))
        ]
        runs = itertools.groupby(range(len(regions)), regions.__getitem__)
        snippets = []
        for number, run in enumerate(list(members) for _, members in runs):
            snippets.append(
                Part(
                    str(row["snippets"][number]),
                    _box(row["snippet_boxes"][number]),
                    float(row["snippet_scores"][number]),
                    run[0],
                    run[-1],
                )
            )
        return cls(
            sentence, float(row["score"]), snippets, words, photograph, TextKnowledge.of_row(row)
        )

    def to_dict(self):
        """Returns the JSON line of `vsa_tf.align`, a dict."""
        return {
            "sentence": self.sentence,
            "score": rounded(self.score),
            "snippets": [part.to_dict() for part in self.snippets],
            "words": [part.to_dict() for part in self.words],
            **self.known.to_dict(),
        }

    def picture(self, width=None, font=None):
        """Draws the sentence's words in the colours of their boxes, as `alignment_picture`."""
        words = [word.text for word in self.words]
        return _picture(self.photograph, words, self.snippets, width, font)


@dataclasses.dataclass(frozen=True)
class RankedBox:
    """A region of a photograph and its score for a phrase; `box` as of `Part`."""

    box: tuple
    score: float

    def to_dict(self):
        return {"box": rounded(self.box), "score": rounded(self.score)}


@dataclasses.dataclass(frozen=True)
class Localization(_Shown):
    """The regions of a photograph in the order of their agreement about a phrase (`box_agreement`).

    Attributes:
        phrase: as it was given.
        boxes: list of `RankedBox`, best first.
        photograph: the image file, bytes.
        known: how much of the phrase the model knows, `TextKnowledge`.
    """

    phrase: str
    boxes: list
    photograph: bytes = dataclasses.field(repr=False, default=b"")
    known: TextKnowledge = TextKnowledge()

    @classmethod
    def of_row(cls, row, phrase, photograph, boxes=None):
        """Makes it of a row of the answers of `localize`; boxes: those that a user gave."""
        count = row["num_boxes"]
        ranked = [
            RankedBox(_box(box), float(score))
            for box, score in zip(row["boxes"][:count], row["scores"])
        ]
        if boxes is not None:
            # The model saw the whole frame before them.
            frames = (row["boxes"][:count] == WHOLE_FRAME).all(axis=1)
            del ranked[np.flatnonzero(frames)[0]]
        return cls(phrase, ranked, photograph, TextKnowledge.of_row(row))

    def to_dict(self, top_k=None):
        """Returns the JSON line of `vsa_tf.localize`, a dict; of the best `top_k` boxes, or all."""
        boxes = [ranked.to_dict() for ranked in self.boxes[:top_k]]
        return {"phrase": self.phrase, "boxes": boxes, **self.known.to_dict()}

    def picture(self, top_k=1, width=None, font=None):
        """Draws the best `top_k` boxes, a `PIL.Image.Image` as `alignment_picture` returns it."""
        shown = self.boxes[:top_k]
        words = [self.phrase, *(f"{rank}." for rank in range(2, len(shown) + 1))]
        parts = [
            Part(words[rank], ranked.box, ranked.score, rank, rank)
            for rank, ranked in enumerate(shown)
        ]
        return _picture(self.photograph, words, parts, width, font)


@dataclasses.dataclass(frozen=True)
class Caption:
    """A generated caption.

    Attributes:
        text: the caption.
        log_prob: natural logarithm of its probability, its end counted.
        tokens: its words, list of str.
        token_log_probs: of each word and of the end.
    """

    text: str
    log_prob: float
    tokens: list
    token_log_probs: list

    def __str__(self):
        return self.text

    def to_dict(self):
        return {
            "text": self.text,
            "log_prob": rounded(self.log_prob),
            "tokens": self.tokens,
            "token_log_probs": rounded(self.token_log_probs),
        }


@dataclasses.dataclass(frozen=True)
class RegionCaptions:
    """Captions of one region of a photograph; `box` as of `Part`, captions best first."""

    box: tuple
    captions: list

    def to_dict(self):
        return {
            "box": rounded(self.box),
            "captions": [caption.to_dict() for caption in self.captions],
        }


@dataclasses.dataclass(frozen=True)
class Captions(_Shown):
    """What a caption generator says of a photograph.

    Attributes:
        captions: list of `Caption`, best first; of a captioner of regions none.
        regions: of a captioner of regions list of `RegionCaptions`, else None.
        photograph: the image file, bytes.
        known: how much of the prefix the model knows, `TextKnowledge`.
    """

    captions: list
    regions: list | None = None
    photograph: bytes = dataclasses.field(repr=False, default=b"")
    known: TextKnowledge = TextKnowledge()

    @classmethod
    def of_row(cls, row, num_captions, photograph):
        """Makes it of a row of the answers of `caption`."""
        known = TextKnowledge.of_row(row)
        if "num_regions" not in row:
            return cls(_captions(row, num_captions), None, photograph, known)
        names = ("boxes", "captions", "log_prob", "tokens", "token_log_probs")
        regions = []
        for region in range(row["num_regions"]):
            own = {name: row[name][region] for name in names}
            regions.append(RegionCaptions(_box(own["boxes"]), _captions(own, num_captions)))
        return cls([], regions, photograph, known)

    def to_dict(self):
        """Returns the JSON line of `vsa_tf.caption`, a dict."""
        if self.regions is None:
            return {"captions": [caption.to_dict() for caption in self.captions]}
        return {"regions": [region.to_dict() for region in self.regions]}

    def picture(self, width=None, font=None):
        """Draws the photograph above its best caption, or its regions', a `PIL.Image.Image`."""
        if self.regions is None:
            words = self.captions[0].tokens if self.captions else []
            return _picture(self.photograph, words, [], width, font)
        shown = [region for region in self.regions if region.captions]
        words = [region.captions[0].text for region in shown]
        parts = [
            Part(words[index], region.box, region.captions[0].log_prob, index, index)
            for index, region in enumerate(shown)
        ]
        return _picture(self.photograph, words, parts, width, font)


def _captions(row, num_captions):
    captions = []
    columns = row["captions"], row["log_prob"], row["tokens"], row["token_log_probs"]
    for text, log_prob, tokens, token_log_probs in zip(*columns):
        # Where fewer captions exist than beams.
        if not np.isfinite(log_prob):
            continue
        tokens = [str(token) for token in tokens if token]
        # The end's is after the last token's.
        log_probs = [float(value) for value in token_log_probs[: len(tokens) + 1]]
        captions.append(Caption(str(text), float(log_prob), tokens, log_probs))
    return captions[:num_captions]


def _box(box):
    return tuple(float(value) for value in box)


def _picture(photograph, words, parts, width, font):
    image = decode_image(photograph)
    try:
        return alignment_picture(image, words, parts, width=width, font=font)
    except ValueError as error:
        raise VsaTfError.of(error) from error
