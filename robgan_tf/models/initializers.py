"""Initial values of kernels and biases, the package's own and those of published code."""

import math

import keras

GAIN_3X3 = 2**0.5


def glorot_uniform(gain: float) -> keras.initializers.Initializer:
    """Glorot's uniform initializer with a gain: sqrt(2) for 3x3 convolutions, 1 elsewhere."""
    return keras.initializers.VarianceScaling(scale=gain**2, mode="fan_avg", distribution="uniform")


def he_normal_of_outputs() -> keras.initializers.Initializer:
    """He's normal initializer by fan-out: a standard deviation of sqrt(2 / fan-out)."""
    return keras.initializers.VarianceScaling(
        scale=2.0, mode="fan_out", distribution="untruncated_normal"
    )


def pytorch_kernel() -> keras.initializers.Initializer:
    """What PyTorch gives a kernel that nobody initializes: U(-b, b), b = 1 / sqrt(fan-in)."""
    return keras.initializers.VarianceScaling(scale=1 / 3, mode="fan_in", distribution="uniform")


def pytorch_bias(fan_in: int) -> keras.initializers.Initializer:
    """What PyTorch gives a bias that nobody initializes: U(-b, b), b = 1 / sqrt(fan-in)."""
    bound = 1.0 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-bound, bound)


def bias_initializer(random: bool, fan_in: int) -> keras.initializers.Initializer:
    """PyTorch's where a form has random biases, zeros otherwise."""
    return pytorch_bias(fan_in) if random else keras.initializers.Zeros()
