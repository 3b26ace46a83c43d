"""The images of a generator that are measured: reproducible, class-balanced, quantised."""

import numpy as np
import tensorflow as tf

from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting.images import to_uint8


def generated_set(generator, count, seed, batch_size=100):
    """Yields images of a generator in inference mode, as saved PNGs would hold them.

    An image is a function of the seed and its number, so batches change nothing. Classes are as
    even as the count allows, in random order.

    Args:
      generator: a built `ResNetGenerator`.
      count: how many images.
      seed: of latents and of the order of classes.
      batch_size: images at a time.

    Yields:
      (uint8 images [n, H, W, C], labels int32 [n]).
    """
    labels = np.arange(count, dtype=np.int32) % max(generator.num_classes, 1)
    np.random.default_rng(seed).shuffle(labels)

    @tf.function(autograph=False, reduce_retracing=True)
    def images_of(first, labels):
        latents = tf.map_fn(
            lambda number: tf.random.stateless_normal(
                [generator.latent_size], derive_seed(seed, Purpose.MEASURED_LATENTS, number)
            ),
            first + tf.range(tf.shape(labels)[0]),
            fn_output_signature=tf.TensorSpec([generator.latent_size], tf.float32),
        )
        return generator(latents, labels, training=False)

    for start in range(0, count, batch_size):
        part = labels[start : start + batch_size]
        yield to_uint8(images_of(tf.constant(start), tf.constant(part)).numpy()), part
