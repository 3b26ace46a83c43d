"""Compares what a server answers with the exported model in this process."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object
from robgan_tf.models.model_files import load_saved_model
from robgan_tf.serving.examples import example_inputs
from robgan_tf.serving.versions import versions
from robgan_tf.typing import JsonObject, PathLike

TOLERANCE = 1e-5
LEVELS = 1  # of uint8 outputs, where rounding may fall either way


# Calls a model: from its name, a signature's name and inputs by name to outputs by name.
Predict = Callable[[str, str, dict[str, np.ndarray]], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class CheckedSignature:
    """One signature over one way to call it.

    Attributes:
      model: name of the model.
      signature: name of the signature.
      transport: how it was called.
      difference: the largest of any float output, relative to the largest value but at least 1.
      equal: whether all outputs are equal within the tolerances.
    """

    model: str
    signature: str
    transport: str
    difference: float
    equal: bool


class LocalModel:
    """The newest version of an exported model, in this process.

    Args:
      directory: `<export_dir>/<name>`.

    Raises:
      UserError: if there is no version.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self.name = directory.name
        found = versions(directory)
        if not found:
            raise UserError(f"{directory} holds no exported version (--export_dir)")
        path = directory / str(found[-1])
        self.card = _read_card(path / "assets" / "model_card.json")
        try:
            self._loaded = load_saved_model(path)
        except ValueError as error:
            raise UserError(f"{path} cannot be loaded: {error} (--export_dir)") from error

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Calls a signature; dict from input or output name to array."""
        tensors = {
            name: tf.constant(values.tolist() if values.dtype == object else values)
            for name, values in inputs.items()
        }
        outputs = self._loaded.signatures[signature](**tensors)
        return {name: value.numpy() for name, value in outputs.items()}


def _read_card(path: pathlib.Path) -> JsonObject:
    card = read_object(path, "export the run again (--export_dir)")
    if not card.get("signatures"):
        raise UserError(f"{path} names no signature: export the run again (--export_dir)")
    return card


def exported_models(export_dir: PathLike) -> list[LocalModel]:
    """The LocalModels below an export directory.

    Raises:
      UserError: if there is none.
    """
    directories = sorted(
        path
        for path in pathlib.Path(export_dir).glob("*")
        # Beside them there may be ONNX models, which no server of TensorFlow's loads.
        if versions(path) and (path / str(versions(path)[-1]) / "saved_model.pb").exists()
    )
    if not directories:
        raise UserError(f"{export_dir} holds no exported model (--export_dir)")
    return [LocalModel(path) for path in directories]


def compare(
    model: LocalModel, transports: Mapping[str, Predict], count: int = 3
) -> list[CheckedSignature]:
    """Calls every signature of a model in every way.

    Args:
      model: a LocalModel.
      transports: dict from a name to a function of (model, signature, inputs).
      count: images in each request.

    Returns:
      List of CheckedSignature.
    """
    comparisons = []
    for signature in [*model.card["signatures"], "serving_default"]:
        described = next(iter(model.card["signatures"]))
        described = described if signature == "serving_default" else signature
        inputs = example_inputs(model.card, described, count)
        expected = model.predict(signature, inputs)
        for transport, predict in transports.items():
            answer = predict(model.name, signature, inputs)
            difference, equal = _difference(expected, answer)
            comparisons.append(
                CheckedSignature(model.name, signature, transport, difference, equal)
            )
    return comparisons


def _difference(
    expected: Mapping[str, np.ndarray], answer: Mapping[str, np.ndarray]
) -> tuple[float, bool]:
    if set(expected) != set(answer):
        return float("inf"), False
    largest, equal = 0.0, True
    for name, values in expected.items():
        given = np.asarray(answer[name])
        if given.shape != values.shape:
            return float("inf"), False
        if values.dtype.kind == "f":
            scale = max(1.0, float(np.abs(values).max()))
            apart = float(np.abs(given.astype(np.float64) - values).max()) / scale
            largest, equal = max(largest, apart), equal and apart <= TOLERANCE
        elif values.dtype == np.uint8:
            equal = equal and np.abs(given.astype(int) - values).max() <= LEVELS
        else:
            texts = [np.array([_text(x) for x in array.ravel()]) for array in (given, values)]
            equal = equal and bool((texts[0] == texts[1]).all())
    return largest, bool(equal)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
