"""The arrays from which PyTorch builds the same D, and whether it gives the same logits."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from robgan_tf.errors import UserError
from robgan_tf.layers import SpectralNormalization
from robgan_tf.models import ResNetDiscriminator
from tools.attack_comparison.report import FORMS

LARGEST_LOGIT_DIFFERENCE = 1e-4


def kernels(discriminator: ResNetDiscriminator) -> dict[str, Any]:
    """The arrays of a D as `pytorch_discriminator.build` takes them.

    Raises:
      UserError: if the PyTorch copy cannot compute the same.
    """
    if not isinstance(discriminator, ResNetDiscriminator):
        raise UserError("the PyTorch copy is of D; this run's classifier is another network")
    blocks = [getattr(discriminator, name) for name in discriminator.block_names]
    if any(block.normalization == "batch" for block in blocks):
        raise UserError("the PyTorch copy knows no batch normalization; this run's D has it")
    values = {"resample": np.array([block.resample for block in blocks])}
    for block in blocks:
        for name in ("convolution_1", "convolution_2", "shortcut"):
            layer = getattr(block, name)
            if layer is not None:
                values |= _layer_arrays(f"{block.name}/{name}", layer)
    if discriminator.class_head is None:
        raise UserError("this run's D was trained without classes")
    return values | _layer_arrays("class_head", discriminator.class_head)


def _layer_arrays(name: str, layer: keras.layers.Layer) -> dict[str, Any]:
    if isinstance(layer, SpectralNormalization):
        kernel, layer = layer.normalized_kernel(), layer.layer
    else:
        kernel = layer.kernel
    values = {f"{name}:normalized": np.asarray(kernel)}
    if layer.use_bias:
        values[f"{name}:bias"] = np.asarray(layer.bias)
    return values


def same_logits(ours: np.ndarray, copies: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The largest difference between our logits and those of the copies, relative to the largest.

    Args:
      ours: [N, K].
      copies: dict from form to [N, K].

    Returns:
      Dict from form to the difference.

    Raises:
      UserError: if it is too large for a comparison of attacks to mean anything.
    """
    largest = np.abs(ours).max()
    differences = {
        form: float(np.abs(logits - ours).max() / largest) for form, logits in copies.items()
    }
    for form, difference in differences.items():
        # Written so that NaN is refused too.
        if not difference < LARGEST_LOGIT_DIFFERENCE:
            raise UserError(
                f"the logits of the PyTorch copy ({FORMS[form]}) are up to {difference:.2g} off "
                f"ours, relative to the largest; at most {LARGEST_LOGIT_DIFFERENCE:g} is expected"
            )
    return differences
