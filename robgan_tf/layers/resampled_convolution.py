"""3x3 convolutions fused with 2x2 average pooling or nearest-neighbour up-sampling.

Both are exact: convolution and resampling are linear, so their composition is one convolution
with a 4x4 kernel and stride 2, at 4/9 of the multiplications. The variable stays the 3x3 kernel;
initialisation, spectral normalization and checkpoints do not see the difference.
"""

import keras
import tensorflow as tf


@keras.utils.register_keras_serializable(package="robgan_tf")
class PooledConv2D(keras.layers.Conv2D):
    """Same-padded 3x3 convolution followed by 2x2 average pooling: [N, H, W, C] to half size.

    Takes the arguments of `keras.layers.Conv2D` but `kernel_size`, `strides` and `padding`; H and
    W must be even.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(filters, 3, padding="same", **kwargs)

    def convolution_op(self, inputs, kernel):
        return tf.nn.conv2d(inputs, _pooled_kernel(kernel), strides=2, padding="SAME")

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, height // 2, width // 2, self.filters)

    def get_config(self):
        return _without_fixed(super().get_config())


@keras.utils.register_keras_serializable(package="robgan_tf")
class UpSampledConv2D(keras.layers.Conv2D):
    """2x nearest up-sampling followed by a same-padded 3x3 convolution: to twice the size.

    Takes the arguments of `keras.layers.Conv2D` but `kernel_size`, `strides` and `padding`.
    """

    def __init__(self, filters, **kwargs):
        super().__init__(filters, 3, padding="same", **kwargs)

    def convolution_op(self, inputs, kernel):
        count, height, width, _ = tf.unstack(tf.shape(inputs))
        size = tf.stack([count, 2 * height, 2 * width, self.filters])
        outputs = tf.nn.conv2d_transpose(
            inputs, _up_sampled_kernel(kernel), size, strides=2, padding="SAME"
        )
        return tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        double = [None if length is None else 2 * length for length in (height, width)]
        return (batch, *double, self.filters)

    def get_config(self):
        return _without_fixed(super().get_config())


def _pooled_kernel(kernel):
    """[3, 3, in, out] to [4, 4, in, out]: the mean of the kernel's four one-pixel shifts."""
    return _sum_of_shifts(kernel) / 4.0


def _up_sampled_kernel(kernel):
    """[3, 3, in, out] to [4, 4, out, in], the layout of a transposed convolution.

    A transposed convolution runs its kernel backwards, hence the reversal; each pixel of the
    small image appears at two positions of the large one, hence the shifts.
    """
    return tf.transpose(_sum_of_shifts(kernel[::-1, ::-1]), [0, 1, 3, 2])


def _sum_of_shifts(kernel):
    padded = tf.pad(kernel, [[1, 1], [1, 1], [0, 0], [0, 0]])
    rows = padded[:-1] + padded[1:]
    return rows[:, :-1] + rows[:, 1:]


def _without_fixed(config):
    fixed = ("kernel_size", "strides", "padding", "groups", "dilation_rate", "data_format")
    return {name: value for name, value in config.items() if name not in fixed}
