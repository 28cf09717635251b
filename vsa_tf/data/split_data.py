"""A split as a model sees it: records, tokens and batches."""

import dataclasses
import functools

from vsa_tf.data.caption_rows import FragmentStore, TokenStore
from vsa_tf.data.input_pipeline import InputPipeline
from vsa_tf.data.record_split import RecordSplit


@dataclasses.dataclass
class SplitData:
    """One split, ready to be read in batches.

    Attributes:
        records: the `RecordSplit`.
        text: the `CaptionText` of the model.
        tokens: the `TokenStore` of the split's captions, or the `FragmentStore`, where the model
            reads dependency relations.
        pipeline: the `InputPipeline` over both.
    """

    records: RecordSplit
    text: object
    tokens: TokenStore | FragmentStore
    pipeline: InputPipeline

    @classmethod
    def load(cls, records, text, settings, phrase_regions=None):
        """Tokenises the captions of a split.

        Args:
            records: the `RecordSplit`, or a view of one.
            text: the `CaptionText` of the model.
            settings: the `DataSettings`.
            phrase_regions: the `PhraseRegions` of training batches, if they pair phrases.
        """
        if text.relation_types is None:
            tokens = TokenStore.from_captions(records.captions, text.encode, settings.max_words)
        else:
            fragments = text.encode_dependencies(records.dependencies)
            tokens = FragmentStore(fragments, settings.max_words)
        image_size = settings.image_size if records.info.region_feature_size == 0 else 0
        pipeline = InputPipeline(
            records,
            tokens,
            text.sentence_features(records.captions),
            phrase_regions,
            image_size,
            settings.num_regions,
        )
        return cls(records, text, tokens, pipeline)

    @functools.cached_property
    def caption_tokens(self):
        """The tokens of every caption, whole, a list of lists of str; made when first asked for."""
        return [self.text.tokenize(caption) for caption in self.records.captions]

    def fragment_names(self, sentence):
        """Returns what the model's fragments of a sentence are called, a list of str.

        They are its words, as far as the model reads them, or `relation(head, dependent)`.
        """
        if self.text.relation_types is None:
            words = self.text.tokenize(self.records.captions[sentence])
            return words[: self.tokens.lengths[sentence]]
        return self.text.decode_fragments(self.tokens.row(sentence))

    @property
    def from_pixels(self):
        """Whether batches hold images and a CNN is trained."""
        return self.pipeline.image_size > 0

    @property
    def num_regions(self):
        """Regions of each image that are used, the whole frame first."""
        return self.pipeline.images.num_regions

    @property
    def phrase_regions(self):
        """The `PhraseRegions` of training batches; None where whole images are paired."""
        return self.pipeline.assembler.phrase_regions

    def training_batches(self, plan, start_step, augmentation=None):
        return self.pipeline.training_batches(plan, start_step, augmentation=augmentation)

    def image_batches(self, batch_size):
        return self.pipeline.image_batches(batch_size)

    def sentence_batches(self, batch_size):
        return self.pipeline.sentence_batches(batch_size)
