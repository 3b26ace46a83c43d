"""Class labels as one-hot rows, and what becomes of labels that are no classes."""

import tensorflow as tf


def one_hot_labels(
    labels: tf.Tensor, num_classes: int, dtype: tf.DType | str, training: bool
) -> tf.Tensor:
    """One-hot rows of labels, which must be classes.

    TensorFlow's own gives a row of zeros for any other label, and a network that gets it makes an
    image of no class without a word. Within a graph, where nothing can be refused, such a row is
    NaN, and so is what a network makes of it; not in training, which draws the labels itself and
    whose graph is to stay the one that kept numbers were made with.

    Args:
      labels: [N] integers in [0, num_classes).
      num_classes: how many classes there are.
      dtype: of the result.
      training: whether it is a training step's.

    Returns:
      [N, num_classes].

    Raises:
      ValueError: if a label is no class; eagerly only.
    """
    labels = tf.convert_to_tensor(labels)
    rows = tf.one_hot(labels, num_classes, dtype=dtype)
    if training and not tf.executing_eagerly():
        return rows
    inside = (labels >= 0) & (labels < num_classes)
    if not tf.executing_eagerly():
        return tf.where(inside[:, None], rows, tf.constant(float("nan"), rows.dtype))
    if not bool(tf.reduce_all(inside)):
        wrong = tf.boolean_mask(labels, ~inside)
        raise ValueError(
            f"labels must be from 0 to {num_classes - 1}, not {int(wrong[0])} "
            f"({len(wrong)} of {len(labels)} are not)"
        )
    return rows
