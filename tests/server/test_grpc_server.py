"""gRPC requests, by the stubs of tensorflow-serving-api."""

import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tests.server.running_server import NUM_BUSY_STEPS, grpc_request


@pytest.fixture(scope="module")
def stub(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def _refused(call, *arguments, **options):
    with pytest.raises(grpc.RpcError) as error:
        call(*arguments, **{"timeout": 30, **options})
    return error.value.code().name, error.value.details()


def test_predict_returns_typed_tensors_and_which_version_answered(stub):
    response = stub.Predict(
        grpc_request(sentences=["a dog", "x"], x=np.float32([[1, 2, 3], [4, 5, 6]])), 30
    )
    assert list(response.outputs["multiple"].float_val) == [2, 4, 6, 8, 10, 12]
    assert tf.make_ndarray(response.outputs["length"]).tolist() == [5, 1]
    assert list(response.outputs["raw_bytes"].string_val) == [b"a dog", b"x"]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("toy", 1, "serving_default")


def test_versions_labels_and_outputs_are_chosen(stub):
    request = grpc_request("both", sentences=["a"], x=[[1.0, 2.0, 3.0]])
    request.model_spec.version_label = "stable"
    request.output_filter.append("multiple")
    response = stub.Predict(request, 30)
    assert response.model_spec.version.value == 2
    assert list(response.outputs) == ["multiple"]
    request.model_spec.version.value = 3  # in the place of the label
    assert list(stub.Predict(request, 30).outputs["multiple"].float_val) == [3, 6, 9]


def test_metadata_describes_the_signatures(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "both"
    response = stub.GetModelMetadata(request, 30)
    assert response.model_spec.version.value == 3
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    num_steps = signatures.signature_def["busy"].inputs["num_steps"]
    assert num_steps.dtype == tf.int32.as_datatype_enum


def test_status_names_every_version(channel):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "both"
    response = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, 30)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(entry.version, entry.state) for entry in response.model_version_status] == [
        (3, available),
        (2, available),
    ]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (grpc_request("none", x=1.0), "NOT_FOUND", "Latest(none)"),
        (grpc_request(signature="align", x=1.0), "INVALID_ARGUMENT", '"align" not found'),
        (
            grpc_request(sentences=["a"]),
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({sentences}) != len({sentences,x}). "
            "Sent extra: {}. Missing but required: {x}.",
        ),
        (grpc_request(sentences=["a"], y=[1.0]), "INVALID_ARGUMENT", "Sent extra: {y}."),
        (
            grpc_request(sentences=["a"], x=[[1, 2, 3]]),
            "INVALID_ARGUMENT",
            "Expects input x to be float but int32 is provided",
        ),
        (
            grpc_request(sentences=["a"], x=[1.0, 2.0, 3.0]),
            "INVALID_ARGUMENT",
            "Expects input x of shape [?,3] but [3] is provided",
        ),
        (
            grpc_request(signature="image", image_bytes=[b"GIF8"] * 65),
            "INVALID_ARGUMENT",
            "Task size 65 is larger than maximum input batch size 64",
        ),
        (
            grpc_request(sentences=["a"], x=np.ones([3, 3], np.float32)),
            "INVALID_ARGUMENT",
            "Expected as many rows in each input. Received: sentences: 1, x: 3",
        ),
        (
            grpc_request(signature="image", image_bytes=np.zeros(0, object)),
            "INVALID_ARGUMENT",
            "Expected at least one row. Received: none",
        ),
        (
            grpc_request(signature="image", image_bytes=[b"junk"]),
            "INVALID_ARGUMENT",
            "Unknown image file format",
        ),
        (
            grpc_request(sentences=[b"x" * 50001], x=[[1.0, 2.0, 3.0]]),
            "INVALID_ARGUMENT",
            "Expected texts of at most 50000 bytes",
        ),
        (
            grpc_request(
                signature="busy",
                num_steps=tensor_pb2.TensorProto(
                    dtype=tf.int32.as_datatype_enum, tensor_content=b"abc"
                ),
            ),
            "INVALID_ARGUMENT",
            "tensor parsing error: num_steps",
        ),
        (
            grpc_request(signature="image", image_bytes=[b"no image"]),
            "INVALID_ARGUMENT",
            "Unknown image file format",
        ),
        (
            grpc_request(signature="image", image_bytes=[b"x" * (1 << 20)]),
            "RESOURCE_EXHAUSTED",
            "larger than max",
        ),
    ],
)
def test_bad_requests_are_told_what_is_wrong(stub, request_, code, message):
    got, details = _refused(stub.Predict, request_)
    assert got == code
    assert message in details
    assert "[[{{node" not in details


def test_unknown_outputs_are_refused(stub):
    request = grpc_request(sentences=["a"], x=[[1.0, 2.0, 3.0]])
    request.output_filter.append("depth")
    code, details = _refused(stub.Predict, request)
    assert code == "INVALID_ARGUMENT"
    assert "not found in signature: depth" in details
    assert "{length,multiple,raw_bytes,upper}" in details
    request.output_filter[:] = ["length", "length"]
    assert _refused(stub.Predict, request)[1] == "duplicate output tensor alias: length"


def test_classify_and_regress_need_other_signatures(stub):
    classify = classification_pb2.ClassificationRequest()
    regress = regression_pb2.RegressionRequest()
    for request in (classify, regress):
        request.model_spec.name = "toy"
    code, details = _refused(stub.Classify, classify)
    assert (code, details.endswith("Was: tensorflow/serving/predict")) == ("INVALID_ARGUMENT", True)
    regress.model_spec.signature_name = "none"
    assert _refused(stub.Regress, regress) == (
        "INVALID_ARGUMENT",
        "No signature was found with the name: none",
    )


def test_metadata_needs_a_model_and_a_field(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    assert _refused(stub.GetModelMetadata, request)[1] == "Missing ModelSpec"
    request.model_spec.name = "toy"
    assert "at least one metadata_field" in _refused(stub.GetModelMetadata, request)[1]
    request.metadata_field.append("size")
    assert "size is not supported" in _refused(stub.GetModelMetadata, request)[1]


def test_the_client_s_deadline_holds(stub):
    request = grpc_request(signature="busy", num_steps=np.int32(NUM_BUSY_STEPS))
    started = time.monotonic()
    assert _refused(stub.Predict, request, timeout=0.2)[0] == "DEADLINE_EXCEEDED"
    assert time.monotonic() - started < 2
