"""Going on from a model that was trained on other photographs (`--start_from`)."""

import numpy as np

from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.checkpoint import neutral_path
from vsa_tf.model_dir.trained_model import TrainedModel
from vsa_tf.program import silent

_LISTED = 10


def load_start(settings, records):
    """Returns the `TrainedModel` of `--start_from`.

    Args:
        settings: `Settings` of the new run.
        records: `RecordSplit` that it trains on.

    Raises:
        VsaTfError: there is none, or it is another model, reads other text or other features.
    """
    start = TrainedModel(settings.training.start_from)
    old, new = start.settings, settings
    for name, there, here in (
        ("model", old.training.model, new.training.model),
        ("tokenizer", old.data.tokenizer, new.data.tokenizer),
        ("fold_letters", old.data.fold_letters, new.data.fold_letters),
    ):
        if there != here:
            raise VsaTfError(
                f"--start_from={settings.training.start_from} has --{name}={there}. Received: "
                f"--{name}={here}"
            )
    start.check_records(records)
    return start


def take_over(model, text, start, say=silent):
    """Gives a new model the weights of one that was trained before, as far as they fit.

    Tables of words and relation types fit by their first rows: what is known there comes first
    here (`learn_text`). Counters and seeds are those of a new run.

    Args:
        model: the new Keras model, built.
        text: its `CaptionText`.
        start: the `TrainedModel`.
        say: called with a line that says what is new.
    """
    sizes = {(len(start.text.vocabulary), len(text.vocabulary))}
    if text.relation_types is not None:
        sizes.add((len(start.text.relation_types), len(text.relation_types)))
    trained = {neutral_path(each.path): each for each in start.model.weights}
    weights = [each for each in model.weights if "float" in str(each.dtype)]
    new = []
    for weight in weights:
        value = _fitting(weight, trained.get(neutral_path(weight.path)), sizes)
        if value is None:
            new.append(weight.path)
        else:
            weight.assign(value)
    words = text.vocabulary.tokens[len(start.text.vocabulary) :]
    say(
        f"from {start.model_dir}: {len(weights) - len(new)} of {len(weights)} variables, "
        f"{len(start.text.vocabulary)} of {len(text.vocabulary)} tokens; new: "
        f"{', '.join([*new, *words[:_LISTED]]) or 'nothing'}"
        + (f" and {len(words) - _LISTED} more" if len(words) > _LISTED else "")
    )


def _fitting(weight, trained, sizes):
    """Returns the value for a weight, rows of its own where the trained one has none; or None."""
    if trained is None or len(trained.shape) != len(weight.shape):
        return None
    pairs = list(zip(trained.shape, weight.shape))
    if any(old != new and (old, new) not in sizes for old, new in pairs):
        return None
    value = np.array(weight.value)
    value[tuple(slice(old) for old, _ in pairs)] = np.asarray(trained.value)
    return value
