"""3x3 convolutions fused with 2x2 average pooling or nearest-neighbour up-sampling.

Both are exact: convolution and resampling are linear, so their composition is one convolution
with a 4x4 kernel and stride 2, at 4/9 of the multiplications. The variable stays the 3x3 kernel;
initialisation, spectral normalization and checkpoints do not see the difference.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers.convolution import Convolution2D, convolve, convolve_transposed
from robgan_tf.typing import Shape


def average_pool(images: tf.Tensor) -> tf.Tensor:
    """2x2 average pooling of [N, H, W, C] to [N, H/2, W/2, C]."""
    return tf.nn.avg_pool2d(images, 2, 2, "VALID")


def up_sample(images: tf.Tensor) -> tf.Tensor:
    """Nearest-neighbour up-sampling of [N, H, W, C] to [N, 2H, 2W, C]; H and W must be known."""
    return _doubled(_doubled(images, axis=1), axis=2)


def _doubled(images: tf.Tensor, axis: int) -> tf.Tensor:
    """What `tf.repeat` does, in a sixth of its operations."""
    shape = images.shape[1:].as_list()
    shape[axis - 1] *= 2
    multiples = [1] * 5
    multiples[axis + 1] = 2
    return tf.reshape(tf.tile(tf.expand_dims(images, axis + 1), multiples), [-1, *shape])


class _ResampledConv2D(Convolution2D):
    """The part both layers share: a 3x3 variable."""

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 3, **kwargs)

    def rewrite(self, kernel: tf.Tensor) -> tf.Tensor:
        return self._fused_kernel(kernel)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["kernel_size"]
        return config


@keras.utils.register_keras_serializable(package="robgan_tf")
class PooledConv2D(_ResampledConv2D):
    """Same-padded 3x3 convolution followed by 2x2 average pooling: [N, H, W, C] to half size.

    Args:
      filters: channels of the output.
      **kwargs: further arguments of `Convolution2D`, but `kernel_size`. H and W must be even.
    """

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return convolve(inputs, kernel, strides=2)

    @override
    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sides, _ = input_shape
        half = (None if side is None else side // 2 for side in sides)
        return (batch, *half, self.filters)

    @staticmethod
    def _fused_kernel(kernel: tf.Tensor) -> tf.Tensor:
        """[3, 3, in, out] to [4, 4, in, out]: the mean of the kernel's four one-pixel shifts."""
        return _combine(_SUM_OF_SHIFTS / 4.0, kernel)


@keras.utils.register_keras_serializable(package="robgan_tf")
class UpSampledConv2D(_ResampledConv2D):
    """2x nearest up-sampling followed by a same-padded 3x3 convolution: to twice the size.

    Args:
      filters: channels of the output.
      **kwargs: further arguments of `Convolution2D`, but `kernel_size`.
    """

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        count, height, width, _ = tf.unstack(tf.shape(inputs))
        size = tf.stack([count, 2 * height, 2 * width, self.filters])
        outputs = convolve_transposed(inputs, kernel, size, strides=2)
        return tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))

    @override
    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, _ = input_shape
        double = [None if length is None else 2 * length for length in (height, width)]
        return (batch, *double, self.filters)

    @staticmethod
    def _fused_kernel(kernel: tf.Tensor) -> tf.Tensor:
        """[3, 3, in, out] to [4, 4, out, in], the layout of a transposed convolution.

        A transposed convolution runs its kernel backwards, hence the reversal; each pixel of the
        small image appears at two positions of the large one, hence the shifts.
        """
        return _combine(_SUM_OF_SHIFTS[:, ::-1, ::-1], tf.transpose(kernel, [0, 1, 3, 2]))


def _sum_of_shifts() -> np.ndarray:
    """[16, 3, 3]: how the sum of a 3x3 kernel's four one-pixel shifts, 4x4, depends on it."""
    shifts = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]])
    return np.einsum("ac,bd->abcd", shifts, shifts).reshape(16, 3, 3)


_SUM_OF_SHIFTS = _sum_of_shifts()


def _combine(coefficients: np.ndarray, kernel: tf.Tensor) -> tf.Tensor:
    """Makes [4, 4, a, b] of [3, 3, a, b], in one matrix product: many times faster than slices."""
    channels = kernel.shape[2:]
    rows = tf.reshape(kernel, [9, -1])
    coefficients = tf.constant(coefficients.reshape(16, 9), dtype=kernel.dtype)
    return tf.reshape(tf.matmul(coefficients, rows), [4, 4, *channels])
