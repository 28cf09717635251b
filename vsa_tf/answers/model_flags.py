"""The flags that name a model to the programs which use one."""

from absl import flags

from vsa_tf.answers.model_source import ModelSource

_HELP = {
    "model_dir": "Directory that vsa_tf.train has written.",
    "image_encoder": "With --model_dir: the encoder of the model's records, SavedModel directory "
    "or handle.",
    "detector": "With --model_dir: the detector of the records, where the model sees regions.",
    "saved_model": "Directory that vsa_tf.export has written, in the place of --model_dir.",
    "server": "HOST:PORT of vsa_tf.serve or TensorFlow Serving, its REST port, in the "
    "place of --model_dir.",
    "model_name": "The model's name at --server.",
}


def define_model_flags():
    """Defines the flags."""
    for name, text in _HELP.items():
        flags.DEFINE_string(name, "", text)


def model_source(values):
    """Returns the `ModelSource` that the flags name.

    Args:
        values: the flags.

    Raises:
        ProgramError: they name none, several, or contradict one another.
    """
    return ModelSource(**{name: values[name].value for name in _HELP})


def names_a_model(values):
    """Returns whether any of the flags is given."""
    return any(values[name].value for name in _HELP)
