"""The split of a data set that a model learns from or is evaluated on."""

import dataclasses

from vsa_tf.data.record_split import RecordSplit
from vsa_tf.data.region_records import RegionRecords
from vsa_tf.data.split_data import SplitData
from vsa_tf.evaluation.aligned_snippets import aligned_snippets
from vsa_tf.evaluation.embedded_split import EmbeddedSplit
from vsa_tf.model_dir.built_model import TrainedModel
from vsa_tf.program import ProgramError


def read_records(data_dir, split):
    """Returns the `RecordSplit`. Raises ProgramError where it cannot be read."""
    print(f"reading {split} of {data_dir}", flush=True)
    try:
        return RecordSplit(data_dir, split)
    except (OSError, ValueError) as error:
        raise ProgramError(str(error)) from error


def as_model_sees(records, text, settings):
    """Returns the `SplitData` of records: images with their captions, or regions with snippets.

    Args:
        records: the `RecordSplit`.
        text: the `CaptionText` of the model.
        settings: the `Settings` of the model.
    """
    if getattr(settings.model, "snippets", ""):
        records = snippet_records(records, settings.model)
        every = dataclasses.replace(settings.data, num_regions=records.info.num_regions)
        return SplitData.load(records, text, every)
    return SplitData.load(records, text, settings.data)


def snippet_records(records, settings):
    """Returns the `RegionRecords` of the snippets that an alignment model infers (models.md 1).

    Args:
        records: the `RecordSplit`.
        settings: `DvsaRnnSettings`; `snippets` is the model_dir of the alignment model.
    """
    aligner = TrainedModel(settings.snippets)
    if aligner.settings.training.model != "alignment":
        raise ProgramError(
            f"--snippets={settings.snippets} holds a {aligner.settings.training.model} model; "
            "give the model_dir of an alignment model"
        )
    aligner.check_records(records)
    print(f"aligning {records.num_captions} sentences of {records.split}", flush=True)
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
