"""All models that the server offers."""

import logging
import threading

from vsa_tf.server.model_versions import ModelVersions
from vsa_tf.server.serving_error import ServingError

_LOGGER = logging.getLogger(__name__)


class ModelCatalog:
    """Finds models by name, and keeps them as their folders are.

    Args:
        configs: list of `ModelConfig`.
        poll_seconds: between two looks at the disk.
        settle_seconds: a version folder is left alone until nothing in it has changed for so long.
    """

    def __init__(self, configs, poll_seconds=1.0, settle_seconds=2.0):
        self._models = {config.name: ModelVersions(config, settle_seconds) for config in configs}
        self._poll_seconds = poll_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep_polling, name="versions", daemon=True)

    def start(self):
        """Loads what is there, then goes on looking at the disk in a thread."""
        self._poll()
        self._thread.start()

    def stop(self):
        """Ends the looking; a version that is being loaded is not waited for."""
        self._stopped.set()

    def find(self, name, version=None, label=None):
        """Returns a `LoadedVersion`.

        Args:
            name: of the model.
            version: int; None: the newest.
            label: of the model's configuration, in the place of a version; or None.

        Raises:
            ServingError: there is no such one.
        """
        if name not in self._models:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {asked}")
        return self._models[name].find(version, label)

    def versions(self, name):
        """Returns the `ModelVersions` of a model.

        Raises:
            ServingError: there is no such model.
        """
        if name not in self._models:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        return self._models[name]

    def available(self):
        """Returns which versions answer, a dict of name to a list of ints, newest first."""
        return {
            name: [
                version for version, (state, _, _) in model.states().items() if state == "AVAILABLE"
            ]
            for name, model in self._models.items()
        }

    def _keep_polling(self):
        while not self._stopped.wait(self._poll_seconds):
            self._poll()

    def _poll(self):
        for model in self._models.values():
            try:
                model.poll()
            except Exception:  # an error of this server or of the disk: it is tried again
                _LOGGER.exception("model %s: cannot look at its folders", model.config.name)
