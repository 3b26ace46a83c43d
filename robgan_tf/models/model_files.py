"""Model files of strangers: Keras files, which are data, and SavedModels, which are programs."""

import io
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
# Keras 2's layers of a single TensorFlow operation; of these groups, none reads or writes a file.
_OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
_PURE_OPERATIONS = ("math.", "nn.", "__operators__.")
_CONFIG = "config.json"
_WEIGHTS = "model.weights.h5"
_MOST_CONFIG_BYTES = 2**26
# A dataset of more bytes than both of these is there to fill memory.
_SMALL_BYTES = 2**30
_MOST_EXPANSION = 100


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
    that this process has registered with Keras; Keras's safe mode is on besides. Its weights must
    lie in the file itself: only Keras 3.15 and later look at that, and TensorFlow 2.15 has 2.15.

    Args:
      path: of a .keras or .h5 file.

    Raises:
      ValueError: if it cannot be loaded, or names anything else.
    """
    path = pathlib.Path(path)
    try:
        for entry in _entries(_config_of(path)):
            _check_entry(entry)
        _check_weights(path)
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


def _check_weights(path: pathlib.Path) -> None:
    """Refuses weights that are another file's, or that claim to be far larger than the file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if _WEIGHTS not in archive.namelist():
                return
            size = archive.getinfo(_WEIGHTS).file_size
            if size > max(_SMALL_BYTES, _MOST_EXPANSION * path.stat().st_size):
                raise ValueError(f"its {_WEIGHTS} would have {size} bytes")
            with archive.open(_WEIGHTS) as member, h5py.File(io.BytesIO(member.read())) as file:
                _check_group(file, size)
    elif h5py.is_hdf5(path):
        with h5py.File(path) as file:
            _check_group(file, path.stat().st_size)


def _check_group(file: h5py.Group, size: int) -> None:
    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop()
        if hash(group.id) in seen:
            continue
        seen.add(hash(group.id))
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"its weights {name} are a link")
            member = group[name]
            if isinstance(member, h5py.Group):
                waiting.append(member)
            elif isinstance(member, h5py.Dataset):
                _check_dataset(member, size)


def _check_dataset(dataset: h5py.Dataset, size: int) -> None:
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"its weights {dataset.name} lie in another file")
    if dataset.nbytes > max(_SMALL_BYTES, _MOST_EXPANSION * size):
        raise ValueError(f"its weights {dataset.name} would have {dataset.nbytes} bytes")


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
    if name in _OPERATION_LAYERS:
        operation = (entry.get("config") or {}).get("function")
        if not str(operation).startswith(_PURE_OPERATIONS):
            raise ValueError(
                f"it has a {name} of {operation}, and an operation may be a program: save the "
                "model without it"
            )
    if name is None or module is None or module == "builtins":
        return
    of_function = entry.get("config") if name == "function" else name
    names = (str(entry.get("registered_name")), str(of_function))
    if any(keras.saving.get_registered_object(known) is not None for known in names):
        return
    parts = str(module).removeprefix("keras.src.").removeprefix("keras.").split(".")
    is_keras = str(module).startswith("keras.")
    # Keras 2 names the place of its functional models.
    is_functional = parts == ["engine", "functional"] and name == "Functional"
    is_layer = parts[0] == "applications" and of_function in _APPLICATION_LAYERS
    if module != "keras" and not (is_keras and (parts[0] in _PARTS or is_layer or is_functional)):
        raise ValueError(
            f"it names {module}.{of_function}, which is nothing of Keras that a network is made "
            "of; a class of your own is registered with Keras by an --extension"
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, ValueError):
        return shortened(" ".join(str(error).split()))
    return one_line(error)
