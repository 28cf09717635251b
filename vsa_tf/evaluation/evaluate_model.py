"""The work of `vsa_tf.evaluate`."""

import dataclasses
import io
import pathlib
import warnings

from vsa_tf.evaluation.alignment_evaluator import AlignmentEvaluator
from vsa_tf.evaluation.caption_evaluator import CaptionEvaluator
from vsa_tf.evaluation.check_options import check_options, given_directories
from vsa_tf.evaluation.combined_retrieval import evaluate_ensemble
from vsa_tf.evaluation.correlation_baseline import fit_correlation_baseline
from vsa_tf.evaluation.evaluation import (
    CaptionOptions,
    EvaluationOptions,
    GivenSplits,
    RetrievalOptions,
)
from vsa_tf.evaluation.metrics_file import evaluation_report, metrics_lines
from vsa_tf.evaluation.stored_splits import StoredSplits, check_fold_size
from vsa_tf.evaluation.two_branch_evaluator import TwoBranchEvaluator
from vsa_tf.files import write_atomically, write_json
from vsa_tf.metrics.magnitude import word_magnitude_table
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent
from vsa_tf.scoring.region_queries import snippet_regions
from vsa_tf.text.vocabulary import TextKnowledge
from vsa_tf.visualization.recall_chart import recall_chart


def evaluate_model(
    model_dir,
    data_dir=None,
    split="test",
    output=None,
    options=EvaluationOptions(),
    *,
    captions=CaptionOptions(),
    retrieval=RetrievalOptions(),
    beam_size=None,
    length_normalization=None,
    shortlist_model=None,
    neighbor_model=None,
    word_magnitudes=None,
    query=(),
    phrase_model=None,
    baseline=None,
    say=silent,
    warn=warnings.warn,
):
    """Evaluates the best weights of a model directory, or of several together.

    Args:
        model_dir: directory that training wrote; or a list of them, of any kinds: then the weighted
            mean of their scores is evaluated, and each beside it.
        data_dir: directory of records; None for that of the training; of several models, one for
            all or a list of one each: they hold the same photographs and captions.
        split: name of the split.
        output: file for the metrics, or None; what else there is to write goes beside it.
        options: `EvaluationOptions`.
        captions: `CaptionOptions`, of a caption generator.
        retrieval: `RetrievalOptions`.
        beam_size, length_normalization: of a caption generator, in place of what it was trained
            with.
        shortlist_model: model_dir of an alignment model, for `captions.retrieval=shortlist`.
        neighbor_model: model_dir of an alignment model or embedding network, whose vectors tell
            similar images in place of `captions.neighbor_features`.
        word_magnitudes: file for the table of word magnitudes of an alignment model, or None.
        query: snippets of text whose best regions an alignment model finds and says.
        phrase_model: model_dir of an embedding network of regions and phrases, or of a
            `FragmentModel`, for T eq. 8.
        baseline: `cca`: evaluate this, fitted to the training split, in place of the two-branch
            network; None: the model itself.
        say: called with each line about the work, and of the tables of what was found.
        warn: called with a line about each query of which the model does not know every word.

    Returns:
        The content of `output`.

    Raises:
        VsaTfError: what is asked is not for the model (`check_options`, before anything is loaded);
            records or model cannot be used, or do not belong together.
    """
    check_options(
        model_dir,
        options,
        captions,
        retrieval,
        output,
        data_dir=data_dir,
        beam_size=beam_size,
        length_normalization=length_normalization,
        shortlist_model=shortlist_model,
        neighbor_model=neighbor_model,
        word_magnitudes=word_magnitudes,
        query=query,
        phrase_model=phrase_model,
        baseline=baseline,
    )
    model_dirs, data_dirs = given_directories(model_dir, data_dir)
    if len(model_dirs) > 1:
        report = evaluate_ensemble(model_dirs, data_dirs, split, options, captions, retrieval, say)
        for line in metrics_lines(report):
            say(line)
        if output:
            write_json(output, report)
        return report
    (model_dir,), (data_dir,) = model_dirs, data_dirs
    trained = TrainedModel(model_dir)
    settings = trained.settings
    asked = {"beam_size": beam_size, "length_normalization": length_normalization}
    if asked := {name: value for name, value in asked.items() if value is not None}:
        settings = dataclasses.replace(settings, model=dataclasses.replace(settings.model, **asked))
    splits = StoredSplits(
        trained,
        data_dir or settings.data.data_dir,
        fits=True,
        shortlist_model=shortlist_model if captions.retrieval == "shortlist" else None,
        neighbor_model=neighbor_model,
        phrase_model=phrase_model,
        say=say,
        described=captions.region_boxes and (captions.region_boxes, captions.region_overlap),
    )
    data = splits.load(split)
    check_fold_size(options, data.records)
    evaluator = make_evaluator(settings, captions, retrieval, splits)
    model, choice = trained.model, None
    if baseline:
        model, choice = fit_correlation_baseline(model, evaluator, splits, options, say)
    evaluation = evaluator.evaluate(model, data, options)
    report = evaluation_report(settings, data, evaluation.metrics, choice, captions.normalization)
    for line in metrics_lines(report):
        say(line)
    if output:
        write_json(output, report)
        for file_name, content in evaluation.files.items():
            write_json(pathlib.Path(output).with_name(file_name), content)
        if "recall_curves" in evaluation.metrics:
            _write_chart(pathlib.Path(output).with_name("recall_curves.png"), evaluation.metrics)
    if word_magnitudes:
        table = word_magnitude_table(
            evaluation.embedded.words, data.tokens.packed_ids, data.text.vocabulary.tokens
        )
        write_json(word_magnitudes, table)
    hits_of = snippet_regions(trained.model, list(query), evaluation.embedded, data)
    for text, hits in zip(query, hits_of):
        if note := TextKnowledge.of_words(*data.text.known_words(text)).note():
            warn(note)
        for line in _query_lines(text, hits, data):
            say(line)
    return report


def _query_lines(query, hits, data):
    yield f"best regions for {query!r}"
    for hit in hits:
        box = data.records.region_boxes[hit.image, hit.region]
        yield (
            f"  {data.records.filenames[hit.image]} "
            f"[{', '.join(f'{value:.3f}' for value in box)}] {hit.score:.3f}"
        )


def _write_chart(path, metrics):
    file, curves = io.BytesIO(), metrics["recall_curves"]
    named = {name.replace("_", " "): curve for name, curve in curves.items()}
    recall_chart(named).save(file, "PNG")
    write_atomically(path, file.getvalue())


def make_evaluator(
    settings, captions=CaptionOptions(), retrieval=RetrievalOptions(), splits=GivenSplits()
):
    """Returns the evaluator of a model.

    Args:
        settings: `Settings` of the model.
        captions: `CaptionOptions`, of caption generators.
        retrieval: `RetrievalOptions`.
        splits: `GivenSplits` or `StoredSplits`.
    """
    model = settings.model
    if model.family == "captioning":
        return CaptionEvaluator(model, captions, retrieval, splits)
    if model.family == "two_branch":
        return TwoBranchEvaluator(model, retrieval, splits)
    return AlignmentEvaluator(retrieval)
