"""What the machine is, and what it can do at best: its fastest convolutions."""

import os
import platform
import time
from collections.abc import Sequence

import tensorflow as tf

from robgan_tf.layers import convolution
from robgan_tf.processor import bfloat16_instructions, model_name
from robgan_tf.typing import JsonObject

# (images, height, channels): 3x3 convolutions like those of the networks at width 64.
SHAPES = ((64, 32, 128), (64, 16, 256), (64, 16, 512))


def describe() -> JsonObject:
    """What the machine is: processor, cores, versions of Python and TensorFlow."""
    return {
        "processor": model_name() or "unknown processor",
        "cores": len(os.sched_getaffinity(0)),
        "bfloat16_instructions": bfloat16_instructions(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
    }


def convolution_peaks(repeats: int = 5) -> dict[str, float]:
    """Measures the best rate of a 3x3 convolution, or one of its gradients, in each precision.

    bfloat16 is measured as the package computes it on this machine.

    Returns:
      Dict from precision to floating-point operations a second (multiply-add = 2).
    """
    return {
        precision: max(
            _rate(shape, precision, part, repeats)
            for shape in SHAPES
            for part in ("forward", "input gradient")
        )
        for precision in ("float32", "bfloat16")
    }


def _rate(shape: Sequence[int], precision: str, part: str, repeats: int) -> float:
    images, size, channels = shape
    inputs = tf.cast(tf.random.normal([images, size, size, channels]), precision)
    kernel = tf.cast(tf.random.normal([3, 3, channels, channels]), precision)

    @tf.function(autograph=False)
    def run(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if part == "forward":
            outputs = convolution.convolve(inputs, kernel)
        else:
            outputs = convolution.convolve_transposed(inputs, kernel, tf.shape(inputs), strides=1)
        return outputs[0, 0, 0, 0]

    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        run(inputs, kernel).numpy()
        seconds.append(time.perf_counter() - start)
    flops = 2.0 * images * size * size * 9 * channels * channels
    return flops / min(seconds[1:])
