"""The versions of one model, in memory and on the disk."""

import gc
import logging
import pathlib
import threading
import time

from vsa_tf.server.loaded_version import LoadedVersion
from vsa_tf.server.serving_error import ServingError
from vsa_tf.server.version_folder import VersionFolder
from vsa_tf.server.warm_up import warm_up

_LOGGER = logging.getLogger(__name__)
# A version that could not be loaded is tried again when its folder changes; and after so long
# in any case, since memory may have been short.
_RETRY_SECONDS = 60


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

    def _folders(self):
        try:
            paths = list(pathlib.Path(self.config.base_path).iterdir())
        except FileNotFoundError:  # it may be being replaced
            return {}
        return {
            int(path.name): VersionFolder.read(path)
            for path in paths
            if path.name.isascii() and path.name.isdigit() and path.is_dir()
        }

    def _may_be_loaded(self, version, folder):
        fingerprint, failed_at = self._failures.get(version, (None, 0.0))
        if fingerprint == folder.fingerprint and time.monotonic() - failed_at < _RETRY_SECONDS:
            return False
        return folder.is_settled(self._settle_seconds)

    def _load(self, version, folder):
        name = self.config.name
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
            del self._loaded[version]
        self._set_state(version, "END")
        gc.collect()  # a SavedModel's functions refer to one another
        _LOGGER.info("model %s: version %d unloaded", self.config.name, version)

    def _set_state(self, version, state, code="OK", message=""):
        with self._lock:
            self._states[version] = state, code, message
