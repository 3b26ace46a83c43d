"""The gRPC and REST surfaces of TensorFlow Serving over models loaded through the C API.

To be imported only in the process of `loopback_server`, which makes the message classes
importable without TensorFlow itself.
"""

import functools
import http.server
import inspect
import json
import pathlib
import re
import sys
import traceback
from concurrent import futures
from typing import NamedTuple

import grpc
from google.protobuf import json_format
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import rest_json
from tools.serving_c import c_api
from tools.serving_c.c_api import INVALID_ARGUMENT, NOT_FOUND, TensorFlowError
from tools.serving_c.c_loader import LoadedModel

HOST = "127.0.0.1"
THREADS = 8
MAX_BODY = 64 * 2**20
IDLE_SECONDS = 60
# The real server cuts messages of errors, as gRPC sends them in headers of limited size.
MAX_GRPC_MESSAGE = 1024
SIGNATURES = "signature_def"
GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}
# By code of TensorFlow; every other one is 500.
HTTP_STATUS = {1: 499, 3: 400, 4: 504, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400}
HTTP_STATUS |= {12: 501, 14: 503, 16: 401}
# The field of a TensorProto that holds the values of a type.
VALUE_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int32": "int_val",
    "uint8": "int_val",
    "int64": "int64_val",
    "bool": "bool_val",
    "string": "string_val",
}
MODEL_PATH = r"/v1/models/([^/:]+)(?:/versions/(\d+))?"
PREDICT = re.compile(MODEL_PATH + ":predict", re.IGNORECASE)
STATUS = re.compile(MODEL_PATH, re.IGNORECASE)
METADATA = re.compile(MODEL_PATH + "/metadata", re.IGNORECASE)


class Served(NamedTuple):
    """A model that is served."""

    name: str
    version: int
    model: LoadedModel


class Models:
    """The highest version of every model in a folder."""

    def __init__(self, base_dir):
        """Loads them.

        Args:
          base_dir: folder with <name>/<integer version>/saved_model.pb.
        """
        self._served = {}
        for folder in sorted(pathlib.Path(base_dir).iterdir()):
            versions = [int(each.name) for each in folder.glob("*") if each.name.isdecimal()]
            if versions:
                self._served[folder.name] = _load(folder, max(versions))

    def find(self, name, version=None):
        """Returns what is served under a name, or raises NOT_FOUND."""
        served = self._served.get(name)
        if served is None or version not in (None, served.version):
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise TensorFlowError(NOT_FOUND, f"Servable not found for request: {asked}")
        return served


def start_grpc(models):
    """Starts the gRPC server; returns it and its port."""
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(THREADS), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(models), server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    return server, port


def make_rest(models):
    """Returns the REST server, which is still to be told to serve."""
    return _Server((HOST, 0), functools.partial(_Handler, models))


