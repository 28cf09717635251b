"""The Keras models: one folder a paper. Their classes are loaded when they are first used."""

from vsa_tf.models.model_table import MODELS

_CLASSES = {kind.network.rpartition(":")[2]: kind for kind in MODELS.values()}

__all__ = list(_CLASSES)


def __getattr__(name):
    if name in _CLASSES:
        return _CLASSES[name].load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
