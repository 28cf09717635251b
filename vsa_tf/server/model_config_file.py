"""TensorFlow Serving's `--model_config_file`."""

import pathlib

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from vsa_tf.server.model_config import ModelConfig


def read_model_config_file(path):
    """Reads the models of a file in TensorFlow Serving's text format.

    Args:
        path: of a `ModelServerConfig` protocol buffer with a `model_config_list`.

    Returns:
        A list of `ModelConfig`, in the file's order.

    Raises:
        ValueError: the file cannot be read as such, names no model or one twice, or asks for what
            this server cannot do.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(pathlib.Path(path).read_text(encoding="utf-8"), config)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ValueError(f"Expected a readable model config. Received: {path}: {error}") from error
    models = [_model_config(entry) for entry in config.model_config_list.config]
    if not models:
        raise ValueError(
            f"Expected model_config_list {{ config {{ ... }} }}. Received: {path} without models"
        )
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Expected each model once. Received: {path} with {name!r} twice")
    return models


def _model_config(entry):
    if entry.model_platform not in ("", "tensorflow"):
        raise ValueError(
            f'Expected model_platform: "tensorflow". Received: {entry.model_platform!r} for '
            f"{entry.name!r}"
        )
    if not entry.base_path:
        raise ValueError(f"Expected a base_path. Received: none for {entry.name!r}")
    policy = entry.model_version_policy
    kind = policy.WhichOneof("policy_choice") or "latest"
    return ModelConfig(
        name=entry.name,
        base_path=entry.base_path,
        policy=kind,
        # As TensorFlow Serving: zero, or nothing said, is one.
        num_versions=policy.latest.num_versions or 1,
        versions=tuple(policy.specific.versions),
        labels=dict(entry.version_labels),
    )
