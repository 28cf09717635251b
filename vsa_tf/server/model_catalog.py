"""All models that the server offers, and what it tells about them."""

import logging
import threading

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from vsa_tf.server.model_versions import ModelVersions
from vsa_tf.server.request_limits import ServingError

_LOGGER = logging.getLogger(__name__)
_METADATA_FIELD = "signature_def"


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
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._keep_polling, name="versions", daemon=True)

    def start(self):
        """Loads what is there, then goes on looking at the disk, in a thread."""
        self._thread.start()
        self._looked.wait()

    def stop(self):
        """Ends the looking, and `start`; a version that is being loaded is not waited for."""
        self._stopped.set()
        self._looked.set()

    def close(self):
        """Ends the computations of all models."""
        for model in self._models.values():
            model.close()

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
        self._poll()
        self._looked.set()
        while not self._stopped.wait(self._poll_seconds):
            self._poll()

    def _poll(self):
        for model in self._models.values():
            try:
                model.poll()
            except Exception:  # an error of this server or of the disk: it is tried again
                _LOGGER.exception("model %s: cannot look at its folders", model.config.name)


class ModelInformation:
    """Answers GetModelStatus and GetModelMetadata, and refuses Classify and Regress.

    Args:
        catalog: `ModelCatalog`.
    """

    def __init__(self, catalog):
        self._catalog = catalog

    def find(self, spec):
        """Returns the `LoadedVersion` that a `ModelSpec` names."""
        version = spec.version.value if spec.HasField("version") else None
        return self._catalog.find(spec.name, version, spec.version_label or None)

    def status(self, request):
        """Returns the `GetModelStatusResponse` to a `GetModelStatusRequest`."""
        spec = request.model_spec
        versions = self._catalog.versions(spec.name)
        states = versions.states()
        wanted = None
        if spec.version_label:
            wanted = versions.find(label=spec.version_label).version
        elif spec.HasField("version"):
            wanted = spec.version.value
        if wanted is not None:
            if wanted not in states:
                raise ServingError(
                    "NOT_FOUND", f"Could not find version {wanted} of model {spec.name}"
                )
            states = {wanted: states[wanted]}
        if not states:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, (state, code, message) in states.items():
            status = response.model_version_status.add(version=version, state=state)
            status.status.error_code = code
            status.status.error_message = message
        return response

    def metadata(self, request):
        """Returns the `GetModelMetadataResponse` to a `GetModelMetadataRequest`."""
        if not request.HasField("model_spec"):
            raise ServingError("INVALID_ARGUMENT", "Missing ModelSpec")
        if not request.metadata_field:
            raise ServingError(
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            )
        for field in request.metadata_field:
            if field != _METADATA_FIELD:
                raise ServingError("INVALID_ARGUMENT", f"Metadata field {field} is not supported")
        loaded = self.find(request.model_spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature_def in loaded.signature_defs.items():
            signatures.signature_def[name].CopyFrom(signature_def)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = loaded.name
        response.model_spec.version.value = loaded.version
        response.metadata[_METADATA_FIELD].Pack(signatures)
        return response

    def refuse(self, method, spec):
        """Raises the `ServingError` of a method that only other signatures have.

        Args:
            method: "classify" or "regress".
            spec: `ModelSpec`.
        """
        loaded = self.find(spec)
        try:
            signature_def = loaded.signature(spec.signature_name)
        except ServingError as error:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"No signature was found with the name: {spec.signature_name or 'serving_default'}",
            ) from error
        wanted = f"tensorflow/serving/{method}"
        if signature_def.method_name == wanted:
            raise ServingError(
                "UNIMPLEMENTED", f"This server does not answer {method}. Use predict"
            )
        kind = {"classify": "classification", "regress": "regression"}[method]
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Expected {kind} signature method_name to be {wanted}. Was: "
            f"{signature_def.method_name}",
        )
