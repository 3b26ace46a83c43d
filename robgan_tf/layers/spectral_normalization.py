"""Spectral normalization of a layer's kernel (Miyato et al., ICLR 2018).

The normalized kernel is a differentiable function of the stored one, kernel / sigma;
nothing is assigned to the kernel. sigma = v^T W u, where W is the kernel as a matrix whose
columns belong to its last axis, and u, v are constants in the gradient. So the gradient is
that of the paper, orthogonal to the kernel, which the wrappers of Keras and TensorFlow Addons
(which overwrite the kernel) do not give.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.keras_versions import (
    Variable,
    call_as_stored,
    call_with_value,
    is_floating_variable,
    traced_output_spec,
)
from robgan_tf.layers.convolution import Convolution2D, PreparedKernel
from robgan_tf.layers.eager import outside_graphs
from robgan_tf.layers.held_kernels import held_kernel, held_kernels, hold
from robgan_tf.layers.overwriting_wrappers import OverwritesKernel, overwriting_wrapper
from robgan_tf.layers.restored_wrapper import RestoredWrapper
from robgan_tf.typing import Shape

_SMALLEST_NORM = 1e-12


@keras.utils.register_keras_serializable(package="robgan_tf")
class SpectralNormalization(RestoredWrapper, keras.layers.Wrapper):
    """Divides the kernel of the wrapped layer by its largest singular value.

    It takes the place of `keras.layers.SpectralNormalization` around any layer, under any dtype
    policy and wherever it is called first. The layer is called as ever, but reads the normalized
    kernel, and what it returns is returned as it is: Keras's wrapper casts to the type of the
    inputs, which rounds the rows of an embedding to whole numbers.

    u starts as the leading singular vector of the initial kernel, so sigma is right from the
    first call on. A call with `training=True` advances u by `power_iterations` steps of the
    power method; a call with `training=False` (an attack, inference) leaves it alone. Both use
    the normalized kernel. Inside `hold_normalized_kernels` u is left alone too. u is a function
    of the kernel, which replicas share, so it stays identical on all of them.

    The matrix of a kernel is `reshape(kernel, [-1, last axis])`. For a transposed convolution
    that is the matrix of the convolution it is the adjoint of, which has the same singular
    values.

    Args:
      layer: a Dense, Conv1D/2D/3D, Conv2DTranspose or Embedding layer.
      power_iterations: steps of the power method in each advance, at least 1.

    Raises:
      ValueError: if `power_iterations` is below 1 or `layer` is of another kind.
    """

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        # Inputs reach the wrapped layer as they are, bfloat16 or not.
        super().__init__(layer, autocast=False, **kwargs)
        if power_iterations < 1:
            raise ValueError(f"power_iterations must be at least 1, got {power_iterations}")
        self.power_iterations = power_iterations

    @override
    def build(self, input_shape: Shape | None = None) -> None:
        # The start of u is a function of that of the kernel.
        with outside_graphs():
            super().build(input_shape)
            self.vector_u = self.add_weight(
                name="vector_u",
                shape=(self.kernel.shape[-1],),
                initializer=self._leading_singular_vector,
                dtype=self._working_dtype,
                trainable=False,
            )

    @property
    def kernel(self) -> Variable:
        """The stored kernel, or the table of an embedding: what is trained."""
        names = ["kernel", "embeddings"]
        if isinstance(self.layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)):
            names.append("depthwise_kernel")  # As Keras 2 calls it; a separable layer has two.
        for name in names:
            variable = getattr(self.layer, name, None)
            if is_floating_variable(variable):
                return variable
        raise ValueError(
            "SpectralNormalization wraps layers that have a floating variable `kernel` or "
            f"`embeddings` once they are built; {type(self.layer).__name__} has neither"
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Applies the layer with its normalized kernel.

        Args:
          inputs: what the wrapped layer takes.
          training: whether to advance u first.

        Returns:
          What the wrapped layer returns.
        """
        if tf.convert_to_tensor(self.vector_u).dtype != self._working_dtype:
            # Under a mixed policy, a first call or one past `__call__`, as TimeDistributed makes,
            # reads variables in half precision.
            return call_as_stored(self, inputs, training=training)
        kernel = held_kernel(self)
        if kernel is None:
            if training:
                self.advance()
            kernel = self.prepared_kernel()
        if isinstance(kernel, PreparedKernel):
            return self.layer.apply_prepared(inputs, kernel)
        if self._is_plain_dense(inputs):
            return _dense(self.layer, inputs, kernel)
        return self._apply(inputs, kernel)

    @override
    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.compute_output_shape(input_shape)

    @override
    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # Traced, since the wrapped layer may return another type than its policy says.
        return traced_output_spec(self, *args, **kwargs)

    def advance(self) -> None:
        """Moves u by `power_iterations` steps of the power method on the present kernel."""
        # u is a constant in gradients: a tape around must not prepare for one.
        matrix = tf.stop_gradient(self._matrix())
        u = _power_method(matrix, self._column_u(), self.power_iterations)
        self.vector_u.assign(tf.reshape(u, self.vector_u.shape))

    def sigma(self) -> tf.Tensor:
        """Returns the present estimate of the kernel's largest singular value, a scalar.

        Differentiable with respect to the kernel; u and v are constants.
        """
        matrix = self._matrix()
        u = tf.stop_gradient(self._column_u())
        v = tf.stop_gradient(_normalize(tf.matmul(matrix, u)))
        return tf.reshape(tf.matmul(v, tf.matmul(matrix, u), transpose_a=True), [])

    def normalized_kernel(self) -> tf.Tensor:
        """Returns kernel / sigma, of the kernel's shape: the kernel that calls use."""
        kernel = self._working_kernel()
        normalized = kernel / tf.maximum(self.sigma(), _SMALLEST_NORM)
        return tf.cast(normalized, self.layer.variable_dtype)

    def prepared_kernel(self) -> tf.Tensor | PreparedKernel:
        """Returns the normalized kernel in the form the wrapped layer convolves with."""
        kernel = self.normalized_kernel()
        # A regularizer of activities is applied by the layer's own call only.
        if isinstance(self.layer, Convolution2D) and self.layer.activity_regularizer is None:
            return self.layer.prepare(kernel)
        return kernel

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}

    def _is_plain_dense(self, inputs: tf.Tensor) -> bool:
        """Whether the wrapped layer is a Dense that would cast nothing and add no loss."""
        layer = self.layer
        return (
            type(layer) is keras.layers.Dense
            and layer.activity_regularizer is None
            and layer.compute_dtype == layer.variable_dtype == tf.as_dtype(inputs.dtype).name
        )

    def _apply(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Calls the wrapped layer, to which its kernel's value is another."""
        outputs, losses = call_with_value(self.layer, self.kernel, kernel, inputs)
        for loss in losses:
            self.add_loss(loss)
        return outputs

    @property
    def _working_dtype(self) -> str:
        dtype = self.layer.variable_dtype
        return "float32" if tf.as_dtype(dtype).size < tf.float32.size else dtype

    def _working_kernel(self) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(self.kernel), self._working_dtype)

    def _matrix(self) -> tf.Tensor:
        kernel = self._working_kernel()
        return tf.reshape(kernel, [-1, kernel.shape[-1]])

    def _column_u(self) -> tf.Tensor:
        """The column u as a matrix: products with it need no changes of shape in between."""
        return tf.reshape(tf.convert_to_tensor(self.vector_u), [-1, 1])

    def _leading_singular_vector(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """Initializer of u: the right singular vector of the initial kernel, by eigh."""
        # Keras also calls it within graphs, for the shape alone.
        with outside_graphs():
            matrix = np.asarray(self._matrix(), dtype=np.float64)
            _, vectors = np.linalg.eigh(matrix.T @ matrix)
            return tf.reshape(tf.constant(vectors[:, -1], dtype=dtype), shape)


def spectrally_normalized(
    layer: keras.layers.Layer, normalization: str, power_iterations: int
) -> keras.layers.Layer:
    """Wraps a layer.

    Args:
      layer: a Dense or convolutional layer.
      normalization: "spectral", this package's, or "keras_spectral" or "tfa_spectral", which
        overwrite the kernel (`layers.overwriting_wrappers`).
      power_iterations: steps of the power method in each advance, at least 1.

    Raises:
      ValueError: if the wrapper cannot be had with this version of TensorFlow.
    """
    if normalization == "spectral":
        return SpectralNormalization(layer, power_iterations, name=layer.name)
    return overwriting_wrapper(normalization)(layer, power_iterations, name=layer.name)


@contextlib.contextmanager
def hold_normalized_kernels(
    model: keras.Model | keras.layers.Layer, advance: bool = False
) -> Iterator[list[SpectralNormalization | OverwritesKernel]]:
    """Computes all normalized kernels of a model once, for every call inside the block.

    One D update attacks and then differentiates D: inside this block both use the same kernels;
    each sigma is computed once, each kernel prepared once. Enter it inside the gradient tape that
    should see the kernels. Only calls from the same thread (the same replica) are affected.

    Args:
      model: a Keras model or layer whose SpectralNormalization layers are built.
      advance: whether to advance each u once, before its kernel is computed.

    Yields:
      The list of the model's SpectralNormalization layers.
    """
    layers = spectral_normalization_layers(model)
    outer = held_kernels()
    held = dict(outer)
    for layer in layers:
        if advance:
            layer.advance()
        held[id(layer)] = layer.prepared_kernel()
    hold(held)
    try:
        yield layers
    finally:
        hold(outer)


def spectral_normalization_layers(
    model: keras.Model | keras.layers.Layer,
) -> list[SpectralNormalization | OverwritesKernel]:
    """Returns every layer that normalizes spectrally inside a Keras model or layer, as a list."""
    kinds = (SpectralNormalization, OverwritesKernel)
    return [layer for layer in model._flatten_layers() if isinstance(layer, kinds)]


# Its own function, so that a training step of many updates holds one copy for each shape.
@tf.function(autograph=False)
def _power_method(matrix: tf.Tensor, u: tf.Tensor, iterations: int) -> tf.Tensor:
    """Makes u <- (W^T W)^iterations u, normalized; u is a column.

    Many iterations cost little: the powers of W^T W are squared, so that k iterations take
    log2(k) small products.
    """
    if iterations == 1:
        v = _normalize(tf.matmul(matrix, u))
        return _normalize(tf.matmul(matrix, v, transpose_a=True))
    power = _normalize(tf.matmul(matrix, matrix, transpose_a=True))
    while iterations:
        if iterations % 2:
            u = _normalize(tf.matmul(power, u))
        iterations //= 2
        if iterations:
            power = _normalize(tf.matmul(power, power))
    return u


def _normalize(values: tf.Tensor) -> tf.Tensor:
    # As tf.norm computes it, which takes thrice as long to trace.
    norm = tf.sqrt(tf.reduce_sum(values * values))
    return values / tf.maximum(norm, _SMALLEST_NORM)


def _dense(layer: keras.layers.Dense, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    # Keras's own call lets product and bias be fused into one operation, which rounds otherwise:
    # runs of earlier versions would not go on to the same digits.
    outputs = tf.tensordot(inputs, kernel, axes=1)
    if layer.use_bias:
        outputs = outputs + tf.convert_to_tensor(layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)
