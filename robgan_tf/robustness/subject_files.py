"""Classifiers in files: SavedModels, Keras and ONNX files, and functions in Python files."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from robgan_tf.adapters.onnx_file import OnnxClassifier
from robgan_tf.errors import UserError, first_line, one_line
from robgan_tf.files import tree_digest
from robgan_tf.models.model_files import load_keras_file, load_saved_model
from robgan_tf.programs import load_function, python_spec
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.subjects import Classifier, foreign_classifier
from robgan_tf.typing import PathLike

ONNX = ".onnx"


def open_classifier(spec: PathLike, input_range: InputRange) -> Classifier:
    """Opens a classifier that is in a file.

    Args:
      spec: directory of a SavedModel; a .keras or .h5 file; an .onnx file; or FILE.py:FUNCTION, of
        which FUNCTION() returns what `foreign_classifier` takes. The first and the last are
        programs, and it is said that they are before they are run.
      input_range: an InputRange.

    Raises:
      UserError: if it cannot be loaded or called.
    """
    python = python_spec(str(spec))
    if python is not None:
        return _of_program(*python, input_range)
    path = pathlib.Path(spec)
    if not path.exists():
        raise UserError(f"model {path} does not exist (--model)")
    model: Any
    try:
        if path.is_dir():
            model = _signature(load_saved_model(path), path)
        elif path.suffix == ONNX:
            model = OnnxClassifier(path)
        else:
            model = functools.partial(load_keras_file(path), training=False)
    except ValueError as error:
        raise UserError(f"model {path} cannot be loaded: {first_line(error)}") from error
    return foreign_classifier(model, path.name, f"{path.name} {tree_digest(path)}", input_range)


def _of_program(path: str, function_name: str | None, input_range: InputRange) -> Classifier:
    make = load_function("Model", path, function_name)
    spec = f"{path}:{function_name}"
    try:
        model = make()
    except UserError:
        raise
    # Whatever a user's program raises is the user's to mend.
    except (Exception, SystemExit) as error:
        raise UserError(f"{spec}() fails: {one_line(error)}") from error
    if model is None:
        raise UserError(f"{spec}() returns nothing; it has to return the model, not to be it")
    name = f"{pathlib.Path(path).name}:{function_name}"
    return foreign_classifier(model, name, f"{name} {tree_digest(path)}", input_range)


def _signature(loaded: Any, path: pathlib.Path) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of a SavedModel that maps one tensor of images to one of logits."""
    signatures = loaded.signatures
    if "serving_default" not in signatures:
        raise UserError(f"model {path} has no signature serving_default")
    chosen = signatures["serving_default"]
    inputs = chosen.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(
            f"the signature serving_default of {path} takes {', '.join(inputs)}; one tensor of "
            "images is needed"
        )
    ((name, _),) = inputs.items()
    outputs = chosen.structured_outputs
    output = "logits" if "logits" in outputs else None
    if output is None and len(outputs) == 1:
        (output,) = outputs
    if output is None:
        raise UserError(
            f"the signature serving_default of {path} gives {', '.join(outputs)}; one output, or "
            "one called logits, is needed"
        )

    # The variables live no longer than what was loaded, so it is bound to the function.
    def logits(images: tf.Tensor, _loaded: Any = loaded) -> tf.Tensor:
        return chosen(**{name: images})[output]

    return logits
