"""D as it is used: spectral normalization folded into plain kernels."""

import numpy as np


def fold_spectral_normalization(discriminator, plain):
    """Copies a D with spectral normalization into one without that computes the same.

    Args:
      discriminator: a built `ResNetDiscriminator` with spectral normalization.
      plain: a built one of the same widths without it; its kernels become the very ones that
        `discriminator` uses in inference mode.
    """
    for name in discriminator.block_names:
        source, target = getattr(discriminator, name), getattr(plain, name)
        for layer in ("convolution_1", "convolution_2", "shortcut"):
            if getattr(source, layer) is not None:
                _copy(getattr(source, layer), getattr(target, layer))
    for head in ("source_head", "class_head"):
        if getattr(discriminator, head) is not None:
            _copy(getattr(discriminator, head), getattr(plain, head))


def _copy(wrapper, layer):
    layer.kernel.assign(np.asarray(wrapper.normalized_kernel()))
    if layer.use_bias:
        layer.bias.assign(np.asarray(wrapper.layer.bias))
