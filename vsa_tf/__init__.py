"""Visual-semantic alignment: what belongs together in photographs and sentences.

The names below are loaded when they are first used; importing this package loads no TensorFlow.
"""

import importlib

__version__ = "0.1.0"

# What a notebook imports, and where it is.
_PLACES = {
    "open_model": "vsa_tf.inference.model",
    "SearchIndex": "vsa_tf.search_index.search_index",
    "build_index": "vsa_tf.search_index.index_builder",
    "write_embeddings": "vsa_tf.search_index.embedding_folder",
    "write_split_embeddings": "vsa_tf.search_index.embedding_folder",
    "index_embeddings": "vsa_tf.search_index.index_builder",
    "Settings": "vsa_tf.settings",
    "settings_from_flagfile": "vsa_tf.settings_flags",
    "train_model": "vsa_tf.training.train_model",
    "evaluate_model": "vsa_tf.evaluation.evaluate_model",
    "export_model": "vsa_tf.inference.export_model",
    "write_report": "vsa_tf.reporting.write_report",
    "score_captions": "vsa_tf.metrics.system_scores",
    "compare_captions": "vsa_tf.metrics.system_scores",
    "RecordSplit": "vsa_tf.data.record_split",
    "VsaTfError": "vsa_tf.errors",
    "print_line": "vsa_tf.program",
}

__all__ = [*_PLACES, "models"]


def __getattr__(name):
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name == "models":
        return importlib.import_module(f"{__name__}.models")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
