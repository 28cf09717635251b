"""The versions of one model, in memory and on the disk."""

import dataclasses
import gc
import logging
import math
import os
import pathlib
import threading
import time
import weakref

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - its operations, which TensorFlow Serving has built in
from tensorflow.python.saved_model import loader_impl
from tensorflow_serving.apis import prediction_log_pb2

from vsa_tf.errors import operation_reason
from vsa_tf.files import MODEL_CARD, check_files
from vsa_tf.server.model_config import is_version
from vsa_tf.server.request_limits import ServingError
from vsa_tf.server.tensor_protos import from_tensor_proto

_LOGGER = logging.getLogger(__name__)
# A version that could not be loaded is tried again when its folder changes; and after so long
# in any case, since memory may have been short.
_RETRY_SECONDS = 60
_DEFAULT_SIGNATURE = "serving_default"
# The SavedModel's own entries, `__saved_model_init_op`: they compute nothing.
_OWN_ENTRIES = "__saved_model_"
_CODE_NAMES = {
    value: name
    for name, value in vars(tf.errors).items()
    if name.isupper() and isinstance(value, int)
}
_WARM_UP_FILE = pathlib.Path("assets.extra", "tf_serving_warmup_requests")


class ModelVersions:
    """Loads the versions that a model's configuration wants, and replaces them as folders come.

    A version takes the place of another only once it is loaded and warm; requests that use the
    old one keep it until they end. A folder that is still being copied waits, and one that cannot
    be loaded is passed over for the next older one, until it changes.

    Args:
        config: `ModelConfig`.
        settle_seconds: a folder is left alone until nothing in it has changed for so long.
    """

    def __init__(self, config, settle_seconds):
        self.config = config
        self._settle_seconds = settle_seconds
        self._lock = threading.Lock()  # of what requests read and `poll` writes
        self._loaded = {}
        self._states = {}
        self._failures = {}
        self._forgotten = threading.Event()

    def find(self, version=None, label=None):
        """Returns a `LoadedVersion`, the newest one by default.

        Args:
            version: int, or None.
            label: one of the configuration's, or None.

        Raises:
            ServingError: there is none.
        """
        name = self.config.name
        if label:
            if label not in self.config.labels:
                raise ServingError(
                    "INVALID_ARGUMENT", f"Unrecognized servable version label: {label}"
                )
            version = self.config.labels[label]
        with self._lock:
            if version is None and self._loaded:
                version = max(self._loaded)
            if version in self._loaded:
                return self._loaded[version]
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise ServingError("NOT_FOUND", f"Servable not found for request: {asked}")

    def states(self):
        """Returns a dict of version to (state, status code, message), as strings.

        The states are TensorFlow Serving's: LOADING, AVAILABLE, UNLOADING and END.
        """
        with self._lock:
            return dict(sorted(self._states.items(), reverse=True))

    def poll(self):
        """Compares the disk with the memory, loads and unloads."""
        folders = self._folders()
        with self._lock:
            loaded = set(self._loaded)
        while True:
            usable = [
                version
                for version in folders
                if version in loaded or self._may_be_loaded(version, folders[version])
            ]
            wanted = self.config.wanted(usable)
            missing = wanted - loaded
            if not missing:
                break
            version = max(missing)
            if self._load(version, folders[version]):
                loaded.add(version)
        # Without any folder there is nothing to put in the place of what is served.
        if wanted:
            for version in loaded - wanted:
                self._unload(version)
        with self._lock:
            for version in set(self._states) - set(folders) - set(self._loaded):
                del self._states[version]
        if self._forgotten.is_set():
            self._forgotten.clear()
            gc.collect()  # a session and its graph refer to one another

    def close(self):
        """Ends all running computations."""
        with self._lock:
            for loaded in self._loaded.values():
                loaded.close()

    def _folders(self):
        try:
            paths = list(pathlib.Path(self.config.base_path).iterdir())
        except FileNotFoundError:  # it may be being replaced
            return {}
        return {
            int(path.name): VersionFolder.read(path)
            for path in paths
            if is_version(path.name) and path.is_dir()
        }

    def _may_be_loaded(self, version, folder):
        fingerprint, failed_at = self._failures.get(version, (None, 0.0))
        if fingerprint == folder.fingerprint and time.monotonic() - failed_at < _RETRY_SECONDS:
            return False
        return folder.is_settled(self._settle_seconds)

    def _load(self, version, folder):
        name = self.config.name
        _LOGGER.info("model %s: loading version %d of %s", name, version, self.config.base_path)
        self._set_state(version, "LOADING")
        started = time.monotonic()
        try:
            loaded = LoadedVersion(name, version, folder.path)
            warm_up(loaded, folder.path)
        except Exception as error:  # of many types; whatever it is, the others are served on
            message = f"{type(error).__name__}: {error}"
            _LOGGER.warning(
                "model %s: version %d cannot be loaded; it is tried again when it changes: %s",
                name,
                version,
                " ".join(message.split()),
            )
            self._failures[version] = folder.fingerprint, time.monotonic()
            self._set_state(version, "END", "UNKNOWN", message)
            return False
        self._failures.pop(version, None)
        with self._lock:
            self._loaded[version] = loaded
        self._set_state(version, "AVAILABLE")
        _LOGGER.info(
            "model %s: version %d loaded in %.1f s", name, version, time.monotonic() - started
        )
        return True

    def _unload(self, version):
        with self._lock:
            loaded = self._loaded.pop(version)
        # By the last request that uses it.
        weakref.finalize(loaded, self._forgotten.set)
        del loaded
        self._set_state(version, "END")
        _LOGGER.info("model %s: version %d unloaded", self.config.name, version)

    def _set_state(self, version, state, code="OK", message=""):
        with self._lock:
            self._states[version] = state, code, message


