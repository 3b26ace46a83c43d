"""Model files of strangers: Keras files, which are data, and SavedModels, which are programs."""

import json
import pathlib
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import keras
import tensorflow as tf

from robgan_tf.errors import one_line, shortened
from robgan_tf.programs import announce_program
from robgan_tf.typing import PathLike

# Parts of Keras that hold what networks are made of; others load files, fetch URLs or change
# Keras itself.
_PARTS = (
    "activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics",
    "models", "ops", "optimizers", "quantizers", "random", "regularizers",
)  # fmt: skip
# Layers that lie beside functions which fetch weights: of ConvNeXt and Inception-ResNet.
_APPLICATION_LAYERS = ("LayerScale", "StochasticDepth", "CustomScaleLayer")
# What holds a program, or the path of a file to read.
_PROGRAMS = (
    "Lambda", "__lambda__", "__typespec__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer",
    "FlaxLayer", "StringLookup", "IntegerLookup", "TextVectorization",
)  # fmt: skip
_CONFIG = "config.json"
_MOST_CONFIG_BYTES = 2**26


def load_saved_model(path: PathLike) -> Any:
    """Loads a SavedModel and says that it is a program: its operations may read and write files.

    Raises:
      ValueError: if it cannot be loaded.
    """
    announce_program("SavedModel", path)
    try:
        return tf.saved_model.load(str(path))
    # There is no end to what a damaged file makes of TensorFlow's reader.
    except Exception as error:
        raise ValueError(_reason(error)) from error


def load_keras_file(path: PathLike) -> keras.Model:
    """Loads a Keras model file without running anything that it brings.

    Of classes and functions a file may name those of Keras that networks are made of, and those
    that this process has registered with Keras; Keras's safe mode is on besides.

    Args:
      path: of a .keras or .h5 file.

    Raises:
      ValueError: if it cannot be loaded, or names anything else.
    """
    path = pathlib.Path(path)
    try:
        for entry in _entries(_config_of(path)):
            _check_entry(entry)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # As above.
        raise ValueError(_reason(error)) from error


def _config_of(path: pathlib.Path) -> Any:
    """The configuration in a file; None in one of neither kind, which Keras refuses."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(_CONFIG).file_size
            if size > _MOST_CONFIG_BYTES:
                raise ValueError(f"its {_CONFIG} would have {size} bytes")
            return json.loads(archive.read(_CONFIG))
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            text = file.attrs.get("model_config", "null")
        return json.loads(text)
    return None


def _entries(config: Any) -> Iterator[dict[str, Any]]:
    """All dicts in a configuration, however deep."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
        if isinstance(value, (dict, list)):
            waiting += value.values() if isinstance(value, dict) else value


def _check_entry(entry: dict[str, Any]) -> None:
    name, module = entry.get("class_name"), entry.get("module")
    if name in _PROGRAMS:
        raise ValueError(
            f"it has a {name}, which holds a program or reads a file: save the model without it"
        )
    if name is None or module is None or module == "builtins":
        return
    of_function = entry.get("config") if name == "function" else name
    names = (str(entry.get("registered_name")), str(of_function))
    if any(keras.saving.get_registered_object(known) is not None for known in names):
        return
    parts = str(module).removeprefix("keras.src.").removeprefix("keras.").split(".")
    is_keras = str(module).startswith("keras.")
    is_layer = parts[0] == "applications" and of_function in _APPLICATION_LAYERS
    if module != "keras" and not (is_keras and (parts[0] in _PARTS or is_layer)):
        raise ValueError(
            f"it names {module}.{of_function}, which is nothing of Keras that a network is made "
            "of; a class of your own is registered with Keras by an --extension"
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, ValueError):
        return shortened(" ".join(str(error).split()))
    return one_line(error)
