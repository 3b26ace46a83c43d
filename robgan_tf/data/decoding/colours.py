"""Colours as Pillow converts them, in whole numbers: transparency, and grayscale."""

import tensorflow as tf


def over_white(colours: tf.Tensor) -> tf.Tensor:
    """Lays colours with opacity over white, as `PIL.Image.alpha_composite` does.

    Args:
      colours: uint8 [H, W, 4], red, green, blue and opacity.

    Returns:
      uint8 [H, W, 3].
    """
    values = tf.cast(colours, tf.int32)
    opacity = values[..., 3:]
    # Pillow keeps 7 more bits, and divides by 255 with shifts.
    mixed = (values[..., :3] * opacity + 255 * (255 - opacity) + 0x80) * 128
    return tf.cast(((mixed // 256 + mixed) // 256) // 128, tf.uint8)


def as_channels(colours: tf.Tensor, channels: int) -> tf.Tensor:
    """Turns uint8 [H, W, 3] into grayscale [H, W, 1] (ITU-R 601, rounded) where it is asked for."""
    if channels == 3:
        return colours
    weights = tf.constant([19595, 38470, 7471])  # of 65536
    gray = tf.reduce_sum(tf.cast(colours, tf.int32) * weights, axis=-1, keepdims=True)
    return tf.cast((gray + 0x8000) // 65536, tf.uint8)
