"""Settings that follow the size of the data: the one place where `AUTO` becomes a number.

What suits the 30,000 captions of Flickr8K, which each model's settings say, is scaled to the
captions there are. Batches shrink with the cube root of their number, for some steps an epoch
must be left; epochs grow with the fourth root, so that small data take fewer steps in more
passes; words are kept that are rarer. The schedules are shares of the run.
"""

import dataclasses

from vsa_tf.models.network_settings import AUTO
from vsa_tf.program import silent

_FLICKR8K_CAPTIONS = 30_000
_MIN_COUNT = 5  # Of Flickr8K, as in the papers.
_FEWEST_EPOCHS, _MOST_EPOCHS = 2, 60
_MOST_WARMUP_STEPS = 200


def resolve_settings(settings, num_captions, say=silent):
    """Returns `Settings` without `AUTO`, and says in a line what was chosen.

    Args:
        settings: `Settings`.
        num_captions: captions of the training split.
        say: called with that line, if anything was chosen.
    """
    share = max(num_captions, 1) / _FLICKR8K_CAPTIONS
    data, training = settings.data, settings.training
    chosen = {
        "batch_size": _batch_size(settings.model, share, num_captions),
        "min_count": min(max(round(_MIN_COUNT * share**0.5), 1), _MIN_COUNT),
        "num_epochs": _num_epochs(settings.model, share),
    }
    batch_size = _given(data.batch_size, chosen["batch_size"])
    num_epochs = _given(training.num_epochs, chosen["num_epochs"])
    num_steps = num_epochs * -(-num_captions // batch_size)
    chosen["learning_rate_warmup_steps"] = min(round(num_steps / 14), _MOST_WARMUP_STEPS)
    chosen |= settings.model.shares_of_run(num_epochs)
    lines = []
    groups = []
    for group in (data, settings.optimizer, training, settings.model):
        own = {
            field.name: chosen[field.name]
            for field in dataclasses.fields(group)
            if field.metadata["auto"] and getattr(group, field.name) == AUTO
        }
        lines += [f"--{name}={value}" for name, value in own.items()]
        groups.append(dataclasses.replace(group, **own))
    if lines:
        say(f"for {num_captions} captions: {' '.join(lines)}")
    return type(settings)(*groups)


def _given(value, chosen):
    return chosen if value == AUTO else value


def _batch_size(model, share, num_captions):
    """A power of two, or what Flickr8K has where there are as many captions."""
    most = model.flickr8k["batch_size"]
    if share >= 1:
        return most
    size = 2
    # The next power of two is nearer, as a ratio, up to sqrt(2) times this one.
    while size * 2**0.5 < min(most * share ** (1 / 3), num_captions / 2):
        size *= 2
    return min(-(-size // model.num_neighbors) * model.num_neighbors, most)


def _num_epochs(model, share):
    epochs = round(model.flickr8k["num_epochs"] * share**-0.25)
    return min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS)
