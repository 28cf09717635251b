"""What happens at every checkpoint of a training run, TensorBoard events included."""

import contextlib
import dataclasses
import math
import signal
import threading
import time

import keras
import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from tfrecords_tools.progress import Progress
from vsa_tf.errors import VsaTfError
from vsa_tf.model_dir.checkpoint import save_checkpoint
from vsa_tf.program import silent
from vsa_tf.settings import is_path
from vsa_tf.training.optimizer import averaged_weights

_STEPS_PER_POINT = 10


@contextlib.contextmanager
def stop_signals():
    """Gives a `threading.Event` that SIGINT or SIGTERM sets; a second one does what it did before.

    One that is ignored, as SIGINT is by what a script starts with `&`, stays so. Elsewhere than in
    the main thread nothing sets it: only there are signals heard.
    """
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}
    before = {number: each for number, each in before.items() if each != signal.SIG_IGN}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def tell(*_):
        restore()
        told.set()

    for number in before:
        signal.signal(number, tell)
    try:
        yield told
    finally:
        restore()


def steps_within(progress):
    """Returns how many steps of an interval a run had made when it was told to stop."""
    return progress.get("within", {"steps": 0})["steps"]


class EvaluateAndSave(keras.callbacks.Callback):
    """Evaluates on dev, keeps the best weights, saves the state to go on from, writes events.

    The best weights, averages where the run keeps them, are written before the state, which holds
    both: a run killed between the two repeats the epoch and writes the same weights again.

    A run that is told to stop does so after the step that it computes, with a checkpoint, or where
    it evaluates after that. Between two evaluations `progress` holds `within`, the steps since the
    last one and as many times their mean loss: the run goes on as if it had not been stopped.

    Args:
        evaluator: of the model, see `make_evaluator`; it says which metrics are best.
        evaluate: `evaluate()` returns the `Evaluation` on dev.
        model_dir: pathlib.Path.
        progress: the progress dict of the run; `steps`, `best` and `history` are kept up to date.
        interval: steps between two calls.
        steps_per_epoch: steps of a pass over the training captions.
        rows: `rows(first, last)` returns the pairs of the batches of steps `first` to `last - 1`:
            Keras weighs the loss of each by them.
        pairs: what the loss is divided by for people: the pairs of a batch, if it is their sum.
        events: `TensorBoardEvents`.
        say: called with a line at every checkpoint.
        saves: whether checkpoints are written: by one of several hosts, which all evaluate.
        told: of `stop_signals`; None: the run is never told to stop.
    """

    def __init__(
        self,
        evaluator,
        evaluate,
        model_dir,
        progress,
        interval,
        steps_per_epoch,
        rows,
        pairs,
        events,
        say=silent,
        saves=True,
        told=None,
    ):
        super().__init__()
        self.evaluator = evaluator
        self.evaluate = evaluate
        self.model_dir = model_dir
        self.progress = progress
        self.interval = interval
        self.steps_per_epoch = steps_per_epoch
        self.rows = rows
        self.pairs = pairs
        self.events = events
        self.say = say
        self.saves = saves
        self.told = told or threading.Event()

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if not self.told.is_set():
            return
        within = self._within(batch + 1, float(logs["loss"]))
        # After the last step an evaluation is due.
        if within["steps"] == self.interval:
            return
        if not self._what_diverged(within["loss"]):
            self.progress |= {"steps": self.progress["steps"] + batch + 1, "within": within}
            self._save_last()
        self.stop_if_told()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self._started
        num_steps = self.interval - steps_within(self.progress)
        loss = self._within(num_steps, logs["loss"])["loss"] / self.interval / self.pairs
        steps = self.progress["steps"] + num_steps
        self.progress.pop("within", None)
        passes = round(steps / self.steps_per_epoch, 2)
        # Checkpoints may stand within a pass over the captions.
        epoch = int(passes) if passes.is_integer() else passes
        spoilt = self._what_diverged(loss)
        if spoilt:
            # Nothing is saved: the checkpoints stay those of the last good epoch.
            raise VsaTfError(
                f"{spoilt} in epoch {epoch}. Lower --learning_rate, or set --clip_norm, and "
                "use another --model_dir"
            )
        with averaged_weights(self.model):
            evaluation = self.evaluate()
            metrics = evaluation.metrics
            score = self.evaluator.selection_score(metrics)
            best = self.progress["best"]
            if best is None or score > best["score"]:
                self.progress["best"] = {"score": score, "epoch": epoch}
                self._save(
                    "checkpoint_best.npz", self.model.variables, {**self.progress, "steps": steps}
                )
        summary = self.evaluator.summary(metrics)
        self.progress["history"].append({"epoch": epoch, "loss": loss, **summary})
        self.progress["steps"] = steps
        self._save_last()
        self.events.write(steps, {"loss": loss}, metrics, evaluation.pictures)
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in summary.items())
        self.say(f"epoch {epoch}: loss {loss:.3g}, dev {numbers}, {seconds:.0f} s")
        self.stop_if_told()

    def _within(self, num_steps, loss):
        """Returns `within` after so many steps more, of that mean loss of their rows."""
        before = self.progress.get("within", {"steps": 0, "loss": 0.0})
        done = self.progress["steps"]
        rows_before = self.rows(done - before["steps"], done)
        rows = self.rows(done, done + num_steps)
        total = rows_before * before["loss"] / max(before["steps"], 1) + rows * loss
        num_steps += before["steps"]
        return {"steps": num_steps, "loss": num_steps * total / (rows_before + rows)}

    def stop_if_told(self):
        """Raises KeyboardInterrupt if the run is told to stop; to be called behind a checkpoint."""
        if self.told.is_set():
            self.events.flush()
            raise KeyboardInterrupt(
                f"stopped at step {self.progress['steps']}; the same command goes on from there"
            )

    def _save_last(self):
        self._save(
            "checkpoint_last.npz",
            self.model.variables + self.model.optimizer.variables,
            self.progress,
        )

    def _save(self, name, variables, progress):
        if self.saves:
            save_checkpoint(self.model_dir / name, variables, progress)

    def _what_diverged(self, loss):
        if not math.isfinite(loss):
            return f"The loss became {loss}"
        # The epoch's last step may have spoilt what its loss does not tell.
        for variable in self.model.variables:
            if not np.isfinite(np.asarray(variable.value)).all():
                return f"Weights {variable.path} became NaN or infinite"
        return None


