"""Evaluates caption generators."""

from vsa_tf.data.record_views import DescribedRegions
from vsa_tf.decoding.beam_search import BeamSearch
from vsa_tf.decoding.sampling import GreedySearch
from vsa_tf.evaluation.caption_methods import CaptionMethods, caption_split, captioned_images
from vsa_tf.evaluation.evaluation import CaptionOptions, Evaluation, GivenSplits, RetrievalOptions
from vsa_tf.evaluation.probability_retrieval import (
    encode_images,
    probability_retrieval,
    split_perplexities,
)
from vsa_tf.metrics.caption_scores import CaptionScorer, neuraltalk_bleu, novelty
from vsa_tf.models.captioning.captioner import CaptionGenerator
from vsa_tf.text.ptb_tokenizer import ptb_tokenize
from vsa_tf.visualization.split_pictures import picture_names, spread

# With fewer distinct captions an image than this, the model no longer looks at images.
_COLLAPSED = 0.01


class CaptionEvaluator:
    """Perplexity, scores of generated captions, retrieval by probability.

    Args:
        settings: `CaptionerSettings`.
        captions: `CaptionOptions`.
        retrieval: `RetrievalOptions`, of retrieval by probability.
        splits: `GivenSplits` or `StoredSplits`.
    """

    def __init__(
        self,
        settings,
        captions=CaptionOptions(),
        retrieval=RetrievalOptions(),
        splits=GivenSplits(),
    ):
        self.settings = settings
        self._caption_options = captions
        self._retrieval = retrieval
        self._splits = splits
        self._scorers = {}
        self._generator = None

    def evaluate(self, model, data, options):
        """Returns the `Evaluation` of a model on `SplitData`; options: `EvaluationOptions`."""
        images = encode_images(model, data)
        generated = caption_split(self._generator_of(model), data, progress=options.progress)
        captions = generated.best
        metrics = {
            "captions": {
                **split_perplexities(model, data, images),
                **self.scores(captions, data, options),
            }
        }
        if isinstance(data.records, DescribedRegions):
            metrics["described_regions"] = data.records.summary()
        methods = CaptionMethods(
            model, data, self.settings, self._caption_options, self._splits, options.progress
        )
        if self._caption_options.caption_method:
            metrics["captions_by_method"] = {
                method: self.scores(methods.captions(method), data, options)
                for method in self._caption_options.caption_method
            }
        if self._caption_options.retrieval != "none":
            metrics |= probability_retrieval(
                model,
                data,
                images,
                options,
                captions=self._caption_options,
                retrieval=self._retrieval,
                splits=self._splits,
            )
        results = [
            {"image_id": image, "caption": caption, "file_name": data.records.filenames[image]}
            for image, caption in enumerate(captions)
        ]
        if options.intervals and self._splits.learnt is not None:
            for result, closest in zip(results, methods.closest(captions)):
                result["closest_training_caption"] = closest
        pictures = _pictures(captions, data, options.num_pictures)
        files = {"captions.json": results}
        return Evaluation(metrics, pictures, files, captions=generated, caption_methods=methods)

    def _generator_of(self, model):
        """Returns the `CaptionGenerator`, the same at every checkpoint: it is compiled once."""
        if self._generator is None or self._generator.captioner is not model:
            self._generator = CaptionGenerator(model, self.decoder())
        return self._generator

    def decoder(self):
        """Returns the decoder of the model's own captions."""
        length = self.settings.max_caption_words
        if self.settings.beam_size == 1:
            return GreedySearch(max_length=length)
        return BeamSearch(
            beam_size=self.settings.beam_size,
            length_normalization=self.settings.length_normalization,
            max_length=length,
        )

    def scores(self, captions, data, options):
        """Returns the scores of one caption for each image, a dict; percent for shares.

        `novel` is the share of captions that are no training caption, `distinct` the number of
        different ones, `collapsed` whether they are so few that the model ignores its images.
        """
        has_captions = captioned_images(data.records)
        scorer = self._scorers.get(data.records.split)
        if scorer is None:
            scorer = CaptionScorer([references(data, image) for image in has_captions])
            self._scorers[data.records.split] = scorer
        candidates = [captions[image] for image in has_captions]
        metrics, skipped = scorer.score(candidates, meteor=options.intervals)
        if options.intervals:
            tokenised = [" ".join(ptb_tokenize(caption)) for caption in candidates]
            metrics |= neuraltalk_bleu(tokenised, scorer.references)
        training = []
        if self._splits.learnt is not None:
            training = self._splits.learnt.caption_tokens
        counts = novelty([data.text.tokenize(caption) for caption in captions], training)
        metrics["novel"] = 100.0 * counts.novel_share if training else None
        metrics["distinct"] = counts.num_distinct
        few = max(1, _COLLAPSED * len(captions))
        metrics["collapsed"] = counts.num_distinct <= few < len(captions)
        return metrics | ({"skipped": skipped} if skipped else {})

    def selection_score(self, metrics):
        """The number by which checkpoints are chosen."""
        value = metrics["captions"][self.settings.selection]
        return -value if self.settings.selection == "perplexity" else value

    def summary(self, metrics):
        """The few numbers that say how training goes, a dict."""
        return {name: metrics["captions"][name] for name in ("perplexity", "Bleu_4", "CIDEr")}


def references(data, image):
    """Returns the captions of an image of `SplitData`, list of str."""
    first, last = data.records.first_caption[image : image + 2]
    return data.records.captions[first:last]


def _pictures(captions, data, count):
    """Returns photographs with their captions, as `aligned_pictures` does."""
    records = data.records
    if not records.info.contents["images_stored"]:
        return {}
    chosen = spread(records.num_images, count)
    return {
        name: (
            "  \n".join([f"**{captions[image]}**", *references(data, image)]),
            records.read_image(image),
        )
        for image, name in zip(chosen, picture_names(records, chosen))
    }
