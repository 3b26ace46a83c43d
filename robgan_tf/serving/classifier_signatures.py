"""What an exported classifier and an exported discriminator answer."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.data import scale_images
from robgan_tf.data.decoding import decode_picture, fit_square
from robgan_tf.serving.request_checks import (
    checked_count,
    checked_images,
    checked_pixels,
    checked_shape,
)
from robgan_tf.typing import Scalars

TOP_CLASSES = 5
# From source logits [N] to values in [0, 1], or to None: `SourceLoss.realness`.
Realness = Callable[[tf.Tensor], tf.Tensor | None]


def classifier_signatures(
    model: keras.Model,
    class_names: Sequence[str],
    realness: Realness | None,
    turns_images: bool = True,
) -> dict[str, Any]:
    """Builds the signatures of a classifier in inference mode.

    `classify`: images float32 [N, H, W, C] in [-1, 1];
    `classify_uint8`: images uint8 [N, H, W, C] of any size;
    `classify_bytes`: image_bytes [N], encoded JPEG, PNG, GIF, BMP or WebP.
    Images of other sizes are cut to their centre square and resized, and encoded ones decoded, to
    the very pixels that training reads from a folder.
    All give `probabilities` and `logits` [N, K], `top_classes` (names) and `top_probabilities`
    [N, 5], and `realness` [N], how certain D is of "real", where the source loss knows that.

    Args:
      model: a built float32 model that returns (source logits, class logits).
      class_names: names of the classes.
      realness: the function from source logits to it, of the loss that the source head was
        trained with; None where it was never trained.
      turns_images: whether encoded images are turned by their EXIF orientation, as training does
        unless it was begun by a version that did not.

    Returns:
      Dict from name to tf.function with an input signature.
    """
    side, channels = model.resolution, model.channels
    floats = tf.TensorSpec([None, side, side, channels], tf.float32, "images")

    # A function of its own: all signatures share one copy of the network.
    @tf.function(input_signature=[floats], autograph=False)
    def answer(images: tf.Tensor) -> Scalars:
        outputs = classified(model, images, realness)
        top, indices = tf.math.top_k(outputs["probabilities"], min(TOP_CLASSES, len(class_names)))
        outputs["top_classes"] = tf.gather(tf.constant(class_names), indices)
        outputs["top_probabilities"] = top
        return outputs

    @tf.function(input_signature=[floats], autograph=False)
    def classify(images: tf.Tensor) -> Scalars:
        return answer(checked_images(checked_count(checked_shape(images, floats))))

    of_any_size = tf.TensorSpec([None, None, None, channels], tf.uint8, "images")

    @tf.function(input_signature=[of_any_size], autograph=False)
    def classify_uint8(images: tf.Tensor) -> Scalars:
        images = checked_count(checked_shape(images, of_any_size))
        return answer(scale_images(fit_square(checked_pixels(images), side)))

    encoded = tf.TensorSpec([None], tf.string, "image_bytes")

    @tf.function(input_signature=[encoded], autograph=False)
    def classify_bytes(image_bytes: tf.Tensor) -> Scalars:
        image_bytes = checked_count(checked_shape(image_bytes, encoded))

        def decode(encoded: tf.Tensor) -> tf.Tensor:
            image = checked_pixels(decode_picture(encoded, side, channels, turns_images)[None])
            return fit_square(image, side)[0]

        spec = tf.TensorSpec([side, side, channels], tf.uint8)
        return answer(scale_images(tf.map_fn(decode, image_bytes, fn_output_signature=spec)))

    return {
        "classify": classify,
        "classify_uint8": classify_uint8,
        "classify_bytes": classify_bytes,
    }


def discriminator_signatures(model: keras.Model, realness: Realness | None) -> dict[str, Any]:
    """Builds the signature of a discriminator in inference mode.

    `discriminate`: images float32 [N, H, W, C] in [-1, 1] -> `source_logits` [N], higher for
    real, `realness` [N] and `class_logits` [N, K].

    Args:
      model: a built float32 D.
      realness: as in `classifier_signatures`.

    Returns:
      Dict from name to tf.function with an input signature.
    """
    side = model.resolution
    spec = tf.TensorSpec([None, side, side, model.channels], tf.float32, "images")

    @tf.function(input_signature=[spec], autograph=False)
    def discriminate(images: tf.Tensor) -> Scalars:
        images = checked_images(checked_count(checked_shape(images, spec)))
        return discriminated(model, images, realness)

    return {"discriminate": discriminate}


def classified(model: keras.Model, images: tf.Tensor, realness: Realness | None) -> Scalars:
    """What a classifier says of images that have been checked: a dict of numbers."""
    source_logits, logits = model(images, training=False)
    return {
        "logits": logits,
        "probabilities": tf.nn.softmax(logits),
        **_realness(source_logits, realness),
    }


def discriminated(model: keras.Model, images: tf.Tensor, realness: Realness | None) -> Scalars:
    """What a discriminator says of images that have been checked: a dict of numbers."""
    source_logits, class_logits = model(images, training=False)
    return {
        "source_logits": source_logits,
        **_realness(source_logits, realness),
        "class_logits": class_logits,
    }


def _realness(source_logits: tf.Tensor, realness: Realness | None) -> Scalars:
    value = None if realness is None else realness(source_logits)
    return {} if value is None else {"realness": value}
