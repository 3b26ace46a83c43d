"""Prints how far 2 replicas are from 1 after three steps in float64, where rounding cannot hide
a wrong reduction. A program of its own for each normalization of D: devices are set up before all
else, and collectives of a second strategy in one process collide with those of the first."""

import sys

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.training.distribution import make_strategy
from tests import tiny

STEPS = 3


def largest_difference(normalization):
    """Largest relative difference of any loss or variable, and of u between the replicas."""
    binding = f"ResNetDiscriminator.normalization = '{normalization}'"
    losses, variables = [], []
    for replicas in (1, 2):
        strategy = make_strategy("mirrored", replicas)
        players, step = tiny.build(binding, strategy=strategy)
        images, labels = tiny.batch()
        losses.append(
            [step(images, labels, tf.constant(number, tf.int64)) for number in range(1, STEPS + 1)]
        )
        models = (players.generator, players.discriminator, players.average_generator)
        variables.append([np.array(v) for model in models for v in model.variables])
    between_replicas = [
        np.abs(np.subtract(*(np.array(copy) for copy in layer.vector_u.value.values))).max()
        for layer in spectral_normalization_layers(players.discriminator)
    ]
    pairs = [
        *((one[name], two[name]) for one, two in zip(*losses, strict=True) for name in one),
        *zip(*variables, strict=True),
    ]
    differences = [np.abs(a - b).max() / max(1.0, np.abs(a).max()) for a, b in pairs]
    return max(differences), max(between_replicas, default=0.0)


def main():
    """Prints both differences for the normalization named on the command line."""
    keras.config.set_floatx("float64")
    # Before the strategies: TensorFlow fixes its devices at the first use of any.
    make_strategy("mirrored", 2)
    print(*largest_difference(sys.argv[1]))


if __name__ == "__main__":
    main()
