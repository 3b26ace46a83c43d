"""Local Lipschitz values: the length of a gradient with respect to the image.

With the class loss it is the LLV of equations (4), (5) and Figure 2; with the source output of D
it is the measurable part of equation (7).
"""

import tensorflow as tf

from robgan_tf.typing import LossFunction


def local_lipschitz_values(function: LossFunction, images: tf.Tensor) -> tf.Tensor:
    """Computes || d function(x) / dx ||_2 for each image.

    Args:
      function: from images [N, ...] to values [N], each depending on its own image only.
      images: [N, ...] in [-1, 1].

    Returns:
      [N] lengths; per unit of the [-1, 1] scale, so twice that is per unit of [0, 1].
    """
    images = tf.convert_to_tensor(images)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        values = function(images)
    gradient = tape.gradient(values, images)
    squares = tf.reduce_sum(tf.square(gradient), axis=list(range(1, len(images.shape))))
    # At a gradient of zero the square root has no derivative, which the penalty of equations
    # (4) and (5) would ask for.
    return tf.where(squares > 0.0, tf.sqrt(tf.where(squares > 0.0, squares, 1.0)), 0.0)
