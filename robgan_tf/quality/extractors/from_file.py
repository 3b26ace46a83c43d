"""Extractors that are a user's: a Python function, a SavedModel, a Keras file."""

import functools
import pathlib
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from robgan_tf.errors import UserError, first_line
from robgan_tf.files import tree_digest
from robgan_tf.models.model_files import load_keras_file, load_saved_model
from robgan_tf.programs import load_function
from robgan_tf.quality.extractors.extractor import (
    FeatureExtractor,
    FreeShape,
    ImageShape,
    shown,
)
from robgan_tf.quality.extractors.opened import opened
from robgan_tf.quality.extractors.pipeline import pipeline
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.typing import PathLike

SPECS = (
    "pixels, inception2015:PATH, keras_inceptionv3:WEIGHTS.h5, FILE.py:FUNCTION, or the path of a "
    "SavedModel directory or a .keras or .h5 file"
)


def python_function(
    path: PathLike, function_name: str | None, shape: ImageShape
) -> FeatureExtractor:
    """Opens FILE.py:FUNCTION for images of a shape; see `open_extractor`."""
    function = load_function("Extractor", path, function_name)
    path = pathlib.Path(path)
    name = f"callable-{_file_name(path)}-{function_name}-asis"
    return opened(name, function, shape, identity(path))


def model_file(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    """Opens a SavedModel or a Keras file for images of a shape; see `open_extractor`."""
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"the extractor {path} does not exist; give {SPECS}")
    try:
        network, wanted = (_saved_model if path.is_dir() else _keras_file)(path)
    except ValueError as error:
        raise UserError(
            f"the extractor {path} cannot be loaded: {first_line(error)}; give {SPECS}"
        ) from error
    if len(wanted) != 3 or wanted[0] != wanted[1]:
        raise UserError(
            f"the extractor {path} takes inputs of shape {shown(wanted)}; square images "
            "height x width x channels are needed"
        )
    name = f"{_file_name(path)}-{f'antialias{wanted[0]}' if wanted[0] else 'asis'}"
    call = pipeline(name, network, InputRange(0.0, 255.0), wanted, shape)
    return opened(name, call, shape, identity(path))


def _saved_model(path: pathlib.Path) -> tuple[Callable[[tf.Tensor], Any], FreeShape]:
    """The function of a SavedModel and the shape of an image it takes, None where it is free."""
    loaded = load_saved_model(path)
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ValueError("it has no signature serving_default")
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(f"it takes {', '.join(inputs)}; one tensor of images is needed")
    ((name, spec),) = inputs.items()

    # The variables live no longer than what was loaded, so it is bound to the function.
    def network(images: tf.Tensor, _loaded: Any = loaded) -> Any:
        if spec.dtype.is_integer:
            images = tf.round(images)
        return signature(**{name: tf.saturate_cast(images, spec.dtype)})

    return network, _image_shape(spec.shape)


def _keras_file(path: pathlib.Path) -> tuple[Callable[[tf.Tensor], Any], FreeShape]:
    """A Keras model and the shape of an image it takes, None where it is free."""
    model = load_keras_file(path)
    # A subclassed model may not know its input.
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, (list, dict)):
        raise ValueError("it takes several inputs; one tensor of images is needed")
    return functools.partial(model, training=False), _image_shape(tf.TensorShape(shape))


def _image_shape(shape: tf.TensorShape) -> FreeShape:
    return (None, None, None) if shape.rank is None else tuple(shape[1:])


def identity(path: PathLike) -> str:
    """What identifies the weights in a file or directory, for records."""
    return f"{pathlib.Path(path).name} {tree_digest(path)}"


def _file_name(path: pathlib.Path) -> str:
    """The part of an extractor's name that is of a file or directory."""
    name = path.stem if path.is_file() else path.name
    if name.isdecimal():  # A version of an exported model: its own name is the folder's.
        name = f"{path.resolve().parent.name}_{name}"
    return plain(name)


def plain(text: str) -> str:
    """A part of an extractor's name; it becomes part of names of metrics and files."""
    return re.sub(r"[^\w.-]+", "_", text)
