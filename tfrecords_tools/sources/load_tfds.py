"""tensorflow-datasets, an extra."""

import logging
import os


def load_tfds():
    """Imports tensorflow-datasets.

    Returns:
        The module `tensorflow_datasets`.

    Raises:
        ValueError: it is not installed.
    """
    # It reads records with TensorFlow, which would take all of a GPU that the writer's own
    # processes need.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    try:
        import tensorflow_datasets
    except ImportError as error:
        raise ValueError(
            "--dataset=tfds:NAME needs tensorflow-datasets, which is not installed: "
            'pip install "vsa_tf[tfds]"'
        ) from error
    logging.getLogger("absl").addFilter(_is_not_of_its_own_names)
    return tensorflow_datasets


def _is_not_of_its_own_names(record):
    """It warns of an old name that it uses itself, once for every feature and file."""
    return "`FeatureConnector.dtype` is deprecated" not in record.getMessage()
