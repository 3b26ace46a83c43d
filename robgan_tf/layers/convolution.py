"""2-D convolution in float32 or in bfloat16, with a kernel that can be prepared ahead.

bfloat16 here always means: images and kernel are rounded to bfloat16, products are added up in
float32, and results are rounded to bfloat16. Variables and their gradients' sums stay float32. GPUs
and processors with bfloat16 instructions do that directly; elsewhere the rounded numbers are
convolved in float32. The machine decides how fast it goes, never which precision is used; results
differ as bfloat16 results do, for instance where an operation that adds a bias within the
convolution rounds once and two operations round twice.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from typing_extensions import override

from robgan_tf.config.groups import PRECISIONS
from robgan_tf.processor import bfloat16_instructions
from robgan_tf.typing import Shape


class PreparedKernel(NamedTuple):
    """What `Convolution2D.apply_prepared` takes.

    Attributes:
      kernel: in the layer's precision and the form it is computed in.
      bias: [filters] in the layer's precision; None where the layer carries none.
    """

    kernel: tf.Tensor
    bias: tf.Tensor | None


@keras.utils.register_keras_serializable(package="robgan_tf")
class Convolution2D(keras.layers.Conv2D):
    """Same-padded convolution [N, H, W, C] -> [N, H, W, filters], or one derived from it.

    Outputs are bfloat16 where the precision is, otherwise of the variables' type.

    Args:
      filters: channels of the output.
      kernel_size: height and width of the kernel.
      precision: "float32" (the type of the variables, so float64 where Keras is set to that) or
        "bfloat16".
      **kwargs: further arguments of `keras.layers.Conv2D`, but strides and padding.

    Raises:
      ValueError: if there is no such precision.
    """

    def __init__(
        self, filters: int, kernel_size: int, precision: str = "float32", **kwargs: Any
    ) -> None:
        check_precision(precision)
        fixed = sorted({"strides", "padding", "groups", "dilation_rate", "data_format"} & {*kwargs})
        if fixed:
            raise ValueError(f"Convolution2D does not take {', '.join(fixed)}")
        # Keras would otherwise cast every input to the type of the variables.
        super().__init__(filters, kernel_size, padding="same", autocast=False, **kwargs)
        self.precision = precision

    @override
    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.apply_prepared(inputs, self.prepare(tf.convert_to_tensor(self.kernel)))

    def prepare(self, kernel: tf.Tensor) -> PreparedKernel:
        """Brings a kernel of the variable's shape into the form that `apply_prepared` takes.

        Whoever convolves many times with one kernel, such as an attack, prepares it once.
        """
        bias = None
        if self.use_bias:
            bias = to_precision(tf.convert_to_tensor(self.bias), self.precision)
        return PreparedKernel(to_precision(self.rewrite(kernel), self.precision), bias)

    def apply_prepared(self, inputs: tf.Tensor, prepared: PreparedKernel) -> tf.Tensor:
        """Applies the layer with a `PreparedKernel`: convolution, bias, activation."""
        outputs = self.convolve(tf.cast(inputs, prepared.kernel.dtype), prepared.kernel)
        # No zero bias in its place, although it would let oneDNN compute a following ReLU within
        # the convolution: that ReLU turns NaN into 0, and hides that training has diverged.
        if prepared.bias is not None:
            outputs = tf.nn.bias_add(outputs, prepared.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def rewrite(self, kernel: tf.Tensor) -> tf.Tensor:
        """Returns the kernel that `convolve` takes, made of one of the variable's shape."""
        return kernel

    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The linear part of the layer."""
        return convolve(inputs, kernel)

    @override
    def get_config(self) -> dict[str, Any]:
        fixed = ("strides", "padding", "groups", "dilation_rate", "data_format")
        config = {**super().get_config(), "precision": self.precision}
        return {name: value for name, value in config.items() if name not in fixed}


@keras.utils.register_keras_serializable(package="robgan_tf")
class StridedConvolution2D(Convolution2D):
    """Padded convolution [N, H, W, C] -> [N, H / stride, W / stride, filters].

    Args:
      filters: channels of the output.
      kernel_size: height and width of the kernel.
      stride: step between outputs in pixels.
      even_padding: pad both sides by (kernel_size - 1) / 2, as PyTorch's `padding` does. TensorFlow
        pads by as little as it may: of an even image, for a 3x3 kernel of stride 2, the far side
        alone, so that outputs lie a pixel further along.
      **kwargs: as `Convolution2D`.

    Raises:
      ValueError: if the kernel has no middle and is to be padded evenly.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int,
        even_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, kernel_size, **kwargs)
        self.stride = stride
        self.even_padding = even_padding
        if even_padding and any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"a kernel of {self.kernel_size} pixels cannot be padded evenly")

    @override
    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self.kernel_size == (1, 1):
            # The same; oneDNN writes past its memory in gradients of 1x1 convolutions with strides
            # (TensorFlow 2.21 on CPU), which ended training here and there.
            return convolve(inputs[:, :: self.stride, :: self.stride], kernel)
        if not self.even_padding:
            return convolve(inputs, kernel, self.stride)
        height, width = (size // 2 for size in self.kernel_size)
        padded = tf.pad(inputs, [[0, 0], [height, height], [width, width], [0, 0]])
        return convolve(padded, kernel, self.stride, "VALID")

    @override
    def compute_output_shape(self, input_shape: Shape) -> Shape:
        count, *sides, _ = input_shape
        strided = (None if side is None else -(-side // self.stride) for side in sides)
        return (count, *strided, self.filters)

    @override
    def get_config(self) -> dict[str, Any]:
        names = ("stride", "even_padding")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def convolve(
    inputs: tf.Tensor, kernel: tf.Tensor, strides: int = 1, padding: str = "SAME"
) -> tf.Tensor:
    """Convolution of [N, H, W, C] with a kernel [height, width, C, filters].

    Args:
      inputs: [N, H, W, C], float32 or bfloat16.
      kernel: [height, width, C, filters] of the same type.
      strides: step between outputs in pixels.
      padding: "SAME" or "VALID".
    """
    return _in_float32_where_needed(
        lambda inputs, kernel: tf.nn.conv2d(inputs, kernel, strides, padding), inputs, kernel
    )


def convolve_transposed(
    inputs: tf.Tensor, kernel: tf.Tensor, output_shape: tf.Tensor, strides: int
) -> tf.Tensor:
    """Transposed same-padded convolution with a kernel [height, width, filters, C].

    Args:
      inputs: [N, H, W, C], float32 or bfloat16.
      kernel: [height, width, filters, C] of the same type.
      output_shape: of the result, [4] integers.
      strides: step between inputs in pixels of the result.
    """
    return _in_float32_where_needed(
        lambda inputs, kernel: tf.nn.conv2d_transpose(
            inputs, kernel, output_shape, strides, "SAME"
        ),
        inputs,
        kernel,
    )


def to_precision(values: tf.Tensor, precision: str) -> tf.Tensor:
    """Rounds values to bfloat16 where that is the precision, and leaves them alone otherwise."""
    return tf.cast(values, tf.bfloat16) if precision == "bfloat16" else values


def check_precision(precision: str) -> None:
    """Raises ValueError unless a precision of this name exists."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision {precision!r} does not exist; choose one of {', '.join(PRECISIONS)}"
        )


def _in_float32_where_needed(
    operation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], inputs: tf.Tensor, kernel: tf.Tensor
) -> tf.Tensor:
    if inputs.dtype != tf.bfloat16 or _has_bfloat16_instructions():
        return operation(inputs, kernel)
    # The casts' gradients round the gradients to bfloat16, as the direct operations do.
    outputs = operation(tf.cast(inputs, tf.float32), tf.cast(kernel, tf.float32))
    return tf.cast(outputs, tf.bfloat16)


@functools.cache
def _has_bfloat16_instructions() -> bool:
    """Whether the convolutions of this machine's devices are fast in bfloat16."""
    if tf.config.list_physical_devices("GPU"):
        return True
    return bool(bfloat16_instructions())
