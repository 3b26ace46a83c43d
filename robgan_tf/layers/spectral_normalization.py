"""Spectral normalization of a layer's kernel (Miyato et al., ICLR 2018).

The normalized kernel is a differentiable function of the stored one, kernel / sigma;
nothing is assigned to the kernel. sigma = v^T W u, where W is the kernel as a matrix whose
columns belong to its last axis, and u, v are constants in the gradient. So the gradient is
that of the paper, orthogonal to the kernel, which the wrappers of Keras and TensorFlow Addons
(which overwrite the kernel) do not give.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers.convolution import Convolution2D, PreparedKernel
from robgan_tf.typing import Shape

_SMALLEST_NORM = 1e-12
_held = threading.local()


@keras.utils.register_keras_serializable(package="robgan_tf")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides the kernel of the wrapped layer by its largest singular value.

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
        if not isinstance(layer, _APPLICABLE):
            raise ValueError(
                "SpectralNormalization wraps Dense, convolution, Conv2DTranspose and Embedding "
                f"layers; got {type(layer).__name__}"
            )
        self.power_iterations = power_iterations

    @override
    def build(self, input_shape: Shape | None = None) -> None:
        super().build(input_shape)
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(self._stored_kernel().shape[-1],),
            initializer=self._leading_singular_vector,
            trainable=False,
        )

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Applies the layer with its normalized kernel.

        Args:
          inputs: what the wrapped layer takes.
          training: whether to advance u first.

        Returns:
          What the wrapped layer returns.
        """
        kernel = getattr(_held, "kernels", {}).get(id(self))
        if kernel is None:
            if training:
                self.advance()
            kernel = self.prepared_kernel()
        return _apply(self.layer, inputs, kernel)

    def advance(self) -> None:
        """Moves u by `power_iterations` steps of the power method on the present kernel."""
        matrix = self._matrix()
        u = tf.convert_to_tensor(self.vector_u)
        self.vector_u.assign(_power_method(matrix, u, self.power_iterations))

    def sigma(self) -> tf.Tensor:
        """Returns the present estimate of the kernel's largest singular value, a scalar.

        Differentiable with respect to the kernel; u and v are constants.
        """
        matrix = self._matrix()
        u = tf.stop_gradient(tf.convert_to_tensor(self.vector_u))
        v = tf.stop_gradient(_leading_left(matrix, u))
        return tf.tensordot(v, tf.linalg.matvec(matrix, u), axes=1)

    def normalized_kernel(self) -> tf.Tensor:
        """Returns kernel / sigma, of the kernel's shape: the kernel that calls use."""
        kernel = tf.convert_to_tensor(self._stored_kernel())
        return kernel / tf.maximum(self.sigma(), _SMALLEST_NORM)

    def prepared_kernel(self) -> tf.Tensor | PreparedKernel:
        """Returns the normalized kernel in the form the wrapped layer convolves with."""
        kernel = self.normalized_kernel()
        return self.layer.prepare(kernel) if isinstance(self.layer, Convolution2D) else kernel

    @override
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}

    def _stored_kernel(self) -> keras.Variable:
        if isinstance(self.layer, keras.layers.Embedding):
            return self.layer.embeddings
        return self.layer.kernel

    def _matrix(self) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self._stored_kernel())
        return tf.reshape(kernel, [-1, kernel.shape[-1]])

    def _leading_singular_vector(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        """Initializer of u: the right singular vector of the initial kernel, by eigh."""
        matrix = np.asarray(self._matrix(), dtype=np.float64)
        _, vectors = np.linalg.eigh(matrix.T @ matrix)
        return tf.reshape(tf.constant(vectors[:, -1], dtype=dtype), shape)


@contextlib.contextmanager
def hold_normalized_kernels(
    model: keras.Model | keras.layers.Layer, advance: bool = False
) -> Iterator[list[SpectralNormalization]]:
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
    outer = getattr(_held, "kernels", {})
    held = dict(outer)
    for layer in layers:
        if advance:
            layer.advance()
        held[id(layer)] = layer.prepared_kernel()
    _held.kernels = held
    try:
        yield layers
    finally:
        _held.kernels = outer


def spectral_normalization_layers(
    model: keras.Model | keras.layers.Layer,
) -> list[SpectralNormalization]:
    """Returns every SpectralNormalization layer inside a Keras model or layer, as a list."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, SpectralNormalization)]


# Its own function, so that a training step of many updates holds one copy for each shape.
@tf.function(autograph=False)
def _power_method(matrix: tf.Tensor, u: tf.Tensor, iterations: int) -> tf.Tensor:
    """Makes u <- (W^T W)^iterations u, normalized.

    Many iterations cost little: the powers of W^T W are squared, so that k iterations take
    log2(k) small products.
    """
    if iterations == 1:
        return _normalize(tf.linalg.matvec(matrix, _leading_left(matrix, u), transpose_a=True))
    power = _normalize(tf.matmul(matrix, matrix, transpose_a=True))
    while iterations:
        if iterations % 2:
            u = _normalize(tf.linalg.matvec(power, u))
        iterations //= 2
        if iterations:
            power = _normalize(tf.matmul(power, power))
    return u


def _normalize(values: tf.Tensor) -> tf.Tensor:
    return values / tf.maximum(tf.norm(values), _SMALLEST_NORM)


def _leading_left(matrix: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    return _normalize(tf.linalg.matvec(matrix, u))


def _apply(
    layer: keras.layers.Layer, inputs: tf.Tensor, kernel: tf.Tensor | PreparedKernel
) -> tf.Tensor:
    if isinstance(layer, Convolution2D):
        return layer.apply_prepared(inputs, kernel)
    if isinstance(layer, keras.layers.Embedding):
        return tf.gather(kernel, inputs)
    outputs = _linear_part(layer, inputs, kernel)
    if layer.use_bias:
        outputs = outputs + tf.convert_to_tensor(layer.bias)
    return outputs if layer.activation is None else layer.activation(outputs)


def _linear_part(layer: keras.layers.Layer, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    if isinstance(layer, keras.layers.Dense):
        return tf.tensordot(inputs, kernel, axes=1)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return tf.nn.conv2d_transpose(
            inputs,
            kernel,
            output_shape=[tf.shape(inputs)[0], *layer.compute_output_shape(inputs.shape)[1:]],
            strides=layer.strides,
            padding=layer.padding.upper(),
            dilations=layer.dilation_rate,
        )
    return layer.convolution_op(inputs, kernel)


_APPLICABLE = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv2DTranspose,
    keras.layers.Embedding,
)
