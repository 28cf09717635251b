"""Trains a model on records, evaluates it and leaves everything in a directory.

    python -m vsa_tf.train --flagfile=flags/quickstart.flags
    python -m vsa_tf.train --flagfile=flags/flickr8k_alignment.flags \\
        --data_dir=DIR --model_dir=DIR

The same command goes on with a run that was stopped. `model_dir` holds the resolved `flagfile`,
`config.json`, `vocabulary.txt`, the last and the best checkpoint, TensorBoard events in `events`,
`metrics.json` and pictures of aligned regions.
"""

from vsa_tf import config, program


def main():
    settings = config.settings_from_flags()
    # Only now, when the flags are known to be good: TensorFlow takes seconds to import.
    from vsa_tf.training.generated_data import generate_data
    from vsa_tf.training.train_model import train_model

    if settings.data.dataset:
        generate_data(settings)
    train_model(settings)


if __name__ == "__main__":
    config.define_flags()
    program.run(main, __doc__)
