"""What happens at every checkpoint of a training run."""

import math
import time

import keras

from vsa_tf.model_dir.checkpoint import save_checkpoint
from vsa_tf.program import ProgramError


class EvaluateAndSave(keras.callbacks.Callback):
    """Evaluates on dev, keeps the best weights, saves the state to go on from, writes events.

    The best weights are written before the state: a run killed between the two repeats the epoch
    and writes the same weights again.

    Args:
        evaluate: `evaluate()` returns `(metrics, pictures)`, metrics laid out as `metrics.json`
            and pictures a dict of uint8 arrays.
        model_dir: pathlib.Path.
        progress: the progress dict of the run; `steps`, `best` and `history` are kept up to date.
        steps_per_epoch: steps between two calls.
        events: `TensorBoardEvents`.
    """

    def __init__(self, evaluate, model_dir, progress, steps_per_epoch, events):
        super().__init__()
        self.evaluate = evaluate
        self.model_dir = model_dir
        self.progress = progress
        self.steps_per_epoch = steps_per_epoch
        self.events = events

    def on_epoch_begin(self, epoch, logs=None):
        self._started = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.monotonic() - self._started
        if not math.isfinite(logs["loss"]):
            # Nothing is saved: the checkpoints stay those of the last good epoch.
            raise ProgramError(
                f"The loss became {logs['loss']} in epoch {epoch + 1}. Lower --learning_rate, or set "
                "--clip_norm, and use another --model_dir"
            )
        metrics, pictures = self.evaluate()
        steps = (epoch + 1) * self.steps_per_epoch
        score = selection_score(metrics)
        best = self.progress["best"]
        if best is None or score > best["score"]:
            self.progress["best"] = {"score": score, "epoch": epoch + 1}
            save_checkpoint(
                self.model_dir / "checkpoint_best.npz", self.model.variables,
                {**self.progress, "steps": steps},
            )
        recalls = {
            direction: metrics[direction]["R@1"]
            for direction in ("image_to_sentence", "sentence_to_image")
        }
        self.progress["history"].append({"epoch": epoch + 1, "loss": logs["loss"], **recalls})
        self.progress["steps"] = steps
        save_checkpoint(
            self.model_dir / "checkpoint_last.npz",
            self.model.variables + self.model.optimizer.variables, self.progress,
        )
        self.events.write(steps, {"loss": logs["loss"]}, metrics, pictures)
        print(
            f"epoch {epoch + 1}: loss {logs['loss']:.3f}, dev R@1 image to sentence "
            f"{recalls['image_to_sentence']:.1f}, sentence to image "
            f"{recalls['sentence_to_image']:.1f}, {seconds:.0f} s",
            flush=True,
        )


def selection_score(metrics):
    """The number by which checkpoints are chosen: the sum of all six recalls, as VSE++ does."""
    return sum(
        metrics[direction][f"R@{k}"]
        for direction in ("image_to_sentence", "sentence_to_image")
        for k in (1, 5, 10)
    )
