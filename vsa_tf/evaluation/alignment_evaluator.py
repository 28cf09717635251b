"""Evaluates models of image regions and sentence fragments by the protocols of the papers."""

import numpy as np

from vsa_tf.boxes import WITHOUT_BOXES
from vsa_tf.evaluation.evaluation import Evaluation, RetrievalOptions
from vsa_tf.evaluation.generated_scenes import generated_ceiling
from vsa_tf.evaluation.retrieval_metrics import (
    DIRECTIONS,
    iapr_tc12_metrics,
    localization_metrics,
    ranked_regions,
    recall_sum,
    rescored_metrics,
    retrieval_metrics,
)
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.scoring.embedded_split import EmbeddedSplit
from vsa_tf.visualization.split_pictures import aligned_pictures


class AlignmentEvaluator:
    """Retrieval, phrase localization, pictures of aligned regions.

    Args:
        retrieval: `RetrievalOptions`.
    """

    def __init__(self, retrieval=RetrievalOptions()):
        self._retrieval = retrieval

    def evaluate(self, model, data, options):
        """Returns the `Evaluation` of a model on a split.

        A model that reads dependency relations has no words in their order: phrases are not
        localized.

        Args:
            model: a `FragmentModel`.
            data: `SplitData`.
            options: `EvaluationOptions`.
        """
        records = data.records
        embedded = EmbeddedSplit.embed(model, data, progress=options.progress)
        scores = embedded.scores(model, options.progress)
        ranks = retrieval_ranks(scores, records.image_of_caption)
        metrics = retrieval_metrics(scores, records.image_of_caption, options, ranks)
        phrases = [] if model.num_relations else list(ranked_phrases(embedded, data))
        if phrases:
            metrics["phrase_localization"], phrases = localization_metrics(phrases)
        if options.intervals:
            metrics |= generated_ceiling(records, ranks)
        metrics |= rescored_metrics(scores, records.image_of_caption, self._retrieval, options)
        if self._retrieval.iapr_tc12:
            metrics |= iapr_tc12_metrics(scores, ranks, records, options)
        pictures = aligned_pictures(embedded, data, options.num_pictures)
        return Evaluation(
            metrics, pictures, embedded=embedded, scores=scores, ranked_phrases=phrases
        )

    def selection_score(self, metrics):
        """The number by which checkpoints are chosen: the sum of all six recalls, as VSE++."""
        return recall_sum(metrics)

    def summary(self, metrics):
        """The few numbers that say how training goes, a dict."""
        return {f"{direction} R@1": metrics[direction]["R@1"] for direction in DIRECTIONS}


def ranked_phrases(embedded, data):
    """Ranks the regions of its image for every annotated phrase, in the order of the records.

    A region's score for a phrase is the sum over the phrase's words of `v_i . s_t`.

    Args:
        embedded: the `EmbeddedSplit`.
        data: its `SplitData`.

    Yields:
        `(ranked_boxes, agreed_boxes, truth_boxes, phrase_type)`, as of `localization_metrics`.
    """
    records, starts = data.records, embedded.starts
    for image, phrases in enumerate(records.phrases):
        if not phrases:
            continue
        mask = embedded.region_mask[image]
        regions, boxes = embedded.regions[image][mask], records.region_boxes[image]
        boxes = boxes[: len(mask)][mask]
        chains, boundaries, vectors = {}, {}, []
        for annotated in records.objects[image]:
            chains.setdefault(annotated.chain, []).append(annotated.box)
        for phrase in phrases:
            sentence = records.first_caption[image] + phrase.caption_index
            if sentence not in boundaries:
                boundaries[sentence] = data.text.token_boundaries(records.captions[sentence])
            first, last = (
                min(boundaries[sentence][word], embedded.lengths[sentence])
                for word in (phrase.first_word, phrase.first_word + phrase.num_words)
            )
            words = embedded.words[starts[sentence] + first : starts[sentence] + last]
            vectors.append(words.sum(axis=0))
        rankings = ranked_regions(np.array(vectors) @ regions.T, boxes, WITHOUT_BOXES)
        for phrase, *orders in zip(phrases, *rankings):
            truth = np.array(chains.get(phrase.chain, ())).reshape(-1, 4)
            yield *(boxes[order] for order in orders), truth, phrase.type