class LoadedVersion:
    """One version of a model: its signatures, and what they compute.

    A session computes them, as in TensorFlow Serving: of its runs, unlike of calls of functions,
    any one can be ended.

    Args:
        name: of the model.
        version: int.
        path: the SavedModel's directory.

    Attributes:
        signature_defs: dict of name to `SignatureDef` protocol buffer.

    Raises:
        Exception: of many types, where the directory holds no whole SavedModel.
    """

    def __init__(self, name, version, path):
        self.name = name
        self.version = version
        check_files(pathlib.Path(path), MODEL_CARD)  # of those that `vsa_tf.export` has written
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        loader = loader_impl.SavedModelLoader(str(path))
        graph = loader.load(self._session, [tf.saved_model.SERVING])
        self.signature_defs = dict(graph.signature_def)

    def close(self):
        """Ends all running computations; there are no further ones."""
        self._session.close()

    def signature(self, name):
        """Returns the `SignatureDef` called `name`, the default one for an empty name.

        Raises:
            ServingError: there is none.
        """
        name = name or _DEFAULT_SIGNATURE
        if name.startswith(_OWN_ENTRIES) or name not in self.signature_defs:
            raise ServingError(
                "INVALID_ARGUMENT", f'Serving signature name: "{name}" not found in signature def'
            )
        return self.signature_defs[name]

    def run(self, name, inputs, deadline=None):
        """Computes a signature.

        Args:
            name: of the signature, or empty.
            inputs: dict of name to numpy array, as the signature wants them.
            deadline: `time.monotonic()` at which TensorFlow ends the computation, as soon as the
                operations that run then have ended; None: never.

        Returns:
            A dict of name to numpy array.

        Raises:
            ServingError: what TensorFlow said, with its status code.
        """
        signature = self.signature_defs[name or _DEFAULT_SIGNATURE]
        options = None
        if deadline is not None:
            milliseconds = math.ceil(1000 * (deadline - time.monotonic()))
            options = tf.compat.v1.RunOptions(timeout_in_ms=max(milliseconds, 1))
        try:
            # All outputs: for each set of them TensorFlow would keep a graph of its own.
            outputs = self._session.run(
                {key: info.name for key, info in sorted(signature.outputs.items())},
                {signature.inputs[key].name: value for key, value in inputs.items()},
                options,
            )
        except tf.errors.OpError as error:
            # The error before it: to this one Python's lines of the loading have been added.
            message = operation_reason((error.__context__ or error).message)
            code = _CODE_NAMES.get(error.error_code, "UNKNOWN")
            raise ServingError(code, message) from error
        return {key: _as_array(value) for key, value in outputs.items()}


def _as_array(value):
    """A session gives scalars as Python's and numpy's."""
    return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)


@dataclasses.dataclass(frozen=True)
class VersionFolder:
    """A folder that may still be being copied.

    Attributes:
        path: of the folder.
        fingerprint: another one once a file has been added, removed or written to.
        changed_at: seconds since the epoch, of the last change.
    """

    path: pathlib.Path
    fingerprint: int
    changed_at: float

    @classmethod
    def read(cls, path):
        """Returns the folder at `path` as it is now."""
        files = []
        # pathlib's own walk ends with an error where a folder goes while it is looked at.
        for folder, folders, names in os.walk(path):
            for file in (pathlib.Path(folder, name) for name in (*folders, *names)):
                try:
                    status = file.stat()
                except FileNotFoundError:  # gone since it was listed
                    continue
                # Not the time of modification, which copying programs set to that of the original.
                files.append((str(file), status.st_size, status.st_ctime))
        changed_at = max((changed_at for _, _, changed_at in files), default=0.0)
        return cls(path, hash(tuple(sorted(files))), changed_at)

    def is_settled(self, seconds):
        """Whether nothing in it has changed for `seconds`: copying it has ended."""
        return time.time() - self.changed_at >= seconds


def warm_up(loaded, path):
    """Answers the warm-up requests of a SavedModel, so that the first client does not wait.

    Args:
        loaded: `LoadedVersion`.
        path: its directory, with or without assets.extra/tf_serving_warmup_requests: a TFRecord
            file of `PredictionLog` protocol buffers. Only those of Predict are used.

    Raises:
        Exception: of many types, where the file is broken or a request cannot be answered.
    """
    file = pathlib.Path(path) / _WARM_UP_FILE
    if not file.is_file():
        return
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.HasField("predict_log"):
            request = log.predict_log.request
            inputs = {name: from_tensor_proto(proto) for name, proto in request.inputs.items()}
            loaded.run(request.model_spec.signature_name, inputs)
