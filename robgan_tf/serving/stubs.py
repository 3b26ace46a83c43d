"""TensorFlow Serving's request types, which are in the extra `serving` of this package.

They come without types, and only warm-up requests and the gRPC client need them.
"""

import importlib
import types

from robgan_tf.errors import UserError


def request_types(module: str) -> types.ModuleType:
    """Imports a module of the stubs.

    Args:
      module: its name in tensorflow_serving.apis, such as "predict_pb2".

    Returns:
      The module.

    Raises:
      UserError: if the stubs are not installed.
    """
    try:
        return importlib.import_module(f"tensorflow_serving.apis.{module}")
    except ImportError as error:
        raise UserError(
            f"this needs TensorFlow Serving's request types ({error}): "
            "pip install 'robgan_tf[serving]'"
        ) from error


def installed() -> bool:
    """Whether the stubs can be imported."""
    try:
        request_types("predict_pb2")
    except UserError:
        return False
    return True
