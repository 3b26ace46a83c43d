"""What an exported generator answers: images of given latents, and of seeds."""

from typing import Any

import tensorflow as tf

from robgan_tf.latents import truncated_normal
from robgan_tf.models.players import Generator
from robgan_tf.serving.request_checks import (
    checked_count,
    checked_finite,
    checked_labels,
    checked_length,
    checked_shape,
    checked_truncation,
)
from robgan_tf.typing import Scalars

_LABELS = tf.TensorSpec([None], tf.int64, "labels")
_SEED = tf.TensorSpec([None], tf.int64, "seed")
_TRUNCATION = tf.TensorSpec([None], tf.float32, "truncation")


def generator_signatures(generator: Generator) -> dict[str, Any]:
    """Builds the signatures of a generator in inference mode.

    `generate`: latents float32 [N, Z], labels int64 [N];
    `sample`: labels int64 [N], seed int64 [N], truncation float32 [N]. An image is a function of
    its own label, seed and truncation, whatever else is in the request. Latents are normal,
    truncated at +-truncation (Brock et al., ICLR 2019); a large value such as 10 truncates nothing.
    Both give `images` float32 [N, H, W, C] in [-1, 1] and `images_uint8`.

    Args:
      generator: a built `models.Generator` in float32.

    Returns:
      Dict from name to tf.function with an input signature.
    """
    # A generator without classes takes label 0.
    num_classes = max(generator.num_classes, 1)
    spec = tf.TensorSpec([None, generator.latent_size], tf.float32, "latents")

    # A function of its own: both signatures share one copy of the network.
    @tf.function(input_signature=[spec, _LABELS], autograph=False)
    def images_of(latents: tf.Tensor, labels: tf.Tensor) -> Scalars:
        images = generator(latents, tf.cast(labels, tf.int32), training=False)
        return {"images": images, "images_uint8": as_bytes(images)}

    @tf.function(input_signature=[spec, _LABELS], autograph=False)
    def generate(latents: tf.Tensor, labels: tf.Tensor) -> Scalars:
        labels = checked_count(checked_shape(labels, _LABELS))
        latents = checked_length(checked_shape(latents, spec), labels, "latents")
        latents = checked_finite("latents", latents)
        labels = checked_labels(labels, num_classes)
        return images_of(latents, labels)

    @tf.function(input_signature=[_LABELS, _SEED, _TRUNCATION], autograph=False)
    def sample(labels: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor) -> Scalars:
        labels = checked_count(checked_shape(labels, _LABELS))
        seed = checked_length(checked_shape(seed, _SEED), labels, "seed")
        truncation = checked_length(checked_shape(truncation, _TRUNCATION), labels, "truncation")
        truncation = checked_truncation(truncation)
        labels = checked_labels(labels, num_classes)
        return images_of(truncated_normal(seed, truncation, generator.latent_size), labels)

    return {"generate": generate, "sample": sample}


def as_bytes(images: tf.Tensor) -> tf.Tensor:
    """Turns images in [-1, 1] into uint8, rounding to the nearest."""
    return tf.cast(tf.round((tf.clip_by_value(images, -1.0, 1.0) + 1.0) * 127.5), tf.uint8)
