"""Calls a model server as its users do: over REST and over gRPC with the unmodified stubs."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.serving import stubs
from robgan_tf.serving.warmup import predict_request
from robgan_tf.typing import JsonObject

# A thousand images as JSON or as a tensor are larger than gRPC's default of 4 MiB.
_MOST_BYTES = 256 * 2**20


class RestClient:
    """The REST interface of TensorFlow Serving.

    Args:
      address: host:port.
      timeout: of a request, in seconds.
    """

    def __init__(self, address: str, timeout: float = 60.0) -> None:
        self._address = address
        self._timeout = timeout

    def predict(
        self, model: str, signature: str, inputs: Mapping[str, np.ndarray], columnar: bool = False
    ) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
          model: name of the model.
          signature: name of the signature.
          inputs: dict from input name to array [N, ...].
          columnar: send the inputs as columns instead of one object an image.

        Returns:
          Dict from output name to array [N, ...].

        Raises:
          UserError: if the server cannot be reached or refuses; the message is the server's.
        """
        body: JsonObject = {"signature_name": signature}
        if columnar:
            body["inputs"] = {name: _as_json(values) for name, values in inputs.items()}
            return _columns(self._post(model, body)["outputs"], signature)
        count = len(next(iter(inputs.values())))
        body["instances"] = [
            {name: _as_json(values[number]) for name, values in inputs.items()}
            for number in range(count)
        ]
        rows = self._post(model, body)["predictions"]
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def _post(self, model: str, body: JsonObject) -> Any:
        url = f"http://{self._address}/v1/models/{model}:predict"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise UserError(f"{url} answers {error.code}: {_reason(error)}") from error
        except (urllib.error.URLError, TimeoutError) as error:
            raise UserError(f"{url} cannot be reached: {error}") from error


class GrpcClient:
    """The PredictionService of TensorFlow Serving.

    Args:
      address: host:port.
      timeout: of a request, in seconds.

    Raises:
      UserError: if the extra `serving` is not installed.
    """

    def __init__(self, address: str, timeout: float = 60.0) -> None:
        self._address = address
        self._timeout = timeout
        sizes = ("grpc.max_send_message_length", "grpc.max_receive_message_length")
        channel = grpc.insecure_channel(address, [(name, _MOST_BYTES) for name in sizes])
        service = stubs.request_types("prediction_service_pb2_grpc")
        self._stub = service.PredictionServiceStub(channel)

    def predict(
        self, model: str, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Calls a signature; Args, Returns and Raises are those of `RestClient.predict`."""
        try:
            response = self._stub.Predict(
                predict_request(model, signature, inputs), timeout=self._timeout
            )
        except grpc.RpcError as error:
            raise UserError(
                f"{self._address} answers {error.code().name}: {error.details()}"
            ) from error
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def _as_json(values: Any) -> Any:
    if isinstance(values, bytes):
        return {"b64": base64.b64encode(values).decode()}
    values = np.asarray(values)
    if values.dtype == object:
        return [_as_json(value) for value in values]
    return values.tolist()


def _columns(outputs: Any, signature: str) -> dict[str, np.ndarray]:
    if not isinstance(outputs, dict):
        raise UserError(f"the signature {signature} answers without the names of its outputs")
    return {name: np.array(values) for name, values in outputs.items()}


def _reason(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.strip()