class ShowSteps(keras.callbacks.Callback):
    """Shows where an epoch is, and writes a point to TensorBoard every few steps.

    Args:
        progress: the progress dict of the run.
        interval: steps between two checkpoints, which an epoch of `fit` has, or what is left of
            them.
        rows, pairs: as of `EvaluateAndSave`.
        learning_rate: a schedule of the step, or a number.
        events: `TensorBoardEvents`.
        stream: text file for a bar, on a terminal, or else a line every few seconds; None: neither.
    """

    def __init__(self, progress, interval, rows, pairs, learning_rate, events, stream=None):
        super().__init__()
        self.progress = progress
        self.interval = interval
        self.rows = rows
        self.pairs = pairs
        self.learning_rate = learning_rate
        self.events = events
        self.stream = stream

    def on_epoch_begin(self, epoch, logs=None):
        # What is left of an interval within which the run was stopped.
        self._before = steps_within(self.progress)
        self._bar = Progress(self.interval, self.stream, unit="steps", done=self._before)
        # Steps of the epoch, their rows, and the sum of these rows' losses, at the last point.
        self._last = 0, 0, 0.0

    def on_train_batch_end(self, batch, logs=None):
        # Of several steps in one call, the last one's number comes.
        done = batch + 1
        mean = float(logs["loss"]) / self.pairs
        self._bar.add(self._before + done - self._bar.done, f"loss {mean:.3g}")
        last_done, last_rows, last_sum = self._last
        if done - last_done >= _STEPS_PER_POINT:
            # Keras tells the mean of the rows since the epoch began.
            step = self.progress["steps"] + done
            rows = last_rows + self.rows(self.progress["steps"] + last_done, step)
            rate = self.learning_rate
            scalars = {
                "step_loss": (rows * mean - last_sum) / (rows - last_rows),
                "learning_rate": float(rate(step) if callable(rate) else rate),
            }
            self.events.write(step, scalars, {}, {})
            self._last = done, rows, rows * mean

    def on_epoch_end(self, epoch, logs=None):
        self._bar.close()


class TensorBoardEvents:
    """Writes scalars, pictures, text and hyper-parameters to `model_dir/events`.

    Args:
        model_dir: pathlib.Path.
        settings: the `Settings` of the run.
        writes: whether anything is written: by one of several hosts.
    """

    def __init__(self, model_dir, settings, writes=True):
        self.writer = tf.summary.create_noop_writer()
        if writes:
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
        if metrics:
            self.flush()

    def flush(self):
        """Writes what was kept back."""
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
