"""Evaluates a trained model on a split of records, by the papers' protocols.

    python -m vsa_tf.evaluate --model_dir=DIR --data_dir=DIR --split=test --output=metrics.json

Prints tables laid out as the papers' and writes one JSON value. `--word_magnitudes` and
`--query` also write what the DVSA paper's section 1 and 2 show of a model.
"""

from absl import flags

from vsa_tf import program


def define_flags():
    """Defines the program's flags."""
    flags.DEFINE_string("model_dir", None, "Directory that vsa_tf.train has written.")
    flags.DEFINE_string("data_dir", None, "Directory of records; default: that of the training.")
    flags.DEFINE_string("split", "test", "Split of the records.")
    flags.DEFINE_string("output", None, "File for the metrics, JSON.")
    flags.DEFINE_integer(
        "fold_size", 0, "Also report the mean over folds of this many images; 0: do not.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "word_magnitudes", None, "File for the words of smallest and largest magnitude, JSON."
    )
    flags.DEFINE_multi_string(
        "query", [], "A snippet of text: its best regions in the split are printed; repeatable."
    )
    flags.DEFINE_integer("seed", 0, "Seed of the bootstrap.", lower_bound=0)


def main():
    values = flags.FLAGS
    if not values.model_dir:
        raise program.ProgramError(
            "--model_dir is missing: a directory that vsa_tf.train has written"
        )
    from vsa_tf import config

    config.Settings.load(values.model_dir)
    from vsa_tf.evaluation.evaluate_model import evaluate_model

    evaluate_model(
        values.model_dir, values.data_dir, values.split, values.output, values.fold_size,
        values.word_magnitudes, values.query, values.seed,
    )


if __name__ == "__main__":
    define_flags()
    program.run(main, __doc__)
