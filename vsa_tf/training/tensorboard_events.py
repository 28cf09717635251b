"""TensorBoard events of a training run."""

import tensorflow as tf


class TensorBoardEvents:
    """Writes scalars, pictures and text to `model_dir/events`."""

    def __init__(self, model_dir):
        self.writer = tf.summary.create_file_writer(str(model_dir / "events"))

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


def _flat(prefix, values):
    for name, value in values.items():
        if isinstance(value, dict) and name != "interval_95":
            yield from _flat(f"{prefix}/{name}", value)
        elif isinstance(value, (int, float)):
            yield f"{prefix}/{name}", value
