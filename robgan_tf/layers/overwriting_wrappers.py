"""Spectral normalization as the wrappers of Keras and of TensorFlow Addons do it.

They divide the kernel by sigma and store the result as the kernel, in each call in training mode.
So the gradient is that at the normalized kernel, with none through sigma (the paper's is orthogonal
to the kernel; docs/reference/stacks.md has both in figures), and inference uses whatever the last
update has made of the kernel.

Here as there, but once an update: `hold_normalized_kernels(model, advance=True)` normalizes, and
within it every call is in inference mode, so an attack sees the kernel that is differentiated and
moves nothing.
"""

import functools
import warnings
from typing import Any

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.keras_versions import normalize_in_place
from robgan_tf.layers.held_kernels import held_kernel
from robgan_tf.layers.restored_wrapper import RestoredWrapper
from robgan_tf.typing import Shape

_SMALLEST_NORM = 1e-12


class OverwritesKernel(RestoredWrapper):
    """What the wrappers need to take the place of `SpectralNormalization`.

    Args:
      layer: as they take.
      power_iterations: likewise.
    """

    # What the wrappers have.
    layer: keras.layers.Layer
    path: str
    vector_u: Any

    def __init__(self, layer: keras.layers.Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(  # type: ignore[call-arg]
            layer, power_iterations=power_iterations, autocast=False, **kwargs
        )

    def build(self, input_shape: Shape | None = None) -> None:
        """Builds wrapper and layer."""
        super().build(input_shape)  # type: ignore[misc]
        # A shortcut is built for the images before pooling and called with those after it.
        self.input_spec = None
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Applies the layer with its kernel, which a call in training mode normalizes first."""
        if training and held_kernel(self) is None:
            self.advance()
        return super().call(inputs, training=False)  # type: ignore[misc]

    def advance(self) -> None:
        """Normalizes the kernel in place: the wrapper's work in a call in training mode."""
        normalize_in_place(self)

    def normalized_kernel(self) -> tf.Tensor:
        """The kernel that calls use in inference mode."""
        return tf.convert_to_tensor(self.layer.kernel)

    def prepared_kernel(self) -> tf.Tensor:
        """Likewise."""
        return self.normalized_kernel()

    def sigma(self) -> tf.Tensor:
        """The largest singular value of the kernel in use, a scalar, as estimated by u."""
        kernel, u = self.layer.kernel, tf.reshape(tf.convert_to_tensor(self.vector_u), [-1])
        matrix = tf.reshape(tf.convert_to_tensor(kernel), [-1, kernel.shape[-1]])
        left = tf.linalg.matvec(matrix, u)
        v = left / tf.maximum(tf.norm(left), _SMALLEST_NORM)
        return tf.tensordot(v, left, axes=1)


@keras.utils.register_keras_serializable(package="robgan_tf")
class KerasSpectralNormalization(OverwritesKernel, keras.layers.SpectralNormalization):
    """`keras.layers.SpectralNormalization`, which normalizes once where its kernel is held.

    Args:
      layer: a Dense or convolutional layer.
      power_iterations: steps of the power method, at least 1.
    """


def overwriting_wrapper(normalization: str) -> Any:
    """The class of a wrapper.

    Args:
      normalization: "keras_spectral" or "tfa_spectral".

    Raises:
      ValueError: if TensorFlow Addons cannot be had.
    """
    if normalization == "keras_spectral":
        return KerasSpectralNormalization
    return _addons_wrapper()


@functools.cache
def _addons_wrapper() -> Any:
    try:
        with warnings.catch_warnings():
            # It announces its end of life, which the documentation does too.
            warnings.simplefilter("ignore")
            from tensorflow_addons.layers import SpectralNormalization
    except Exception as error:  # With a later Keras its import fails in many ways.
        raise ValueError(
            "normalization 'tfa_spectral' needs tensorflow-addons, which ended in May 2024 and "
            f"works with TensorFlow 2.13 to 2.15 (this is {tf.__version__}): install "
            "requirements-tfa.txt in an environment of its own, or take 'keras_spectral', which "
            "does the same, or 'spectral', which does what the paper says"
        ) from error

    @keras.utils.register_keras_serializable(package="robgan_tf")
    class AddonsSpectralNormalization(OverwritesKernel, SpectralNormalization):
        """`tfa.layers.SpectralNormalization`, which normalizes once where its kernel is held."""

        @override
        def advance(self) -> None:
            self.normalize_weights()

        @property
        def vector_u(self) -> tf.Variable:
            """u, [1, channels]."""
            return self.u

    return AddonsSpectralNormalization
