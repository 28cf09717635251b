"""How probable the sentences of a split are to a captioner."""

import keras
import numpy as np
from keras import ops

from vsa_tf.data.caption_rows import TokenStore
from vsa_tf.metrics.caption_counts import perplexity
from vsa_tf.text.vocabulary import UNK_ID

_BATCH_SIZE = 250


def encode_images(model, data, batch_size=_BATCH_SIZE):
    """Returns what the images of a split contribute, a nest of numpy arrays `[N, 1, .]`."""
    parts = [
        keras.tree.map_structure(ops.convert_to_numpy, model.encode_images(batch))
        for batch in data.image_batches(batch_size)
    ]
    return keras.tree.map_structure(lambda *values: np.concatenate(values), *parts)


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
