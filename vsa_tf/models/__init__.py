"""The Keras models: one folder a paper. Their classes are loaded when they are first used."""


def __getattr__(name):
    kind = _kinds().get(name)
    if kind is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return kind.load()


def __dir__():
    return sorted({*globals(), *_kinds()})


def _kinds():
    # Not above: Python runs this file before any module of the folders that the table imports.
    from vsa_tf.models.model_table import MODELS

    return {kind.network.rpartition(":")[2]: kind for kind in MODELS.values()}
