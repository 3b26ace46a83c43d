"""Where classes meet if logits were linear: the hyperplanes that FAB steps to."""

import tensorflow as tf

from robgan_tf.attacks import hyperplane
from robgan_tf.attacks.ball import flat, per_sample
from robgan_tf.attacks.objectives import logit_of
from robgan_tf.typing import LogitsFunction


def towards(
    logits_fn: LogitsFunction, images: tf.Tensor, labels: tf.Tensor, targets: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """The logit of a target less that of the label.

    Args:
      logits_fn: function from images to logits [N, K].
      images: [N, ...].
      labels: [N].
      targets: [N] classes.

    Returns:
      (gradients [N, ...], values [N]).
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = logits_fn(images)
        values = logit_of(logits, targets) - logit_of(logits, labels)
    return tape.gradient(values, images, unconnected_gradients="zero"), values


def nearest(
    logits_fn: LogitsFunction, images: tf.Tensor, labels: tf.Tensor, norm: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of the wrong class whose hyperplane is nearest, as if there were no box.

    One backward pass for each wrong class, on one forward pass; one gradient is kept.

    Args:
      logits_fn: function from images to logits [N, K].
      images: [N, ...].
      labels: [N].
      norm: name of the norm, one of `hyperplane.NORMS`.

    Returns:
      (gradients [N, ...], values [N]); zero where no class has a gradient.
    """
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = logits_fn(images)
    own = logit_of(logits, labels)

    def look(
        rank: tf.Tensor, normals: tf.Tensor, values: tf.Tensor, least: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        wrong = tf.cast(rank, labels.dtype)
        wrong += tf.cast(wrong >= labels, labels.dtype)
        upstream = _one_hot(wrong, logits) - _one_hot(labels, logits)
        gradient = tape.gradient(
            logits, images, output_gradients=upstream, unconnected_gradients="zero"
        )
        difference = logit_of(logits, wrong) - own
        apart = hyperplane.distances(flat(gradient), difference, norm)
        closer = apart < least
        return (
            rank + 1,
            tf.where(per_sample(closer, normals), gradient, normals),
            tf.where(closer, difference, values),
            tf.where(closer, apart, least),
        )

    nowhere = tf.fill(tf.shape(own), tf.constant(float("inf"), own.dtype))
    _, normals, values, _ = tf.while_loop(
        lambda rank, *_: rank < logits.shape[-1] - 1,
        look,
        (0, tf.zeros_like(images), tf.zeros_like(own), nowhere),
    )
    return normals, values


def _one_hot(classes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(classes, logits.shape[-1], dtype=logits.dtype)
