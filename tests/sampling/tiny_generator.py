"""Generators small enough for a unit test, with classes that differ."""

import keras
import tensorflow as tf

from robgan_tf.keras_versions import variable_path
from robgan_tf.models import ResNetGenerator


def build(num_classes=3, channels=1):
    """A G of 16 px images from latents of 16 numbers, with random weights everywhere."""
    keras.utils.set_random_seed(1)
    generator = ResNetGenerator(
        16, channels, num_classes, base_width=4, widths="2; 2, 1", latent_size=16
    )
    generator.build()
    vary_classes(generator)
    return generator


def vary_classes(generator):
    """Makes the gammas and betas of a G, all the same at first, random."""
    for number, variable in enumerate(generator.variables):
        if variable_path(variable).endswith(("gamma", "beta")):
            noise = tf.random.stateless_normal(variable.shape, [number, 0], stddev=0.5)
            variable.assign_add(noise)
