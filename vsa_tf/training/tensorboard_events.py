"""TensorBoard events of a training run."""

import dataclasses

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

# Where a run is kept is no setting of it.
_PATHS = ("data_dir", "model_dir")


class TensorBoardEvents:
    """Writes scalars, pictures, text and hyper-parameters to `model_dir/events`.

    Args:
        model_dir: pathlib.Path.
        settings: the `Settings` of the run.
    """

    def __init__(self, model_dir, settings):
        self.writer = tf.summary.create_file_writer(str(model_dir / "events"))
        with self.writer.as_default(step=0):
            # The same settings are the same trial, also where a run goes on.
            hparams.hparams(hyper_parameters(settings))
            # Indented: a block of code in TensorBoard's Markdown.
            lines = settings.to_flags().splitlines()
            tf.summary.text("flagfile", "\n".join(f"    {line}" for line in lines))

    def write(self, step, scalars, metrics, pictures):
        """Writes one point in training.

        Args:
            step: the number of steps done.
            scalars: dict of floats.
            metrics: nested dict laid out as the metrics of `metrics.json`; numbers become scalars.
            pictures: dict of name to `(caption, uint8 [h, w, 3])`.
        """
        with self.writer.as_default(step=step):
            for name, value in scalars.items():
                tf.summary.scalar(f"train/{name}", value)
            for name, value in _flat("dev", metrics):
                tf.summary.scalar(name, value)
            for name, (caption, picture) in pictures.items():
                tf.summary.image(f"pictures/{name}", picture[None])
                tf.summary.text(f"captions/{name}", caption)
        self.writer.flush()


def hyper_parameters(settings):
    """Returns all settings of a run but its paths, a dict of bool, int, float and str."""
    return {
        name: value if isinstance(value, (bool, int, float)) else str(value)
        for group in dataclasses.asdict(settings).values()
        for name, value in group.items()
        if name not in _PATHS
    }


def _flat(prefix, values):
    for name, value in values.items():
        if isinstance(value, dict) and name != "interval_95":
            yield from _flat(f"{prefix}/{name}", value)
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", value
