"""The work of `vsa_tf.evaluate`."""

import dataclasses
import functools
import json
import pathlib

import numpy as np

from vsa_tf.atomic_file import write_atomically
from vsa_tf.evaluation.evaluation import EvaluationOptions
from vsa_tf.evaluation.fit_correlation_baseline import fit_correlation_baseline
from vsa_tf.evaluation.load_split import as_model_sees, read_records
from vsa_tf.evaluation.make_evaluator import make_evaluator
from vsa_tf.evaluation.phrase_model import PhraseModel
from vsa_tf.evaluation.report import evaluation_report, print_tables
from vsa_tf.metrics.magnitude import WordMagnitudes
from vsa_tf.program import ProgramError
from vsa_tf.retrieval.snippet_query import best_regions
from vsa_tf.model_dir.built_model import TrainedModel
from vsa_tf.data.split_data import SplitData

# The DVSA paper's table shows the 40 smallest and largest; rare words' averages are noise.
_TABLE_SIZE = 40
_LEAST_OCCURRENCES = 5


def evaluate_model(
    model_dir, data_dir=None, split="test", output=None, options=None, beam_size=None,
    shortlist_model=None, word_magnitudes=None, queries=(), phrase_model=None, baseline=None,
):
    """Evaluates the best weights of a model directory.

    Args:
        model_dir: directory that training wrote.
        data_dir: directory of records; None for that of the training.
        split: name of the split.
        output: file for the metrics, or None; what else there is to write goes beside it.
        options: `EvaluationOptions`.
        beam_size: of a caption generator, in place of what it was trained with.
        shortlist_model: model_dir of an alignment model, for `options.retrieval=shortlist`.
        word_magnitudes: file for the table of word magnitudes of an alignment model, or None.
        queries: snippets of text whose best regions an alignment model finds and prints.
        phrase_model: model_dir of an embedding network of regions and phrases, for T eq. 8.
        baseline: `cca`: evaluate this, fitted to the training split, in place of the two-branch
            network; None: the model itself.

    Returns:
        The content of `output`.

    Raises:
        ProgramError: records or model cannot be used, or do not belong together.
    """
    trained = TrainedModel(model_dir)
    settings = trained.settings
    if beam_size is not None:
        settings = dataclasses.replace(
            settings, model=dataclasses.replace(settings.model, beam_size=beam_size)
        )
    data_dir = data_dir or settings.data.data_dir
    load = functools.cache(lambda name: _load(trained, data_dir, name))
    data = load(split)
    options = dataclasses.replace(
        options or EvaluationOptions(),
        load_training_data=lambda: load(settings.training.train_split),
        load_dev_data=lambda: load(settings.training.dev_split),
        load_shortlist_model=lambda records: _load_shortlist_model(shortlist_model, records),
        load_phrase_model=PhraseModel(phrase_model).load if phrase_model else None,
    )
    evaluator, model, choice = make_evaluator(settings), trained.model, None
    if baseline:
        model, choice = fit_correlation_baseline(model, evaluator, options)
    evaluation = evaluator.evaluate(model, data, options)
    report = evaluation_report(settings, data, evaluation.metrics, choice)
    print_tables(report)
    if output:
        _write_json(output, report)
        for file_name, content in evaluation.files.items():
            _write_json(pathlib.Path(output).with_name(file_name), content)
    if word_magnitudes:
        _write_json(word_magnitudes, magnitude_table(evaluation.embedded, data))
    for query in queries:
        _print_query(trained.model, query, evaluation.embedded, data)
    return report


def _load_shortlist_model(model_dir, records):
    trained = TrainedModel(model_dir)
    trained.check_records(records)
    return trained.model, SplitData.load(records, trained.text, trained.settings.data)


def _load(trained, data_dir, split):
    records = read_records(data_dir, split)
    trained.check_records(records)
    return as_model_sees(records, trained.text, trained.settings)


def magnitude_table(embedded, data):
    """Returns the words of smallest and largest average |s_t| in a split (D section 1)."""
    magnitudes = WordMagnitudes(len(data.text.vocabulary))
    magnitudes.add(embedded.words, data.tokens.packed_ids)
    tables = {
        "smallest": magnitudes.smallest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
        "largest": magnitudes.largest(_TABLE_SIZE, min_count=_LEAST_OCCURRENCES),
    }
    return {
        name: [
            {
                "word": data.text.vocabulary.decode([row.word_id])[0],
                "magnitude": row.magnitude,
                "count": row.count,
            }
            for row in rows
        ]
        for name, rows in tables.items()
    }


def _print_query(model, query, embedded, data):
    words = model.embed_sentences({"token_ids": _token_ids(query, data)})
    print(f"best regions for {query!r}")
    for match in best_regions(np.asarray(words[0]), embedded.regions, embedded.region_mask):
        box = data.records.region_boxes[match.image, match.region]
        print(
            f"  {data.records.filenames[match.image]} "
            f"[{', '.join(f'{value:.3f}' for value in box)}] {match.score:.3f}"
        )


def _token_ids(query, data):
    ids = data.text.encode([query])[0]
    if not ids:
        raise ProgramError(f"--query={query!r} has no words")
    return np.array([ids], np.int32)


def _write_json(path, value):
    write_atomically(path, (json.dumps(value, indent=2) + "\n").encode("utf-8"))
