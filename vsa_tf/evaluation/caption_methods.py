"""Captions of a split: by the generator, by consensus, by nearest neighbours, by oracles."""

import copy
import dataclasses

import keras
import numpy as np

from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.evaluation import CaptionOptions, GivenSplits
from vsa_tf.evaluation.probability_retrieval import encode_images
from vsa_tf.metrics.caption_similarity import CaptionSimilarity
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.models.captioning.m_rnn import scaled_tanh
from vsa_tf.scoring.caption_consensus import (
    Reranking,
    closest_captions,
    consensus_reranking,
    nearest_neighbor_captions,
    oracle_reranking,
)
from vsa_tf.scoring.embedded_split import image_vectors, told
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
        progress: that of `EvaluationOptions`.

    Attributes:
        splits: as given.
    """

    def __init__(self, model, data, settings, options, splits, progress=None):
        self._model = model
        self._data = data
        self._settings = settings
        self._options = options
        self.splits = splits
        self._progress = progress
        self._images = np.arange(data.records.num_images)
        self._hypotheses = None
        self._nearest = {}
        self._similarities = {}

    @classmethod
    def of_texts(cls, data, texts):
        """Returns the `CaptionMethods` whose hypotheses are captions that were written elsewhere.

        Args:
            data: `SplitData` of the images; what captions are compared by is learnt from its own.
            texts: of each image a list of str, none of them empty.
        """
        methods = cls(None, data, None, CaptionOptions(), GivenSplits(data))
        tokens = [[data.text.tokenize(text) for text in each] for each in texts]
        methods._hypotheses = GeneratedCaptions(texts, tokens, None, None)
        return methods

    def of_images(self, images):
        """Returns the `CaptionMethods` of some images of the split, int `[n]`, in their order.

        Where the records hold no features of an encoder, the model's tell similar images.
        """
        chosen = copy.copy(self)
        chosen._images, chosen._hypotheses, chosen._nearest = np.asarray(images), None, {}
        if self._options.neighbor_features not in self.features:
            chosen._options = dataclasses.replace(self._options, neighbor_features="refined")
        return chosen

    @property
    def features(self):
        """Those by which similar images can be told, of `refined` and `encoder`, list of str."""
        of_model, of_records = self._settings.refines_images, self._data.records.info
        return ["refined"] * of_model + ["encoder"] * (of_records.region_feature_size > 0)

    def captions(self, method):
        """Returns one caption for each image, list of str."""
        name, _, kind = method.partition("_")
        if name == "greedy":
            decoder = GreedySearch(max_length=self._settings.max_caption_words)
            generator = CaptionGenerator(self._model, decoder)
            return caption_split(generator, self._data, self._images, self._progress).best
        if name == "beam":
            return self.hypotheses.best
        if name == "nearest":
            similarity = self._similarity(kind, self.splits.training)
            chosen = nearest_neighbor_captions(self.neighbors, similarity).captions
            training = self.splits.training.records.captions
            return [training[caption] for caption in chosen]
        ranking = self.consensus(kind) if name == "consensus" else self.oracle(kind)
        return [texts[order[0]] for texts, order in zip(self.hypotheses.texts, ranking.order)]

    def consensus(self, kind):
        """Returns the `Reranking` of the hypotheses by `cider`, `bleu` or `f1`."""
        similarity = self._similarity(kind, self.splits.training)
        return consensus_reranking(self.hypotheses.tokens, self.neighbors, similarity)

    def closest(self, captions):
        """Returns the caption most like each by CIDEr, of those that were learnt, list of str."""
        learnt = self.splits.learnt
        similarity = self._similarity("cider", learnt)
        tokens = [self._data.text.tokenize(caption) for caption in captions]
        training = learnt.records.captions
        return [training[row] for row in closest_captions(tokens, similarity).captions]

    def oracle(self, kind):
        """Returns the `Reranking` of the hypotheses by the true captions of their images.

        Where there are none to compare they stay in their order, and score 0.

        Args:
            kind: `cider`, `bleu` or `f1`.
        """
        truth, hypotheses = self._true_captions(), self.hypotheses.tokens
        both = enumerate(zip(truth, hypotheses))
        places = [place for place, (captions, written) in both if captions and written]
        ranked = oracle_reranking(
            [hypotheses[place] for place in places],
            [truth[place] for place in places],
            self._similarity(kind, self.splits.training),
        )
        ranking = Reranking(
            [np.arange(len(each)) for each in hypotheses],
            [np.zeros(len(each)) for each in hypotheses],
        )
        for place, order, scores in zip(places, *ranked):
            ranking.order[place], ranking.scores[place] = order, scores
        return ranking

    @property
    def hypotheses(self):
        """The n best captions of each image, `GeneratedCaptions`."""
        if self._hypotheses is None:
            count = self._options.num_hypotheses
            decoder = BeamSearch(
                beam_size=count,
                num_captions=count,
                length_normalization=self._settings.length_normalization,
                max_length=self._settings.max_caption_words,
            )
            generator = CaptionGenerator(self._model, decoder)
            self._hypotheses = caption_split(generator, self._data, self._images, self._progress)
        return self._hypotheses

    @property
    def neighbors(self):
        """The nearest of the captioned training images to each image, int `[N, k]`."""
        features = "model" if self.splits.neighbor_model else self._options.neighbor_features
        return self.nearest(features).images

    def nearest(self, features):
        """Returns the `NearestImages` of each image among the `captioned_images` of training.

        Args:
            features: one of `features`, or `model`: by the vectors of `splits.neighbor_model`.
        """
        if features not in self._nearest:
            training = self.splits.training
            self._nearest[features] = nearest_images(
                self._features(features, self._data, self._images),
                self._features(features, training, captioned_images(training.records)),
                self._options.num_neighbors,
                self._options.neighbor_distance,
            )
        return self._nearest[features]

    def _features(self, name, data, images):
        """Returns the encoder's vectors of images, the model's `I_r = g2(V_I I)`, or another's."""
        if name == "model":
            return image_vectors(*self.splits.neighbor_model(data.records), images)
        if name == "refined":
            encoded = encode_images(self._model, data, images=images)
            return np.asarray(scaled_tanh(encoded["multimodal"][:, 0]))
        return data.records.read_region_features(images, 1)[:, 0]

    def _similarity(self, kind, training):
        """Returns the `CaptionSimilarity` of a kind to the captions of a `SplitData`."""
        key = kind, id(training)
        if key not in self._similarities:
            records = training.records
            self._similarities[key] = CaptionSimilarity(
                training.caption_tokens,
                np.searchsorted(captioned_images(records), records.image_of_caption),
                kind,
            )
        return self._similarities[key]

    def _true_captions(self):
        tokens, bounds = self._data.caption_tokens, self._data.records.first_caption
        return [tokens[bounds[image] : bounds[image + 1]] for image in self._images]


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
        # As arrays: not every backend takes TensorFlow's tensors.
        hypotheses = generator.predict_on_batch(keras.tree.map_structure(np.asarray, batch))
        for row in zip(*(np.asarray(value) for value in hypotheses)):
            _append(captions, text, *row)
    return captions


def caption_split(generator, data, images=None, progress=None):
    """Writes captions for the images of a split.

    Args:
        generator: a `CaptionGenerator`; one that is used again is compiled once.
        data: `SplitData`.
        images: int `[n]`; None: all.
        progress: that of `EvaluationOptions`.

    Returns:
        `GeneratedCaptions`.
    """
    images = np.arange(data.records.num_images) if images is None else np.asarray(images)
    count, size = len(images), min(_BATCH_SIZE, len(images)) or 1
    # The last image again and again: a batch of another size would compile the search anew.
    images = np.pad(images, (0, -count % size), "edge")
    batches = told(data.image_batches(size, images), size, count, "images", progress)
    captions = generate_captions(generator, batches, data.text)
    for values in vars(captions).values():
        del values[count:]
    return captions


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
