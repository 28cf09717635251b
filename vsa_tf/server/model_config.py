"""The models that the server offers, and TensorFlow Serving's `--model_config_file`."""

import dataclasses
import re

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from vsa_tf.file_reading import read_lines


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model's name, directory, and which of its versions are served.

    Attributes:
        name: of requests.
        base_path: directory of version folders, which have integers for names.
        policy: "latest", "all" or "specific".
        num_versions: of the policy "latest": how many, the newest.
        versions: of the policy "specific": which, a tuple of ints.
        labels: dict of label to version.
    """

    name: str
    base_path: str
    policy: str = "latest"
    num_versions: int = 1
    versions: tuple[int, ...] = ()
    labels: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        if not re.fullmatch("[^/:]+", self.name):
            raise ValueError(
                f"Expected a model name without '/' and ':'. Received: name={self.name!r}"
            )
        if self.policy not in ("latest", "all", "specific"):
            raise ValueError(
                f"Expected policy latest, all or specific. Received: policy={self.policy!r}"
            )
        if self.policy == "latest" and self.num_versions < 1:
            raise ValueError(
                f"Expected num_versions of 1 or more. Received: num_versions={self.num_versions}"
            )
        if self.policy == "specific" and not self.versions:
            raise ValueError("Expected versions for the policy specific. Received: none")

    def wanted(self, versions):
        """Returns those of `versions`, ints, that are to be served, a set."""
        if self.policy == "all":
            return set(versions)
        if self.policy == "specific":
            return set(versions) & set(self.versions)
        return set(sorted(versions)[-self.num_versions :])


def is_version(name):
    """Whether a folder's name is a version: a number of 63 bits, in decimal digits."""
    return re.fullmatch("[0-9]{1,19}", name) is not None and int(name) < 2**63


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
        text_format.Parse("\n".join(read_lines(path)), config)
    except (OSError, ValueError, text_format.ParseError, RecursionError) as error:
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
