"""What happens at every checkpoint of a training run, TensorBoard events included."""

import dataclasses
import math
import time

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.checkpoint import save_checkpoint
from vsa_tf.program import silent
from vsa_tf.settings import is_path


class EvaluateAndSave(keras.callbacks.Callback):
    """Evaluates on dev, keeps the best weights, saves the state to go on from, writes events.

    The best weights are written before the state: a run killed between the two repeats the epoch
    and writes the same weights again.

    Args:
        evaluator: of the model, see `make_evaluator`; it says which metrics are best.
        evaluate: `evaluate()` returns the `Evaluation` on dev.
        model_dir: pathlib.Path.
        progress: the progress dict of the run; `steps`, `best` and `history` are kept up to date.
        steps_per_epoch: steps between two calls.
        events: `TensorBoardEvents`.
        say: called with a line at every checkpoint.
    """

    def __init__(
        self, evaluator, evaluate, model_dir, progress, steps_per_epoch, events, say=silent
    ):
        super().__init__()
        self.evaluator = evaluator
        self.evaluate = evaluate
        self.model_dir = model_dir
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        self.events = events
        self.say = say

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self._started
        spoilt = self._what_diverged(logs["loss"])
        if spoilt:
            # Nothing is saved: the checkpoints stay those of the last good epoch.
            raise VsaTfError(
                f"{spoilt} in epoch {epoch + 1}. Lower --learning_rate, or set --clip_norm, and "
                "use another --model_dir"
            )
        evaluation = self.evaluate()
        metrics = evaluation.metrics
        steps = (epoch + 1) * self.steps_per_epoch
        score = self.evaluator.selection_score(metrics)
        best = self.progress["best"]
        if best is None or score > best["score"]:
            self.progress["best"] = {"score": score, "epoch": epoch + 1}
            save_checkpoint(
                self.model_dir / "checkpoint_best.npz",
                self.model.variables,
                {**self.progress, "steps": steps},
            )
        summary = self.evaluator.summary(metrics)
        self.progress["history"].append({"epoch": epoch + 1, "loss": logs["loss"], **summary})
        self.progress["steps"] = steps
        save_checkpoint(
            self.model_dir / "checkpoint_last.npz",
            self.model.variables + self.model.optimizer.variables,
            self.progress,
        )
        self.events.write(steps, {"loss": logs["loss"]}, metrics, evaluation.pictures)
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in summary.items())
        self.say(f"epoch {epoch + 1}: loss {logs['loss']:.3f}, dev {numbers}, {seconds:.0f} s")

    def _what_diverged(self, loss):
        if not math.isfinite(loss):
            return f"The loss became {loss}"
        # The epoch's last step may have spoilt what its loss does not tell.
        for variable in self.model.variables:
            if not np.isfinite(np.asarray(variable.value)).all():
                return f"Weights {variable.path} became NaN or infinite"
        return None


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
        if not is_path(name)
    }


def _flat(prefix, values):
    for name, value in values.items():
        if isinstance(value, dict) and name != "interval_95":
            yield from _flat(f"{prefix}/{name}", value)
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", value
