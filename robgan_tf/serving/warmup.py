"""Warm-up requests, which a server replays when it loads a model, before the first user waits."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from robgan_tf.serving.examples import example_inputs

FILE_NAME = "tf_serving_warmup_requests"


def write_warmup_requests(directory, card):
    """Writes a TFRecord of PredictionLog, one request for each signature.

    Args:
      directory: `assets.extra` of the SavedModel; created.
      card: the model card.
    """
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


def predict_request(model, signature, inputs):
    """Builds a PredictRequest.

    Args:
      model: name of the model.
      signature: name of the signature.
      inputs: dict from input name to array.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.asarray(values)))
    return request
