"""SpectralNormalization beside Keras's: layer kinds, dtype policies and places of the first call.

    python -m tools.compare_spectral_normalization RECORD_DIR --policy=float32
    python -m tools.compare_spectral_normalization RECORD_DIR

measures a policy and writes POLICY.json; without a policy, writes table.md from the records there.
A number is the largest difference from the plain layer with its kernel divided by the kernel's
largest singular value, as numpy computes it, in units of the largest output.
"""

import argparse
import functools
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import keras
import numpy as np
import tensorflow as tf

from robgan_tf.layers import SpectralNormalization
from robgan_tf.reporting import markdown

POLICIES = ("float32", "float64", "bfloat16", "float16", "mixed_bfloat16", "mixed_float16")
PLACES = ("eager", "fit", "tf.function")
# The first singular value is far above the others, so that these iterations find it.
POWER_ITERATIONS = 8
_START = {"mean": 0.5, "stddev": 0.1, "seed": 1}


class Case(NamedTuple):
    """A layer that is wrapped.

    Attributes:
      make: makes the layer.
      shape: of a batch of its inputs.
      dtype: of the inputs.
      largest: of integer inputs, the largest plus 1.
    """

    make: Callable[[], keras.layers.Layer]
    shape: tuple[int, ...]
    dtype: str = "float32"
    largest: int = 9

    def inputs(self) -> np.ndarray:
        """A batch of inputs."""
        random = np.random.default_rng(2)
        if np.issubdtype(self.dtype, np.integer):
            return random.integers(0, self.largest, self.shape).astype(self.dtype)
        return random.uniform(-1.0, 1.0, self.shape).astype(self.dtype)


class OwnLayer(keras.layers.Layer):
    """A layer as a user may write it: a kernel, a sum of its calls and a loss."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the kernel and the counter."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], 5), initializer=_initializer()
        )
        self.calls = self.add_weight(
            name="calls", shape=(), initializer="zeros", dtype="int32", trainable=False
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Multiplies by the kernel and counts."""
        self.calls.assign(self.calls + 1)
        return tf.matmul(inputs, self.kernel)


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(**_START)


def _cases() -> dict[str, Case]:
    layers = keras.layers

    def of(kind: Any, *arguments: Any, start_of: str = "kernel", **options: Any) -> Any:
        return lambda: kind(*arguments, **{f"{start_of}_initializer": _initializer()}, **options)

    def depthwise(kind: Any) -> Any:
        return of(kind, 3, start_of="depthwise", depth_multiplier=3)

    dense = of(layers.Dense, 5)
    table = of(layers.Embedding, 9, 5, start_of="embeddings")
    einsum = of(layers.EinsumDense, "abc,cd->abd", output_shape=(None, 5), bias_axes="d")
    reversible = {}
    if hasattr(layers, "ReversibleEmbedding"):  # Of Keras 3 alone.
        reversible["ReversibleEmbedding of int32"] = Case(
            of(layers.ReversibleEmbedding, 9, 5, start_of="embeddings"), (4, 3), "int32"
        )
    return {
        "Dense": Case(dense, (4, 6)),
        "Dense on rows, ReLU": Case(of(layers.Dense, 5, activation="relu"), (2, 4, 6)),
        "Dense of float64": Case(dense, (4, 6), "float64"),
        "Dense of int32": Case(dense, (4, 6), "int32"),
        "EinsumDense": Case(einsum, (2, 3, 6)),
        "Embedding of int32": Case(table, (4, 3), "int32"),
        **reversible,
        "Conv1D": Case(of(layers.Conv1D, 5, 3), (2, 8, 4)),
        "Conv1D, causal": Case(
            of(layers.Conv1D, 5, 3, padding="causal", dilation_rate=2), (2, 8, 4)
        ),
        "Conv2D": Case(of(layers.Conv2D, 5, 3, strides=2, padding="same"), (2, 8, 8, 4)),
        "Conv2D, groups": Case(of(layers.Conv2D, 6, 3, groups=2, dilation_rate=2), (2, 8, 8, 4)),
        "Conv2D of float64": Case(of(layers.Conv2D, 5, 3), (2, 8, 8, 4), "float64"),
        "Conv3D": Case(of(layers.Conv3D, 5, 2), (2, 4, 4, 4, 3)),
        "Conv1DTranspose": Case(
            of(layers.Conv1DTranspose, 5, 3, strides=2, padding="same"), (2, 8, 4)
        ),
        "Conv2DTranspose": Case(
            of(layers.Conv2DTranspose, 5, 3, strides=2, output_padding=1), (2, 4, 4, 4)
        ),
        "Conv3DTranspose": Case(of(layers.Conv3DTranspose, 5, 2), (2, 3, 3, 3, 4)),
        "DepthwiseConv1D": Case(depthwise(layers.DepthwiseConv1D), (2, 8, 4)),
        "DepthwiseConv2D": Case(depthwise(layers.DepthwiseConv2D), (2, 8, 8, 4)),
        "a layer of one's own": Case(OwnLayer, (4, 6)),
    }


CASES = _cases()
WRAPPERS = {"robgan_tf": SpectralNormalization, "Keras": keras.layers.SpectralNormalization}


def first_call(case: Case, wrapper: type[keras.layers.Wrapper], in_graph: bool) -> tf.Tensor:
    """Makes the first call of a wrapped layer.

    Args:
      case: the layer.
      wrapper: the class of the wrapper.
      in_graph: whether the call is within `tf.function`.

    Returns:
      What it gives.

    Raises:
      Exception: whatever the call raises.
    """
    inputs, layer = case.inputs(), wrapper(case.make(), POWER_ITERATIONS)

    def call(values: Any) -> tf.Tensor:
        return layer(values, training=True)

    return (tf.function(call) if in_graph else call)(inputs)


