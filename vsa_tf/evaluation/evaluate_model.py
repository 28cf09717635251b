"""The work of `vsa_tf.evaluate`."""

import json

import numpy as np

from vsa_tf.data.record_split import RecordSplit
from vsa_tf.evaluation.alignment_evaluation import evaluate_alignment
from vsa_tf.evaluation.report import evaluation_report, print_tables
from vsa_tf.metrics.magnitude import WordMagnitudes
from vsa_tf.program import ProgramError
from vsa_tf.retrieval.snippet_query import best_regions
from vsa_tf.model_dir.built_model import TrainedModel
from vsa_tf.model_dir.checkpoint import write_atomically
from vsa_tf.data.split_data import SplitData

# The DVSA paper's table shows the 40 smallest and largest; rare words' averages are noise.
_TABLE_SIZE = 40
_LEAST_OCCURRENCES = 5


def evaluate_model(
    model_dir, data_dir=None, split="test", output=None, fold_size=0, word_magnitudes=None,
    queries=(), seed=0,
):
    """Evaluates the best weights of a model directory.

    Args:
        model_dir: directory that training wrote.
        data_dir: directory of records; None for that of the training.
        split: name of the split.
        output: file for the metrics, or None.
        fold_size: images of a fold; 0: no folds.
        word_magnitudes: file for the table of word magnitudes, or None.
        queries: snippets of text whose best regions are printed.
        seed: of the bootstrap.

    Returns:
        The content of `output`.

    Raises:
        ProgramError: records or model cannot be used, or do not belong together.
    """
    trained = TrainedModel(model_dir)
    data = _load(trained, data_dir or trained.settings.data.data_dir, split)
    metrics, embedded = evaluate_alignment(trained.model, data, fold_size=fold_size, seed=seed)
    report = evaluation_report(trained.settings, data, metrics)
    print_tables(report)
    if output:
        _write_json(output, report)
    if word_magnitudes:
        _write_json(word_magnitudes, magnitude_table(embedded, data))
    for query in queries:
        _print_query(trained.model, query, embedded, data)
    return report


def _load(trained, data_dir, split):
    try:
        records = RecordSplit(data_dir, split)
    except (OSError, ValueError) as error:
        raise ProgramError(str(error)) from error
    expected = trained.inputs["region_feature_size"], trained.inputs["encoder"]
    received = records.info.region_feature_size, records.info.encoder
    if expected != received:
        raise ProgramError(
            "Expected records with the features the model was trained on, "
            f"{expected[0]} numbers of {expected[1].get('spec')}. Received: {data_dir} with "
            f"{received[0]} of {received[1].get('spec')}, settings {received[1]}"
        )
    return SplitData.load(records, trained.text, trained.settings.data)


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
