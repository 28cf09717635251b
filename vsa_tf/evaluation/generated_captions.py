"""Captions that a generator writes for a split."""

import dataclasses

import numpy as np

from vsa_tf.models.captioning.captioner import CaptionGenerator

_BATCH_SIZE = 64


@dataclasses.dataclass
class GeneratedCaptions:
    """The n best captions of each of N images.

    Attributes:
        texts: list of N lists of str, best first; shorter where there were fewer captions.
        tokens: as texts, lists of tokens, without END.
        log_probs: list of N lists of float, natural logarithms, END counted.
        token_log_probs: as tokens, of float, with END's at the end.
    """

    texts: list
    tokens: list
    log_probs: list
    token_log_probs: list

    @property
    def best(self):
        """The best caption of each image, a list of str; empty where there is none."""
        return [texts[0] if texts else "" for texts in self.texts]


def generate_captions(generator, batches, text):
    """Writes captions for images.

    Args:
        generator: a `CaptionGenerator`; one that is used again is compiled once.
        batches: iterable of batches of images.
        text: the `CaptionText` of the model.

    Returns:
        `GeneratedCaptions`.
    """
    captions = GeneratedCaptions([], [], [], [])
    for batch in batches:
        hypotheses = generator.predict_on_batch(batch)
        for row in zip(*(np.asarray(value) for value in hypotheses)):
            _append(captions, text, *row)
    return captions


def caption_split(model, decoder, data):
    """Writes captions for every image of a split.

    Args:
        model: a `Captioner`.
        decoder: a decoder of `vsa_tf.decoding`.
        data: `SplitData`.

    Returns:
        `GeneratedCaptions`.
    """
    generator = CaptionGenerator(model, decoder)
    return generate_captions(generator, data.image_batches(_BATCH_SIZE), data.text)


def _append(captions, text, token_ids, token_log_probs, log_probs):
    rows = [[], [], [], []]
    for ids, each, total in zip(token_ids, token_log_probs, log_probs):
        if not np.isfinite(total):  # fewer captions exist than were asked for
            continue
        length = int(np.count_nonzero(ids))
        tokens = text.decode(ids[:length])
        rows[0].append(text.join(tokens))
        rows[1].append(tokens)
        rows[2].append(float(total))
        rows[3].append([float(value) for value in each[:length]])
    for values, row in zip(vars(captions).values(), rows):
        values.append(row)
