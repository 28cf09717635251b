"""What the server tells about its models, over HTTP and gRPC alike."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from vsa_tf.server.serving_error import ServingError

_METADATA_FIELD = "signature_def"


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
