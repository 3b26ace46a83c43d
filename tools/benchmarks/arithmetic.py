"""Floating-point operations of convolutions, counted in the graph that is executed."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class Flops(NamedTuple):
    """Of one forward pass of one image; multiply-add = 2.

    Attributes:
      total: of all convolutions.
      first: of those that see the image itself; an update needs no gradient with respect to it.
    """

    total: float
    first: float


def forward_flops(function: Callable[..., Any], *inputs: tf.Tensor) -> Flops:
    """Counts the convolutions of a function of a single image.

    Args:
      function: what to trace.
      *inputs: tensors of batch size 1.
    """
    graph = tf.function(function, autograph=False).get_concrete_function(*inputs).graph
    total = first = 0.0
    channels = inputs[0].shape[-1] if len(inputs[0].shape) == 4 else None
    for operation in graph.get_operations():
        if operation.type not in ("Conv2D", "Conv2DBackpropInput"):
            continue
        # Each pixel of the smaller image meets every weight of the kernel once.
        image = operation.outputs[0] if operation.type == "Conv2D" else operation.inputs[2]
        kernel = operation.inputs[1].shape
        flops = 2.0 * math.prod(kernel) * image.shape[1] * image.shape[2]
        total += flops
        if operation.type == "Conv2D" and kernel[2] == channels:
            first += flops
    return Flops(total, first)


def training_step_flops(
    generator: Flops, discriminator: Flops, batches: int, batch_size: int, attack_steps: int
) -> float:
    """Counts one step of joint training: PGD and a D update for each batch, and one G update.

    Args:
      generator: `Flops` of G.
      discriminator: `Flops` of D.
      batches: D updates.
      batch_size: images in each.
      attack_steps: steps of PGD.
    """
    backward_to_hidden = discriminator.total - discriminator.first
    attack = attack_steps * attack_flops(discriminator)
    update = 2 * (2 * discriminator.total + backward_to_hidden) + generator.total
    generator_update = 3 * generator.total + 2 * discriminator.total
    return batch_size * (batches * (attack + update) + generator_update)


def attack_flops(discriminator: Flops) -> float:
    """One step of PGD for one image: forward, and the gradient with respect to the image."""
    return 2 * discriminator.total
