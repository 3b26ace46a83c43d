"""Accuracy of a classifier on clean images and on images attacked by PGD."""

import dataclasses

import tensorflow as tf

from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses import class_loss
from robgan_tf.randomness import Purpose, derive_seed


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Shares of images classified correctly, in [0, 1].

    Attributes:
      clean: on the images as they are.
      attacked: on the same images under attack.
      images: how many images were used.
    """

    clean: float
    attacked: float
    images: int


def accuracy_under_attack(discriminator, batches, attack, seed=0):
    """Measures D's class head, in inference mode, on clean and attacked images.

    Args:
      discriminator: model returning (source logits, class logits [N, K]).
      batches: iterable of (images [N, H, W, C] in [-1, 1], labels [N]).
      attack: a ProjectedGradientDescent, given the class loss to maximise.
      seed: seed of random starts.

    Returns:
      An Accuracy.

    Raises:
      ValueError: if there is no image.
    """

    @tf.function(reduce_retracing=True)
    def correct(images, labels, first):
        # A seed a sample, so that random starts do not depend on the batch size.
        seeds = tf.map_fn(
            lambda number: derive_seed(seed, Purpose.RANDOM_START, number),
            first + tf.range(tf.shape(labels)[0]),
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )
        with hold_normalized_kernels(discriminator):
            attacked = attack(
                lambda x: class_loss(discriminator(x, training=False)[1], labels),
                images,
                seed=seeds,
            )
            return [_count_correct(discriminator, x, labels) for x in (images, attacked)]

    clean = attacked = images = 0
    for batch, labels in batches:
        counts = correct(batch, labels, tf.constant(images))
        clean, attacked = clean + int(counts[0]), attacked + int(counts[1])
        images += len(labels)
    if not images:
        raise ValueError("accuracy_under_attack was given no images")
    return Accuracy(clean / images, attacked / images, images)


def _count_correct(discriminator, images, labels):
    predicted = tf.argmax(discriminator(images, training=False)[1], axis=1, output_type=tf.int32)
    return tf.reduce_sum(tf.cast(predicted == labels, tf.int32))
