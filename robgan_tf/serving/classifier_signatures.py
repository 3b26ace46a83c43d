"""What an exported classifier and an exported discriminator answer."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.data import scale_images
from robgan_tf.data.sources import resize_antialiased
from robgan_tf.serving.request_checks import (
    checked_count,
    checked_images,
    checked_pixels,
    checked_shape,
)
from robgan_tf.typing import Scalars

TOP_CLASSES = 5


def classifier_signatures(
    model: keras.Model, class_names: Sequence[str], with_realness: bool
) -> dict[str, Any]:
    """Builds the signatures of a classifier in inference mode.

    `classify`: images float32 [N, H, W, C] in [-1, 1];
    `classify_uint8`: images uint8 [N, H, W, C] of any size;
    `classify_bytes`: image_bytes [N], encoded PNG, JPEG, BMP or GIF (its first frame).
    Images of other sizes are cut to their centre square and resized, as training images are.
    All give `probabilities` and `logits` [N, K], `top_classes` (names) and `top_probabilities`
    [N, 5], and `realness` [N], the probability that D gives to "real".

    Args:
      model: a built float32 model that returns (source logits, class logits).
      class_names: names of the classes.
      with_realness: whether the source head was ever trained.

    Returns:
      Dict from name to tf.function with an input signature.
    """
    side, channels = model.resolution, model.channels

    def answer(images: tf.Tensor) -> Scalars:
        outputs = classified(model, images)
        top, indices = tf.math.top_k(outputs["probabilities"], min(TOP_CLASSES, len(class_names)))
        outputs["top_classes"] = tf.gather(tf.constant(class_names), indices)
        outputs["top_probabilities"] = top
        if not with_realness:
            del outputs["realness"]
        return outputs

    floats = tf.TensorSpec([None, side, side, channels], tf.float32, "images")

    @tf.function(input_signature=[floats])
    def classify(images: tf.Tensor) -> Scalars:
        return answer(checked_images(checked_count(checked_shape(images, floats))))

    of_any_size = tf.TensorSpec([None, None, None, channels], tf.uint8, "images")

    @tf.function(input_signature=[of_any_size])
    def classify_uint8(images: tf.Tensor) -> Scalars:
        images = checked_count(checked_shape(images, of_any_size))
        return answer(scale_images(fit(images, side)))

    encoded = tf.TensorSpec([None], tf.string, "image_bytes")

    @tf.function(input_signature=[encoded])
    def classify_bytes(image_bytes: tf.Tensor) -> Scalars:
        image_bytes = checked_count(checked_shape(image_bytes, encoded))

        def decode(encoded: tf.Tensor) -> tf.Tensor:
            image = tf.io.decode_image(encoded, channels, expand_animations=False)
            return fit(image[None], side)[0]

        spec = tf.TensorSpec([side, side, channels], tf.uint8)
        return answer(scale_images(tf.map_fn(decode, image_bytes, fn_output_signature=spec)))

    return {
        "classify": classify,
        "classify_uint8": classify_uint8,
        "classify_bytes": classify_bytes,
    }


def discriminator_signatures(model: keras.Model) -> dict[str, Any]:
    """Builds the signature of a discriminator in inference mode.

    `discriminate`: images float32 [N, H, W, C] in [-1, 1] -> `source_logits` [N], positive for
    real, `realness` [N] their sigmoid, `class_logits` [N, K].

    Args:
      model: a built float32 D.

    Returns:
      Dict from name to tf.function with an input signature.
    """
    side = model.resolution
    spec = tf.TensorSpec([None, side, side, model.channels], tf.float32, "images")

    @tf.function(input_signature=[spec])
    def discriminate(images: tf.Tensor) -> Scalars:
        images = checked_images(checked_count(checked_shape(images, spec)))
        return discriminated(model, images)

    return {"discriminate": discriminate}


def classified(model: keras.Model, images: tf.Tensor) -> Scalars:
    """What a classifier says of images that have been checked: a dict of numbers."""
    source_logits, logits = model(images, training=False)
    return {
        "logits": logits,
        "probabilities": tf.nn.softmax(logits),
        "realness": tf.sigmoid(source_logits),
    }


def discriminated(model: keras.Model, images: tf.Tensor) -> Scalars:
    """What a discriminator says of images that have been checked: a dict of numbers."""
    source_logits, class_logits = model(images, training=False)
    return {
        "source_logits": source_logits,
        "realness": tf.sigmoid(source_logits),
        "class_logits": class_logits,
    }


def fit(images: tf.Tensor, side: int) -> tf.Tensor:
    """Cuts uint8 images [N, H, W, C] to their centre square and resizes them to a side."""
    images = checked_pixels(images)
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    shorter = tf.minimum(height, width)
    top, left = (height - shorter) // 2, (width - shorter) // 2
    square = images[:, top : top + shorter, left : left + shorter]
    fitted = tf.cond(
        tf.equal(shorter, side), lambda: square, lambda: resize_antialiased(square, side)
    )
    return tf.ensure_shape(fitted, [None, side, side, images.shape[-1]])
