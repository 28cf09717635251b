"""Retrieval by a sentence and its phrases, or its words (T eq. 8)."""

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.evaluation.alignment_evaluator import score_split
from vsa_tf.evaluation.retrieval_metrics import recall_sum, retrieval_metrics
from vsa_tf.model_dir.load_split import as_model_sees, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.models.alignment.fragment_model import FragmentModel
from vsa_tf.program import silent
from vsa_tf.scoring.embedded_split import EmbeddedPairs, EmbeddedSplit
from vsa_tf.scoring.phrase_distances import combined_distance, phrase_distances

WEIGHTS = tuple(step / 20 for step in range(21))


def combined_retrieval(model, data, scores, options):
    """Ranks images and sentences by the combined distance.

    Args:
        model: an `EmbeddingNetwork` of the image-sentence task.
        data: `SplitData` of N images and M sentences.
        scores: float `[N, M]`, minus the model's distances.
        options: `EvaluationOptions`; `load_phrase_model` gives the model of d_rp: a region-phrase
            network, or a `FragmentModel`, whose words or relations find their best regions as
            phrases do, so that d_rp is minus its score. Where `phrase_weight` is None, it is chosen
            on `load_dev_data()`, by the sum of all recalls.

    Returns:
        dict of `weight`, a; `num_without_phrases`, sentences that have d(x, y) alone;
        `image_to_sentence` and `sentence_to_image` as of `retrieval_metrics`, and its `folds`; and
        where a was chosen `tuning`: `split`, and `recall_sums` for each weight.
    """
    weight, tuning = options.phrase_weight, {}
    if weight is None:
        dev = options.load_dev_data()
        dev_scores = EmbeddedPairs.embed(model, dev).scores(model)
        sums = recall_sums(-dev_scores, *_of_phrases(dev, options), dev.records.image_of_caption)
        weight = max(sums, key=sums.get)
        tuning = {
            "tuning": {
                "split": dev.records.split,
                "recall_sums": {f"{each:.2f}": value for each, value in sums.items()},
            }
        }
    distances, has_phrases = _of_phrases(data, options)
    combined = combined_distance(-scores, distances, has_phrases, weight)
    return {
        "weight": weight,
        "num_without_phrases": int(np.count_nonzero(~has_phrases)),
        **retrieval_metrics(
            -combined,
            data.records.image_of_caption,
            options.intervals,
            options.fold_size,
            options.seed,
        ),
        **tuning,
    }


def recall_sums(distances, phrase_distances, has_phrases, image_of_sentence):
    """Returns the sum of all six recalls, percent, for each of `WEIGHTS`, a dict.

    Args:
        distances, phrase_distances, has_phrases: see `combined_distance`.
        image_of_sentence: int `[M]`.
    """
    sums = {}
    for weight in WEIGHTS:
        combined = combined_distance(distances, phrase_distances, has_phrases, weight)
        sums[weight] = recall_sum(retrieval_metrics(-combined, image_of_sentence, intervals=False))
    return sums


def _of_phrases(data, options):
    """Returns d_rp, float32 `[N, M]`, and which sentences have phrases, bool `[M]`."""
    model, parts = options.load_phrase_model(data.records)
    if isinstance(model, FragmentModel):
        embedded = EmbeddedSplit.embed(model, parts)
        return -score_split(model, embedded), embedded.lengths > 0
    num_sentences = data.records.num_captions
    embedded = EmbeddedPairs.embed(model, parts)
    sentences = parts.records.sentence_of_phrase
    distances = phrase_distances(
        embedded.regions, embedded.region_mask, embedded.sentences, sentences, num_sentences
    )
    return distances, np.bincount(sentences, minlength=num_sentences) > 0


class PhraseModel:
    """A model of regions and parts of sentences, and a split as it sees it.

    The model is an embedding network of regions and phrases, or a `FragmentModel`.

    Args:
        model_dir: directory that training wrote.
        say: called with each line about the work.
    """

    def __init__(self, model_dir, say=silent):
        self._trained = TrainedModel(model_dir)
        self._say = say

    def load(self, records):
        """Returns the model and the `SplitData` of a split, of its phrases where it reads these.

        The model may have learnt from other records of the same photographs, with other regions:
        then its own are read.

        Args:
            records: the `RecordSplit`, or what has its `info`, `split` and `captions`.

        Raises:
            VsaTfError: its records cannot be read, or are of other photographs or captions.
        """
        settings, inputs, info = self._trained.settings, self._trained.inputs, records.info
        num_regions = min(settings.data.num_regions or info.num_regions, info.num_regions)
        received = {"encoder": info.encoder, "detector": info.detector, "num_regions": num_regions}
        if any(inputs[name] != value for name, value in received.items()):
            own_records = read_records(settings.data.data_dir, records.split, self._say)
            if own_records.captions != records.captions:
                raise VsaTfError(
                    f"Expected {settings.data.data_dir}, which --phrase_model was trained on, to "
                    f"hold the photographs and captions of {info.data_dir} in split "
                    f"{records.split}. Received: others"
                )
            records = own_records
        self._trained.check_records(records)
        data = as_model_sees(records, self._trained.text, settings, say=self._say)
        return self._trained.model, data
