"""The work of `vsa_tf.report`."""

import datetime
import importlib.resources
import pathlib

from vsa_tf.evaluation.check_options import given_directories
from vsa_tf.evaluation.combined_retrieval import split_scores
from vsa_tf.evaluation.evaluate_model import make_evaluator
from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.metrics_file import evaluation_report, metrics_lines
from vsa_tf.evaluation.stored_splits import StoredSplits, check_same_pairs
from vsa_tf.metrics.retrieval import retrieval_ranks
from vsa_tf.model_dir.load_split import model_view, read_records
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent
from vsa_tf.reporting.alignment_pages import alignment_pages
from vsa_tf.reporting.caption_pages import caption_pages
from vsa_tf.reporting.metrics_page import metrics_page
from vsa_tf.reporting.phrase_pages import region_phrase_pages
from vsa_tf.reporting.projector import write_projector
from vsa_tf.reporting.report_folder import (
    PhotographFolder,
    ReportFolder,
    ReportOptions,
    check_report,
    open_images,
)
from vsa_tf.reporting.report_page import page_html
from vsa_tf.reporting.retrieval_pages import image_sentence_pages, recall_page


def _two_branch_pages(model, evaluation, data, photographs, options):
    if model.task == "image_sentence":
        return image_sentence_pages(evaluation, data, photographs, options)
    return region_phrase_pages(model, evaluation, data, photographs, options)


# By the family of the model.
_PAGES = {
    "alignment": alignment_pages,
    "captioning": caption_pages,
    "two_branch": _two_branch_pages,
}
# Each report has its own, to be looked at where there is no vsa_tf. The script draws what
# `ReportPage.data_script` hands to it, and follows pointer and keyboard.
_STATIC_FILES = ("report.css", "report.js")


def write_report(
    model_dir,
    data_dir=None,
    split="dev",
    output_dir="report",
    options=None,
    projector_dir=None,
    say=silent,
    evaluated=None,
):
    """Evaluates the best weights of a model directory and shows what they find as web pages.

    Args:
        model_dir: directory that training wrote; or a list of them, of models of images and
            sentences: the pages are of the first, and the others' recall stands beside its own.
        data_dir: directory of records; None for that of the training; of several models, one for
            all or a list of one each: they hold the same photographs and captions.
        split: name of the split.
        output_dir: directory of the pages, see `ReportFolder`; `index.html` is the first.
        options: `ReportOptions`.
        projector_dir: directory of a log of TensorBoard, for its embedding projector; None: none.
        say: called with each line about the work.
        evaluated: the `SplitData` and the `Evaluation` of that split by the one model, as
            `train_and_evaluate` returns them, in the precision and by the seed of the training;
            None: they are made.

    Returns:
        The metrics, laid out as `metrics.json`.

    Raises:
        VsaTfError: there are no pages of such a model (`check_report`, before anything is loaded);
            records or model cannot be used, or do not belong together.
    """
    options = options or ReportOptions()
    model_dirs, data_dirs = given_directories(model_dir, data_dir)
    check_report(model_dirs, output_dir, options)
    folder = ReportFolder(output_dir)
    trained, *others = map(TrainedModel, model_dirs)
    settings = trained.settings
    splits = StoredSplits(
        trained,
        data_dirs[0] or settings.data.data_dir,
        retrieval_model=options.retrieval_model or None,
        say=say,
    )
    data, evaluation = evaluated or (splits.load(split), None)
    records_of_others = _records_of(others, data_dirs[1:], data.records, say)
    if evaluation is None:
        evaluator = make_evaluator(settings, splits=splits)
        say(f"evaluating {split}")
        evaluation = evaluator.evaluate(trained.model, data, EvaluationOptions(seed=options.seed))
    report = evaluation_report(settings, data, evaluation.metrics)
    for line in metrics_lines(report):
        say(line)
    say("making the pages")
    photographs = PhotographFolder(data.records, folder, open_images(options.images))
    make_pages, pages = _PAGES[settings.model.family], []
    # Each may take a while: photographs are read, and made small.
    for page in make_pages(trained.model, evaluation, data, photographs, options):
        pages.append(page)
        say(f"made the page {page.title}")
    if evaluation.scores is not None:
        ranks = {_name(trained): retrieval_ranks(evaluation.scores, data.records.image_of_caption)}
        _add_ranks(ranks, others, records_of_others, say)
        curves = recall_page(ranks, report)
        pages = [curves, *pages] if curves else pages
    facts = _facts(report, trained, data.records.info.data_dir)
    if evaluation.scores is not None and not curves:
        facts["recall curves"] = "None: a single image or sentence always comes first."
    if photographs.absent:
        facts["pictures"] = photographs.absent
    title = f"{facts['data']}, {split} · {facts['model']}"
    _write_pages([metrics_page(report, settings, facts), *pages], title, folder)
    if projector_dir:
        write_projector(projector_dir, trained.model, evaluation, data, say)
    return report


def _records_of(models, data_dirs, records, say):
    """Returns what each further model reads of the photographs of records, list of `RecordSplit`.

    Raises:
        VsaTfError: they are of other pairs, or have other features than the model learnt from.
    """
    found, loaded = [], {records.info.data_dir: records}
    for trained, data_dir in zip(models, data_dirs):
        data_dir = data_dir or trained.settings.data.data_dir
        if data_dir not in loaded:
            loaded[data_dir] = read_records(data_dir, records.split, say)
            check_same_pairs(records, loaded[data_dir])
        trained.check_records(loaded[data_dir])
        found.append(loaded[data_dir])
    return found


def _add_ranks(ranks, models, records_of, say):
    """Adds the `RetrievalRanks` of further models on their records to those of the first."""
    for trained, records in zip(models, records_of, strict=True):
        data = model_view(records, trained.text, trained.settings, say=say)
        name = _name(trained)
        say(f"scoring {records.split} by {name}")
        # Runs of one name in several folders.
        name = name if name not in ranks else f"{name} ({trained.model_dir})"
        scores = split_scores(trained.model, data, records.num_captions)
        ranks[name] = retrieval_ranks(scores, records.image_of_caption)


def _name(trained):
    """Returns what a model is called, str."""
    return f"{trained.settings.training.model}, run {trained.model_dir.resolve().name}"


def _facts(report, trained, data_dir):
    """Returns what a report is of, dict of name to text."""
    data = pathlib.Path(data_dir).resolve().name
    # The name of a kind of file, such as csv, does not tell one's data apart.
    kind = report["dataset"]
    best = trained.progress["best"]["epoch"]
    saved = (trained.model_dir / "checkpoint_best.npz").stat().st_mtime
    when = f"{datetime.datetime.fromtimestamp(saved):%Y-%m-%d %H:%M}"
    epochs = f"epoch {best} of {trained.settings.training.num_epochs}"
    return {
        "model": _name(trained),
        "data": data if data == kind else f"{data} ({kind})",
        "split": report["split"],
        "photographs": f"{report['num_images']:,}",
        "sentences": f"{report['num_sentences']:,}",
        "trained": f"{when}, {epochs}, the best on {trained.settings.training.dev_split}",
    }


def _write_pages(pages, title, folder):
    static = importlib.resources.files("vsa_tf.reporting").joinpath("static")
    for name in _STATIC_FILES:
        folder.write(name, static.joinpath(name).read_bytes())
    for page in reversed(pages):  # index.html last: where it is, all is there
        if page.groups:
            folder.write(f"data/{page.name}.js", page.data_script())
        for name, content in page.files.items():
            folder.write(name, content)
        folder.write(f"{page.name}.html", page_html(page, pages, title))
    folder.finish()
