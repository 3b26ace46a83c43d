"""The stand-in for TensorFlow Serving, called over the loopback as a client would."""

import base64
import http.client
import json
import math
import shutil
import urllib.parse

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import example_model
from tests.serving.loopback_server import running_server

X = [[1.0, -2.0, 0.5], [3.0, 0.0, 0.001]]
BINARY = {"b64": base64.b64encode(b"\x00\xff").decode()}
MALFORMED = {
    "width": {"instances": [[1.0, 2.0]]},
    "rank": {"instances": [1.0, 2.0, 3.0]},
    "ragged": {"instances": [[1.0, 2.0, 3.0], [1.0]]},
    "type": {"instances": [["a", "b", "c"]]},
    "null": {"inputs": [[None, 1.0, 2.0]]},
    "too large for float32": {"inputs": [[1e39, 0.0, 0.0]]},
    "fraction for an integer": {"signature_name": "counted", "inputs": 2.5},
    "bad base64": {"signature_name": "strings", "inputs": [{"b64": "?"}]},
    "several inputs": {"signature_name": "types", "instances": [1]},
    "assertion": {"signature_name": "counted", "inputs": 9},
    "row of a scalar": {"signature_name": "counted", "instances": 1},
    "input name": {"inputs": {"y": X}},
    "signature": {"signature_name": "nothing", "instances": X},
    "signature type": {"signature_name": 1, "instances": X},
    "both forms": {"instances": X, "inputs": X},
    "no form": {},
    "no rows": {"instances": []},
    "a list": [],
    "truncated": b'{"instances": [[1.0, 2',
    "empty": b"",
    "not UTF-8": b"\xff\xfe",
    "deep": b"[" * 100_000,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(REST address, stub of the gRPC service, the Example that is served)."""
    base = tmp_path_factory.mktemp("models")
    example = example_model.save(base / "example" / "10")
    # 10 is above 9, though not as text; what is no version is no model either.
    (base / "example" / "9").mkdir()
    shutil.copytree(base / "example" / "10", base / "other" / "1")
    (base / "notes").mkdir()
    with running_server(base) as (rest, address), grpc.insecure_channel(address) as channel:
        yield rest, prediction_service_pb2_grpc.PredictionServiceStub(channel), example


def call(rest, method, path, body=None):
    """Returns status and parsed body of one HTTP request."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(rest).netloc, timeout=60)
    body = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, body)
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


def predict(rest, body, model="example"):
    return call(rest, "POST", f"/v1/models/{model}:predict", body)


def grpc_predict(stub, signature, filters=(), **inputs):
    request = predict_pb2.PredictRequest(output_filter=filters)
    request.model_spec.name = "example"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return stub.Predict(request, timeout=60)


def expected(example):
    return example.affine(tf.constant(X))["y"].numpy()


def assert_well(served):
    """A good request is answered well."""
    rest, stub, example = served
    status, content = predict(rest, {"instances": X})
    assert (status, list(content)) == (200, ["predictions"])
    np.testing.assert_allclose(content["predictions"], expected(example), rtol=1e-6, atol=1e-6)
    response = grpc_predict(stub, "", x=np.float32(X))
    found = tf.make_ndarray(response.outputs["y"])
    np.testing.assert_allclose(found, expected(example), rtol=1e-6, atol=1e-6)


def test_one_input_and_one_output(served):
    assert_well(served)
    rest, _, example = served
    for inputs in (X, {"x": X}):
        status, content = predict(rest, {"inputs": inputs, "signature_name": "affine"})
        assert (status, list(content)) == (200, ["outputs"])
        np.testing.assert_allclose(content["outputs"], expected(example), rtol=1e-6, atol=1e-6)


def test_several_inputs_and_outputs(served):
    rows = [
        {"double": 0.5, "int": 4, "long": -3, "pixel": [[[0], [1]], [[2], [255]]], "flag": True},
        {"double": 1, "int": -9, "long": 1, "pixel": [[[9], [9]], [[9], [9]]], "flag": False},
    ]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    status, by_row = predict(served[0], {"signature_name": "types", "instances": rows})
    assert status == 200
    status, by_column = predict(served[0], {"signature_name": "types", "inputs": columns})
    assert status == 200
    assert by_column["outputs"] == {
        "double": pytest.approx([math.sin(0.5), math.sin(1)], abs=1e-12),
        "int": [5, -8],
        "long": [-3 * 2**33, 2**33],
        "pixel": [[[[255], [254]], [[253], [0]]], [[[246], [246]], [[246], [246]]]],
        "flag": [False, True],
    }
    pairs = by_row["predictions"]
    assert {name: [each[name] for each in pairs] for name in pairs[0]} == by_column["outputs"]


def test_outputs_need_not_share_a_first_dimension_in_columnar_form(served):
    body = {"signature_name": "counted", "inputs": 2}
    assert predict(served[0], body) == (200, {"outputs": {"count": 2, "total": [0, 1]}})


