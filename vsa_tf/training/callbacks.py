"""What happens at every checkpoint of a training run."""

import math
import time

import keras
import numpy as np

from vsa_tf.model_dir.checkpoint import save_checkpoint
from vsa_tf.program import ProgramError


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
    """

    def __init__(self, evaluator, evaluate, model_dir, progress, steps_per_epoch, events):
        super().__init__()
        self.evaluator = evaluator
        self.evaluate = evaluate
        self.model_dir = model_dir
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        self.events = events

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self._started
        spoilt = self._what_diverged(logs["loss"])
        if spoilt:
            # Nothing is saved: the checkpoints stay those of the last good epoch.
            raise ProgramError(
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
        print(
            f"epoch {epoch + 1}: loss {logs['loss']:.3f}, dev {numbers}, {seconds:.0f} s",
            flush=True,
        )

    def _what_diverged(self, loss):
        if not math.isfinite(loss):
            return f"The loss became {loss}"
        # The epoch's last step may have spoilt what its loss does not tell.
        for variable in self.model.variables:
            if not np.isfinite(np.asarray(variable.value)).all():
                return f"Weights {variable.path} became NaN or infinite"
        return None
