"""Warm-up requests, which a server replays when it loads a model, before the first user waits."""

import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.serving import stubs
from robgan_tf.serving.examples import example_inputs
from robgan_tf.typing import JsonObject

FILE_NAME = "tf_serving_warmup_requests"


def write_warmup_requests(directory: pathlib.Path, card: JsonObject) -> None:
    """Writes a TFRecord of PredictionLog, one request for each signature.

    Without the extra `serving` nothing is written, and a line says so: a server works without.

    Args:
      directory: `assets.extra` of the SavedModel; created.
      card: the model card.
    """
    if not stubs.installed():
        print(
            f"{card['name']}: no warm-up requests: they need pip install 'robgan_tf[serving]'",
            file=sys.stderr,
        )
        return
    prediction_log_pb2 = stubs.request_types("prediction_log_pb2")
    directory.mkdir()
    with tf.io.TFRecordWriter(str(directory / FILE_NAME)) as writer:
        for signature in card["signatures"]:
            request = predict_request(
                card["name"], signature, example_inputs(card, signature, count=1)
            )
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def predict_request(model: str, signature: str, inputs: Mapping[str, np.ndarray]) -> Any:
    """Builds a PredictRequest.

    Args:
      model: name of the model.
      signature: name of the signature.
      inputs: dict from input name to array.
    """
    request = stubs.request_types("predict_pb2").PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.asarray(values)))
    return request