def _method(function):
    """A method of the gRPC service whose TensorFlowError becomes the status of the call."""

    @functools.wraps(function)
    def method(self, request, context):
        try:
            return function(self, request)
        except TensorFlowError as error:
            context.abort(GRPC_CODES[error.code], error.message[:MAX_GRPC_MESSAGE])

    return method


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED."""

    def __init__(self, models):
        self._models = models

    @_method
    def Predict(self, request):  # noqa: N802
        served = self._find(request.model_spec)
        signature = request.model_spec.signature_name or rest_json.DEFAULT_SIGNATURE
        # Inputs stay messages, which TensorFlow checks and reads by itself.
        inputs = {name: proto.SerializeToString() for name, proto in request.inputs.items()}
        outputs = served.model.run(signature, inputs, list(request.output_filter))
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, served)
        response.model_spec.signature_name = signature
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(_tensor_proto(array))
        return response

    @_method
    def GetModelMetadata(self, request):  # noqa: N802
        if list(request.metadata_field) != [SIGNATURES]:
            message = f"metadata_field must be {SIGNATURES!r}: {list(request.metadata_field)}"
            raise TensorFlowError(INVALID_ARGUMENT, message)
        served = self._find(request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _fill_spec(response.model_spec, served)
        response.metadata[SIGNATURES].Pack(_signature_map(served.model))
        return response

    def _find(self, spec):
        if not spec.name:
            raise TensorFlowError(INVALID_ARGUMENT, "Missing ModelSpec")
        if spec.version_label:
            message = f"Unrecognized servable version label: {spec.version_label}"
            raise TensorFlowError(INVALID_ARGUMENT, message)
        version = spec.version.value if spec.HasField("version") else None
        return self._models.find(spec.name, version)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Says nothing of clients that hang up."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    # A response goes out at once, not its headers first and the rest after an acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(self, models, *arguments):
        self._models = models
        super().__init__(*arguments)

    def do_GET(self):
        if match := METADATA.fullmatch(self.path):
            self._answer(lambda: _metadata_json(self._find(match)))
        elif match := STATUS.fullmatch(self.path):
            self._answer(lambda: _status_json(self._find(match)))
        else:
            self._answer(self._malformed)

    def do_POST(self):
        body = self._body()
        if body is None:
            return
        if match := PREDICT.fullmatch(self.path):
            self._answer(lambda: _predict(self._find(match), body))
        else:
            self._answer(self._malformed)

    def log_message(self, *_):
        """Requests are not logged."""

    def _find(self, match):
        name, version = match.groups()
        return self._models.find(name, None if version is None else int(version))

    def _body(self):
        """The body of a request; None where it was answered already."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(400, "a Content-Length is required")
        elif int(length) > MAX_BODY:
            self._refuse(413, f"the body is larger than {MAX_BODY} bytes")
        else:
            return self.rfile.read(int(length))
        return None

    def _refuse(self, status, message):
        # What follows on this connection may be the body that was not read.
        self.close_connection = True
        self._send(status, _error_json(message))

    def _malformed(self):
        message = f"Malformed request: {self.command} {self.path}"
        code = INVALID_ARGUMENT if self.path.startswith("/v1/") else NOT_FOUND
        raise TensorFlowError(code, message)

    def _answer(self, compute):
        try:
            status, content = 200, compute()
        except TensorFlowError as error:
            status, content = HTTP_STATUS.get(error.code, 500), _error_json(error.message)
        except Exception as error:
            # A fault of this stand-in; other requests are to be served all the same.
            traceback.print_exc(file=sys.stderr)
            status, content = 500, _error_json(f"{type(error).__name__}: {error}")
        self._send(status, content)

    def _send(self, status, content):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _load(folder, version):
    try:
        return Served(folder.name, version, LoadedModel(folder / str(version)))
    except TensorFlowError as error:
        error.add_note(f"from version {version} of model {folder.name}")
        raise


def _predict(served, body):
    request = rest_json.parse(body, served.model.signatures)
    outputs = served.model.run(request.signature, request.inputs)
    return rest_json.write(outputs, request.row)


def _status_json(served):
    response = get_model_status_pb2.GetModelStatusResponse()
    status = response.model_version_status.add(version=served.version)
    status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    status.status.SetInParent()
    return json.dumps(_message_dict(response)).encode()


def _metadata_json(served):
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    _fill_spec(response.model_spec, served)
    signatures = _message_dict(_signature_map(served.model))
    document = {"model_spec": _message_dict(response.model_spec)}
    return json.dumps({**document, "metadata": {SIGNATURES: signatures}}).encode()


def _message_dict(message):
    names = inspect.signature(json_format.MessageToDict).parameters
    # As protobuf calls it since 26, and before.
    both = ("always_print_fields_with_no_presence", "including_default_value_fields")
    (empty_too,) = [name for name in both if name in names]
    options = {"preserving_proto_field_name": True, empty_too: True}
    return json_format.MessageToDict(message, **options)


def _error_json(message):
    return json.dumps({"error": message}).encode()


def _fill_spec(spec, served):
    spec.name = served.name
    spec.version.value = served.version


def _signature_map(model):
    signatures = get_model_metadata_pb2.SignatureDefMap()
    meta_graph = meta_graph_pb2.MetaGraphDef.FromString(model.meta_graph)
    for name, signature in meta_graph.signature_def.items():
        signatures.signature_def[name].CopyFrom(signature)
    return signatures


def _tensor_proto(array):
    """A TensorProto with its values in the field of their type, as the real server sends them."""
    dtype = "string" if array.dtype == object else array.dtype.name
    proto = tensor_pb2.TensorProto(dtype=c_api.DTYPES[dtype])
    # Without dimensions too, a shape that is set says that the tensor is a scalar.
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, VALUE_FIELDS[dtype]).extend(array.ravel().tolist())
    return proto
