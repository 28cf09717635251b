"""Where answers come from: a model directory, an exported SavedModel, or a server."""

import dataclasses
import pathlib
import re

from absl import flags

from vsa_tf.errors import VsaTfError
from vsa_tf.file_reading import told_as
from vsa_tf.files import MODEL_CARD, read_sealed
from vsa_tf.inference.signatures import version_path
from vsa_tf.model_handles import check_handles
from vsa_tf.settings import Settings

# HOST:PORT; an address of IPv6 stands in brackets.
SERVER_ADDRESS = r"(?:[^\s/:]+|\[[^\s/]+\]):\d{1,5}"
_WAYS = ("model_dir", "saved_model", "server")
# What a command line without any of them lacks.
MODEL_FLAGS = "--model_dir, --saved_model or --server"
_HELP = {
    "model_dir": "Directory that vsa_tf.train has written.",
    "image_encoder": "With --model_dir: the encoder of the model's records, a SavedModel's "
    "directory or handle, keras:NAME or keras_hub:PRESET.",
    "detector": "With --model_dir: the detector of the records, where the model sees regions.",
    "saved_model": "Directory that vsa_tf.export has written, in the place of --model_dir.",
    "server": "HOST:PORT of vsa_tf.serve or TensorFlow Serving, its REST port, in the "
    "place of --model_dir.",
    "model_name": "The model's name at --server.",
}


@dataclasses.dataclass(frozen=True)
class ModelSource:
    """Names a model without opening it; opening it takes seconds.

    Attributes:
        model_dir: directory that `vsa_tf.train` has written.
        image_encoder, detector: of its records, see `PhotographReader`; with model_dir alone.
        saved_model: directory that `vsa_tf.export` has written.
        server: `HOST:PORT` of the REST interface of `vsa_tf.serve` or TensorFlow Serving.
        model_name: the model's name there.

    Raises:
        VsaTfError: not exactly one of model_dir, saved_model and server is given, or another one
            does not go with it.
    """

    model_dir: str = ""
    image_encoder: str = ""
    detector: str = ""
    saved_model: str = ""
    server: str = ""
    model_name: str = ""

    def __post_init__(self):
        given = [name for name in _WAYS if getattr(self, name)]
        if len(given) != 1:
            names = " and ".join(f"--{name}" for name in given)
            raise VsaTfError(
                "Expected one of --model_dir, --saved_model and --server. Received: "
                f"{names or 'none'}"
            )
        for name in ("image_encoder", "detector"):
            if getattr(self, name) and not self.model_dir:
                raise VsaTfError(
                    f"--{name} goes with --model_dir: what --{given[0]} names has its own"
                )
        check_handles(image_encoder=self.image_encoder, detector=self.detector)
        if bool(self.server) != bool(self.model_name):
            raise VsaTfError("--server and --model_name go together: give both or neither")
        if self.server and not re.fullmatch(SERVER_ADDRESS, self.server):
            raise VsaTfError(f"Expected --server=HOST:PORT. Received: --server={self.server}")

    def __str__(self):
        if self.server:
            return f"{self.model_name} of {self.server}"
        return self.saved_model or self.model_dir

    def model_card(self):
        """Returns what the export says of itself, a dict; None where there is none to read.

        Raises:
            VsaTfError: there is no SavedModel, or what it says is damaged.
        """
        if not self.saved_model:
            return None
        path = version_path(self.saved_model) / MODEL_CARD
        try:
            return read_sealed(path)
        except FileNotFoundError:
            return None

    def check(self, signature, purpose):
        """Refuses a model that cannot answer, as far as is known without opening it.

        Args:
            signature: the name that it must answer to (`SIGNATURE_INPUTS`).
            purpose: what for, such as "writes captions".

        Raises:
            VsaTfError: it cannot, or there is no such model.
        """
        if self.model_dir:
            settings = Settings.load(self.model_dir)
            names, kind = settings.model.signatures, settings.training.model
        else:
            card = self.model_card()
            with told_as(f"{self.saved_model} has a model_card.json that cannot be read"):
                kind = card["model"] if card else ""
                names = [*map(str, card["signatures"])] if card else [signature]
        self._check(signature, names, f"a model that {purpose}", kind)

    def open(self, *signatures, settings=None, num_photographs=None):
        """Opens the model.

        Args:
            *signatures: the names that it must answer to.
            settings: `AnswerSettings` of a model directory; None: the defaults.
            num_photographs: how many it will be asked about, see `ExportedModel`.

        Returns:
            A `LocalModel`, an `ExportedModel` or a `RemoteModel`, which are called alike.

        Raises:
            VsaTfError: the model cannot be used, or does not answer to the names.
        """
        model = self._open(settings, num_photographs)
        for signature in signatures:
            self._check(signature, model.signatures, f"a model with the signature {signature}")
        return model

    def to_dict(self):
        """Returns what tells this source to `ModelSource(**dict)` in another directory, too."""
        fields = {name: value for name, value in vars(self).items() if value}
        for name, value in fields.items():
            if name not in ("server", "model_name") and pathlib.Path(value).exists():
                fields[name] = str(pathlib.Path(value).resolve())
        return fields

    def _open(self, settings, num_photographs):
        # Each of them imports what takes seconds.
        if self.server:
            from vsa_tf.inference.remote_model import RemoteModel

            return RemoteModel(self.server, self.model_name)
        if self.saved_model:
            from vsa_tf.inference.exported_model import ExportedModel

            return ExportedModel(self.saved_model, num_photographs)
        from vsa_tf.inference.local_model import LocalModel
        from vsa_tf.inference.signatures import AnswerSettings

        return LocalModel(
            self.model_dir, self.image_encoder, self.detector, settings or AnswerSettings()
        )

    def _check(self, signature, names, expected, kind=""):
        if signature not in names:
            received = f"{kind}, which answers" if kind else "one that answers"
            raise VsaTfError(
                f"Expected {expected}. Received: {self}, {received} {', '.join(names)} alone"
            )


def define_model_flags():
    """Defines the flags."""
    for name, text in _HELP.items():
        flags.DEFINE_string(name, "", text)


def model_source(values):
    """Returns the `ModelSource` that the flags name.

    Args:
        values: the flags.

    Raises:
        VsaTfError: they name none, several, or contradict one another.
    """
    return ModelSource(**{name: values[name].value for name in _HELP})


def names_a_model(values):
    """Returns those of the flags that are given, list of str; an empty one names no model."""
    return [f"--{name}" for name in _HELP if values[name].value]
