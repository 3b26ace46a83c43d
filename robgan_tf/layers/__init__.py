"""Layers of the networks: normalizations, and convolutions fused with resampling."""

from robgan_tf.layers.batch_normalization import (
    BatchNormalization,
    ClassConditionalBatchNormalization,
)
from robgan_tf.layers.convolution import (
    Convolution2D,
    StridedConvolution2D,
    check_precision,
    to_precision,
)
from robgan_tf.layers.pixel_convolution import PixelConvolution2D
from robgan_tf.layers.resampled_convolution import (
    PooledConv2D,
    UpSampledConv2D,
    average_pool,
    up_sample,
)
from robgan_tf.layers.spectral_normalization import (
    SpectralNormalization,
    hold_normalized_kernels,
    spectral_normalization_layers,
    spectrally_normalized,
)

__all__ = [
    "BatchNormalization",
    "ClassConditionalBatchNormalization",
    "Convolution2D",
    "PixelConvolution2D",
    "PooledConv2D",
    "SpectralNormalization",
    "StridedConvolution2D",
    "UpSampledConv2D",
    "average_pool",
    "check_precision",
    "hold_normalized_kernels",
    "spectral_normalization_layers",
    "spectrally_normalized",
    "to_precision",
    "up_sample",
]
