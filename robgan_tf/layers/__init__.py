"""Layers of the networks: normalizations, and convolutions fused with resampling."""

from robgan_tf.layers.batch_normalization import (
    BatchNormalization,
    ClassConditionalBatchNormalization,
)
from robgan_tf.layers.resampled_convolution import PooledConv2D, UpSampledConv2D
from robgan_tf.layers.spectral_normalization import (
    SpectralNormalization,
    hold_normalized_kernels,
    spectral_normalization_layers,
)

__all__ = [
    "BatchNormalization",
    "ClassConditionalBatchNormalization",
    "PooledConv2D",
    "SpectralNormalization",
    "UpSampledConv2D",
    "hold_normalized_kernels",
    "spectral_normalization_layers",
]
