"""The residual block of D with batch normalization where the authors' code has it."""

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.layers import BatchNormalization, average_pool, to_precision
from robgan_tf.models.blocks import DiscriminatorBlock, convolution_1x1, convolution_3x3
from robgan_tf.models.forms import PYTORCH_EPSILON
from robgan_tf.typing import Shape


@keras.saving.register_keras_serializable(package="robgan_tf")
class NormalizedDiscriminatorBlock(DiscriminatorBlock):
    """ReLU-conv-norm-ReLU-conv-norm(-pool) plus a shortcut: conv 1x1-norm(-pool) where needed.

    Batch normalization follows every convolution, the shortcut's too, and none goes before the
    leading ReLU. It has PyTorch's epsilon and averages of the unbiased variance, as in the authors'
    code. As in every form, the first block of D has no leading ReLU, and its shortcut pools first.
    Batch statistics are of the image before pooling, so nothing is fused with it.

    Args are those of `DiscriminatorBlock`, its normalization "batch".
    """

    @override
    def build(self, input_shape: Shape) -> None:
        hidden_width = self.width if self.first else input_shape[-1]
        hidden_shape, shape = ((*input_shape[:-1], width) for width in (hidden_width, self.width))
        of_inputs = "float32" if self.first else self.precision
        self.convolution_1 = convolution_3x3(
            hidden_width, "convolution_1", of_inputs, self.use_bias, of_pixels=self.first
        )
        self.convolution_1.build(input_shape)
        self.normalization_1 = _normalization("normalization_1", hidden_shape)
        self.convolution_2 = convolution_3x3(
            self.width, "convolution_2", self.precision, self.use_bias
        )
        self.convolution_2.build(hidden_shape)
        self.normalization_2 = _normalization("normalization_2", shape)
        self.shortcut_normalization: BatchNormalization | None = None
        if self.resample or input_shape[-1] != self.width:
            self.shortcut = convolution_1x1(self.width, "shortcut", of_inputs, self.use_bias)
            self.shortcut.build(input_shape)
            self.shortcut_normalization = _normalization("shortcut_normalization", shape)
        self.built = True

    @override
    def call(
        self, inputs: tf.Tensor, training: bool = False, update_statistics: bool = True
    ) -> tf.Tensor:
        mode = {"training": training, "update_statistics": update_statistics}
        hidden = inputs if self.first else tf.nn.relu(inputs)
        hidden = to_precision(self.convolution_1(hidden), self.precision)
        hidden = self._activate(hidden, self.normalization_1, mode)
        assert self.normalization_2 is not None, "a block is built before it is called"
        hidden = self.normalization_2(self.convolution_2(hidden), **mode)
        hidden = average_pool(hidden) if self.resample else hidden
        return hidden + tf.cast(self._normalized_shortcut(inputs, mode), hidden.dtype)

    def _normalized_shortcut(self, inputs: tf.Tensor, mode: dict[str, bool]) -> tf.Tensor:
        if self.shortcut is None or self.shortcut_normalization is None:
            return inputs
        pools_first = self.resample and self.first
        hidden = average_pool(inputs) if pools_first else inputs
        hidden = self.shortcut_normalization(self.shortcut(hidden), **mode)
        return average_pool(hidden) if self.resample and not pools_first else hidden


def _normalization(name: str, shape: Shape) -> BatchNormalization:
    layer = BatchNormalization(epsilon=PYTORCH_EPSILON, unbiased=True, name=name)
    layer.build(shape)
    return layer
