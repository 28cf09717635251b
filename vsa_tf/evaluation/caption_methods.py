"""Captions of a split: by the generator, by consensus, by nearest neighbours, by oracles."""

import dataclasses

import numpy as np

from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.probability_retrieval import encode_images
from vsa_tf.metrics.caption_similarity import CaptionSimilarity
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.models.captioning.m_rnn import scaled_tanh
from vsa_tf.scoring.caption_consensus import (
    closest_captions,
    consensus_reranking,
    nearest_neighbor_captions,
    oracle_reranking,
)
from vsa_tf.scoring.nearest_images import nearest_images

_BATCH_SIZE = 64


class CaptionMethods:
    """Captions of a split by any of evaluate's `--caption_method`s; what several need is made once.

    * `greedy`, `beam`: the likeliest word each time; the best of `options.num_hypotheses` beams.
    * `consensus_...`: of these beams, the caption most like those of similar training images.
    * `oracle_...`: the one most like the true captions; an upper bound, not a method.
    * `nearest_...`: nothing is generated; the consensus among the similar images' own captions.

    Args:
        model: a `Captioner`.
        data: `SplitData` of the images.
        settings: `CaptionerSettings`.
        options: `CaptionOptions`.
        splits: `GivenSplits` or `StoredSplits`, with the training split.
    """

    def __init__(self, model, data, settings, options, splits):
        self._model = model
        self._data = data
        self._settings = settings
        self._options = options
        self._splits = splits
        self._hypotheses = None
        self._neighbors = None
        self._similarities = {}

    def captions(self, method):
        """Returns one caption for each image of the split, list of str."""
        name, _, kind = method.partition("_")
        if name == "greedy":
            decoder = GreedySearch(max_length=self._settings.max_caption_words)
            return caption_split(CaptionGenerator(self._model, decoder), self._data).best
        if name == "beam":
            return self.hypotheses.best
        if name == "nearest":
            similarity = self._similarity(kind)
            chosen = nearest_neighbor_captions(self.neighbors, similarity).captions
            training = self._splits.training.records.captions
            return [training[caption] for caption in chosen]
        if name == "consensus":
            ranking = consensus_reranking(
                self.hypotheses.tokens, self.neighbors, self._similarity(kind)
            )
            best = [order[0] for order in ranking.order]
        else:
            best = self._oracle(kind)
        return [texts[index] for texts, index in zip(self.hypotheses.texts, best)]

    def closest(self, captions):
        """Returns the training caption most like each of the captions by CIDEr, list of str."""
        similarity = self._similarity("cider")
        tokens = [self._data.text.tokenize(caption) for caption in captions]
        training = self._splits.training.records.captions
        return [training[row] for row in closest_captions(tokens, similarity).captions]

    def _oracle(self, kind):
        """Returns the hypothesis nearest to the true captions, the first where there are none."""
        images, truth = captioned_images(self._data.records), self._true_captions()
        ranking = oracle_reranking(
            [self.hypotheses.tokens[image] for image in images],
            [truth[image] for image in images],
            self._similarity(kind),
        )
        best = np.zeros(len(truth), int)
        best[images] = [order[0] for order in ranking.order]
        return best

    @property
    def hypotheses(self):
        """The n best captions of each image, `GeneratedCaptions`."""
        if self._hypotheses is None:
            count = self._options.num_hypotheses
            decoder = BeamSearch(
                beam_size=count, num_captions=count, max_length=self._settings.max_caption_words
            )
            generator = CaptionGenerator(self._model, decoder)
            self._hypotheses = caption_split(generator, self._data)
        return self._hypotheses

    @property
    def neighbors(self):
        """The captioned training images nearest to each image, int `[N, k]`."""
        if self._neighbors is None:
            captioned = captioned_images(self._splits.training.records)
            self._neighbors = nearest_images(
                self._features(self._data),
                self._features(self._splits.training)[captioned],
                self._options.num_neighbors,
                self._options.neighbor_distance,
            ).images
        return self._neighbors

    def _features(self, data):
        """Returns the encoder's features of images, or the model's `I_r = g2(V_I I)`."""
        if self._options.neighbor_features == "refined":
            return np.asarray(scaled_tanh(encode_images(self._model, data)["multimodal"][:, 0]))
        images = np.arange(data.records.num_images)
        return data.records.read_region_features(images)[:, 0]

    def _similarity(self, kind):
        if kind not in self._similarities:
            records = self._splits.training.records
            self._similarities[kind] = CaptionSimilarity(
                self._splits.training.caption_tokens,
                np.searchsorted(captioned_images(records), records.image_of_caption),
                kind,
            )
        return self._similarities[kind]

    def _true_captions(self):
        tokens, bounds = self._data.caption_tokens, self._data.records.first_caption
        return [tokens[first:last] for first, last in zip(bounds, bounds[1:])]


def captioned_images(records):
    """Returns the images of a `RecordSplit` that have captions, int `[n]`."""
    return np.flatnonzero(np.diff(records.first_caption))


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


def caption_split(generator, data):
    """Writes captions for every image of a split.

    Args:
        generator: a `CaptionGenerator`; one that is used again is compiled once.
        data: `SplitData`.

    Returns:
        `GeneratedCaptions`.
    """
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