def test_strings(served):
    body = {"signature_name": "strings", "inputs": ["é", "abc"]}
    encoded = [{"b64": base64.b64encode(2 * text.encode()).decode()} for text in body["inputs"]]
    outputs = {"same": ["é", "abc"], "twice_bytes": encoded, "length": [2, 3]}
    assert predict(served[0], body) == (200, {"outputs": outputs})
    status, content = predict(
        served[0], {"signature_name": "strings", "instances": [{"b64": "YWJj"}, "x"]}
    )
    assert (status, [each["same"] for each in content["predictions"]]) == (200, ["abc", "x"])
    response = grpc_predict(
        served[1], "strings", ["twice_bytes"], text=np.array([b"\x00\xff"], object)
    )
    assert list(response.outputs["twice_bytes"].string_val) == [b"\x00\xff\x00\xff"]


def test_numbers_that_json_does_not_know(served):
    body = b'{"signature_name": "logarithm", "inputs": [0, -1, Infinity, NaN, 0.1]}'
    status, content = predict(served[0], body)
    assert status == 200
    assert content["outputs"]["log"][0] == -math.inf
    assert np.isnan(content["outputs"]["log"]).tolist() == [False, True, False, True, False]
    assert content["outputs"]["log"][2] == math.inf
    # As short as a float32 allows, without digits that mean nothing.
    assert repr(content["outputs"]["log"][4]) == "-2.3025851"


def test_status_and_metadata(served):
    rest, stub, _ = served
    available = {"version": "10", "state": "AVAILABLE"}
    available["status"] = {"error_code": "OK", "error_message": ""}
    assert call(rest, "GET", "/v1/models/example") == (200, {"model_version_status": [available]})
    status, content = call(rest, "GET", "/v1/models/example/versions/10/metadata")
    assert (status, content["model_spec"]["version"]) == (200, "10")
    signatures = content["metadata"]["signature_def"]["signature_def"]
    assert signatures["affine"]["inputs"]["x"]["dtype"] == "DT_FLOAT"

    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "example"
    response = stub.GetModelMetadata(request, timeout=60)
    assert response.model_spec.version.value == 10
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    assert set(signatures) == set(found.signature_def) > set(example_model.NAMES)


def test_several_models_and_versions(served):
    rest = served[0]
    assert predict(rest, {"instances": X}, "other")[0] == 200
    assert predict(rest, {"instances": X}, "example/versions/10")[0] == 200
    for model in ("nothing", "notes", "example/versions/9"):
        status, content = predict(rest, {"instances": X}, model)
        assert (status, list(content)) == (404, ["error"])
        assert call(rest, "GET", f"/v1/models/{model}")[0] == 404


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_requests(served, name):
    status, content = predict(served[0], MALFORMED[name])
    assert (status, list(content)) == (400, ["error"])
    assert content["error"]
    assert_well(served)


def test_other_requests_that_are_refused(served):
    rest = served[0]
    assert call(rest, "GET", "/v1/models/example:predict")[0] == 400
    assert call(rest, "POST", "/v1/models/example:classify", {})[0] == 400
    assert call(rest, "GET", "/")[0] == 404
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(rest).netloc, timeout=60)
    connection.putrequest("POST", "/v1/models/example:predict")
    connection.putheader("Content-Length", str(65 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    assert_well(served)


@pytest.mark.parametrize(
    ("signature", "inputs", "code"),
    [
        ("affine", {"x": np.ones([2, 3])}, "INVALID_ARGUMENT"),
        ("affine", {"x": np.ones([2, 3], np.float16)}, "INVALID_ARGUMENT"),
        ("affine", {"x": np.ones([3], np.float32)}, "INVALID_ARGUMENT"),
        ("affine", {}, "INVALID_ARGUMENT"),
        ("affine", {"x": np.float32(X), "y": 1.0}, "INVALID_ARGUMENT"),
        ("counted", {"count": np.int32(4)}, "INVALID_ARGUMENT"),
        # As the real server has it, though over REST it says INVALID_ARGUMENT.
        ("nothing", {"x": np.float32(X)}, "FAILED_PRECONDITION"),
    ],
)
def test_malformed_grpc_requests(served, signature, inputs, code):
    with pytest.raises(grpc.RpcError) as error:
        grpc_predict(served[1], signature, **inputs)
    assert error.value.code().name == code
    assert error.value.details()
    assert_well(served)


def test_broken_tensor_and_unknown_model_over_grpc(served):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "example"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.float32(X)))
    request.inputs["x"].tensor_content = b"short"
    with pytest.raises(grpc.RpcError) as error:
        served[1].Predict(request, timeout=60)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    request.model_spec.name = "nothing"
    with pytest.raises(grpc.RpcError) as error:
        served[1].Predict(request, timeout=60)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert_well(served)


def test_a_model_that_does_not_load_is_told(tmp_path):
    (tmp_path / "broken" / "1").mkdir(parents=True)
    (tmp_path / "broken" / "1" / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match="version 1 of model broken"), running_server(tmp_path):
        pass