def fitted(
    names: Sequence[str], wrapper: type[keras.layers.Wrapper], learning_rate: float = 0.0
) -> dict[str, float | str]:
    """Makes the first calls of wrapped layers inside `fit` of a model that nothing has built.

    Args:
      names: of the cases; where the model of all fails, each half is tried alone.
      wrapper: the class of the wrapper.
      learning_rate: of gradient descent.

    Returns:
      Dict from name to the largest difference from the reference after `fit`, or to the error.
    """
    model = Averages({name: wrapper(CASES[name].make(), POWER_ITERATIONS) for name in names})
    inputs = {name: CASES[name].inputs()[None] for name in names}
    model.compile(keras.optimizers.SGD(learning_rate), "mean_squared_error")
    try:
        history = model.fit(inputs, np.zeros([1, len(names)]), batch_size=1, verbose=0).history
        if not np.isfinite(history["loss"]).all():
            raise ArithmeticError(f"the loss of fit is {history['loss']}")
    except Exception as error:
        if len(names) == 1:
            return {names[0]: _described(error)}
        half = len(names) // 2
        return fitted(names[:half], wrapper) | fitted(names[half:], wrapper)
    return {
        name: difference(CASES[name], model.wrapped[name](CASES[name].inputs(), training=True))
        for name in names
    }


def difference(case: Case, outputs: tf.Tensor) -> float:
    """The largest difference of outputs from the reference, in units of its largest output."""
    expected = reference(case, keras.mixed_precision.global_policy().name)
    found = np.asarray(outputs, np.float64)
    if found.shape != expected.shape:
        raise ValueError(f"outputs of shape {found.shape}, not {expected.shape}")
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))


@functools.cache
def reference(case: Case, policy: str) -> np.ndarray:
    """What the plain layer gives with its kernel divided by the largest singular value.

    Args:
      case: the layer.
      policy: the name of Keras's dtype policy at present.
    """
    assert policy == keras.mixed_precision.global_policy().name, (
        "a layer takes its policy from Keras"
    )
    plain, inputs = case.make(), case.inputs()
    plain(inputs)
    names = ("kernel", "embeddings", "depthwise_kernel")
    kernel = next(getattr(plain, name) for name in names if hasattr(plain, name))
    values = np.asarray(kernel, np.float64)
    singular = np.linalg.svd(values.reshape(-1, values.shape[-1]), compute_uv=False)
    kernel.assign(values / singular[0])
    return np.asarray(plain(inputs), np.float64)


class Averages(keras.Model):
    """A model that nothing has built: the average of what each of several layers gives."""

    def __init__(self, wrapped: dict[str, keras.layers.Layer]) -> None:
        super().__init__()
        self.wrapped = wrapped

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """[1, layers] averages of batches [1, ...], one for each layer."""
        outputs = (
            layer(inputs[name][0], training=training) for name, layer in self.wrapped.items()
        )
        return tf.stack([tf.reduce_mean(tf.cast(x, "float32")) for x in outputs])[None]


def measure(policy: str) -> dict[str, dict[str, dict[str, float | str]]]:
    """Every case and place under a dtype policy: place -> case -> wrapper -> number or error."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        found = {
            key: {
                "eager": {name: _attempt(case, kind, False) for name, case in CASES.items()},
                "fit": fitted(list(CASES), kind),
                "tf.function": {name: _attempt(case, kind, True) for name, case in CASES.items()},
            }
            for key, kind in WRAPPERS.items()
        }
    finally:
        keras.mixed_precision.set_global_policy(before)
    return {
        place: {name: {key: found[key][place][name] for key in WRAPPERS} for name in CASES}
        for place in PLACES
    }


def _attempt(case: Case, wrapper: type[keras.layers.Wrapper], in_graph: bool) -> float | str:
    try:
        return difference(case, first_call(case, wrapper, in_graph))
    except Exception as error:
        return _described(error)


def _described(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:100]}"


def tables(records: Mapping[str, Any]) -> str:
    """A Markdown table for each place of the first call, of both wrappers."""
    parts = []
    for place in PLACES:
        rows = [
            [name, *(_cell(found[place][name]) for found in records.values())] for name in CASES
        ]
        parts.append("\n".join(markdown.table([f"first call: {place}", *records], rows)))
    return "\n\n".join(parts) + "\n"


def _cell(of_wrappers: Mapping[str, float | str]) -> str:
    return " / ".join(map(_shown, of_wrappers.values()))


def _shown(value: float | str) -> str:
    if isinstance(value, str):
        return "fails"
    return f"{value:.0e}".replace("e-0", "e-") if value else "0"


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record_dir", type=pathlib.Path)
    parser.add_argument("--policy", choices=POLICIES)
    arguments = parser.parse_args()
    folder = arguments.record_dir
    if arguments.policy:
        path = folder / f"{arguments.policy}.json"
        path.write_text(json.dumps(measure(arguments.policy), indent=1) + "\n")
        return
    records = {
        policy: json.loads((folder / f"{policy}.json").read_text())
        for policy in POLICIES
        if (folder / f"{policy}.json").is_file()
    }
    (folder / "table.md").write_text(tables(records))


if __name__ == "__main__":
    main()
