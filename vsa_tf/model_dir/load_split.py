"""The split of a data set that a model learns from or is evaluated on, as the model sees it."""

import dataclasses
import functools

from vsa_tf.data.caption_rows import FragmentStore, TokenStore
from vsa_tf.data.input_pipeline import InputPipeline
from vsa_tf.data.phrase_regions import PhraseRegions
from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.record_views import DescribedRegions, PhraseRecords, RegionRecords
from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent
from vsa_tf.scoring.embedded_split import EmbeddedSplit, aligned_snippets


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
        features = text.sentence_features(records.captions)
        pipeline = images_view(records, settings, tokens, features, phrase_regions)
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

    def training_batches(self, plan, start_step, augmentation=None, crop=None):
        return self.pipeline.training_batches(
            plan, start_step, augmentation=augmentation, crop=crop
        )

    def image_batches(self, batch_size, images=None):
        return self.pipeline.image_batches(batch_size, images)

    def sentence_batches(self, batch_size, captions=None):
        return self.pipeline.sentence_batches(batch_size, captions=captions)


def read_records(data_dir, split, say=silent):
    """Returns the `RecordSplit`. Raises VsaTfError where it cannot be read."""
    say(f"reading {split} of {data_dir}")
    try:
        return RecordSplit(data_dir, split)
    except (OSError, ValueError) as error:
        raise VsaTfError.of(error) from error


def load_split(trained, data_dir, split, for_training=False, say=silent, described=None):
    """Returns the `SplitData` of a split as a trained model sees it.

    Args:
        trained: the `TrainedModel`.
        data_dir: directory of records.
        split: name of the split.
        for_training: see `model_view`.
        say: called with each line about the work.
        described: see `model_view`.

    Raises:
        VsaTfError: the records cannot be read, or the model cannot use them.
    """
    records = read_records(data_dir, split, say)
    trained.check_records(records, say)
    return model_view(records, trained.text, trained.settings, for_training, say, described)


def images_view(records, settings, *of_sentences):
    """Returns the `InputPipeline` of a split, of its images alone where no more is given.

    Args:
        records: the `RecordSplit`, or a view of one.
        settings: the `DataSettings`.
        *of_sentences: what it reads of captions, see `InputPipeline`.
    """
    image_size = settings.image_size if records.info.region_feature_size == 0 else 0
    parts = {"image_size": image_size, "num_regions": settings.num_regions}
    return InputPipeline(records, *of_sentences, **parts)


def captions_to_learn(records, settings):
    """Returns what vocabulary and sentence feature are learnt from, a list of str.

    Args:
        records: the `RecordSplit` of the training split.
        settings: `Settings`.
    """
    model = settings.model
    reads_phrases = model.pairs_phrases or model.reads_descriptions
    return _phrase_records(records).captions if reads_phrases else records.captions


def dependencies_to_learn(records, settings):
    """Returns what relation types are learnt from: of each caption its dependency relations.

    Args:
        records: the `RecordSplit` of the training split.
        settings: `Settings`.

    Raises:
        VsaTfError: the model reads them, and the records have none.
    """
    if not settings.model.reads_dependencies:
        return ()
    _check_dependencies(records)
    return records.dependencies


def model_view(records, text, settings, for_training=False, say=silent, described=None):
    """Returns the `SplitData` of records: images with captions, or their regions with texts.

    Args:
        records: the `RecordSplit`.
        text: the `CaptionText` of the model.
        settings: the `Settings` of the model.
        for_training: whether something is fitted to them: phrases are then given the regions that
            they learn from.
        say: called with each line about the work.
        described: `(boxes, least_overlap)` of `DescribedRegions`, by which a caption generator is
            shown the regions that people described; None: what it has learnt from.
    """
    if described or settings.model.captions_regions:
        records = _region_records(records, settings.model, described, say)
        every = dataclasses.replace(settings.data, num_regions=records.info.num_regions)
        return SplitData.load(records, text, every)
    if settings.model.pairs_phrases:
        records = _phrase_records(records)
        regions = _phrase_regions(records, settings, say) if for_training else None
        return SplitData.load(records, text, settings.data, regions)
    if settings.model.reads_dependencies:
        return _with_dependencies(records, text, settings, say)
    return SplitData.load(records, text, settings.data)


def _with_dependencies(records, text, settings, say):
    _check_dependencies(records)
    data = SplitData.load(records, text, settings.data)
    fragments = data.tokens
    say(
        f"{records.split}: {fragments.num_empty} of {records.num_captions} sentences have no "
        f"dependency relation; {fragments.num_pooled} of {len(fragments.packed_ids)} relations are "
        "of rare or unknown types"
    )
    return data


def _check_dependencies(records):
    if not any(records.dependencies):
        raise VsaTfError(
            f"Expected dependency relations in split {records.split} of {records.info.data_dir}. "
            "Received: none. Add parses with tfrecords_tools.add_dependencies, or write the "
            "records with --dependencies"
        )


def _phrase_records(records):
    try:
        return PhraseRecords(records)
    except ValueError as error:
        raise VsaTfError.of(error) from error


def _phrase_regions(records, settings, say):
    model, info = settings.model, records.info
    regions = PhraseRegions(
        records,
        model.num_proposals,
        model.positive_overlap or None,
        model.negative_overlap,
        model.num_positives,
        info.used_regions(settings.data.num_regions),
        from_pixels=info.region_feature_size == 0,
        seed=settings.training.seed,
    )
    num_without = len(regions.has_region) - int(regions.has_region.sum())
    say(
        f"{records.split}: {records.num_captions} phrases; {records.num_dropped} without a box are "
        f"left out; {num_without} have no region to learn from"
    )
    return regions


def _region_records(records, settings, described, say):
    """Returns the `RegionRecords` of a caption generator, with captions by people or inferred."""
    if not described and not settings.reads_descriptions:
        return snippet_records(records, settings, say)
    boxes, least_overlap = described or ("", settings.snippet_overlap)
    try:
        regions = DescribedRegions(records, boxes, least_overlap, settings.whole_frame)
    except ValueError as error:
        raise VsaTfError.of(error) from error
    say(
        f"{records.split}: {regions.num_images} of {regions.num_described} described regions, by "
        f"their {regions.boxes} boxes; {regions.num_captions} descriptions"
    )
    return regions


def snippet_records(records, settings, say=silent):
    """Returns the `RegionRecords` of the snippets that an alignment model infers.

    See docs/equations.md 2.2.

    Args:
        records: the `RecordSplit`.
        settings: `DvsaRnnSettings`; `snippets` is the model_dir of the alignment model.
        say: called with each line about the work.

    Raises:
        VsaTfError: there is another model, or it was trained on other features.
    """
    aligner = TrainedModel(settings.snippets)
    kind = aligner.settings.training.model
    if kind != "alignment" or aligner.settings.model.reads_dependencies:
        raise VsaTfError(
            f"--snippets={settings.snippets} holds a {kind} model; give the model_dir of an "
            "alignment model of words"
        )
    aligner.check_records(records)
    say(f"aligning {records.num_captions} sentences of {records.split}")
    data = SplitData.load(records, aligner.text, aligner.settings.data)
    embedded = EmbeddedSplit.embed(aligner.model, data)
    rows = aligned_snippets(embedded, records.image_of_caption, settings.snippet_smoothness)
    tokens = [aligner.text.tokenize(caption) for caption in records.captions]
    return RegionRecords(
        records,
        records.image_of_caption[rows[:, 0]],
        rows[:, 1],
        [aligner.text.join(tokens[sentence][a:b]) for sentence, _, a, b in rows],
        settings.whole_frame,
    )
