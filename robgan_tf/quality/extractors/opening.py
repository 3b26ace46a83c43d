"""The kinds of extractor there are, by how they are asked for.

A score means nothing without its extractor and how images were resized for it, so an extractor's
name says both and belongs into the name of every number.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.data.batches import scale_images
from robgan_tf.errors import UserError
from robgan_tf.programs import python_spec
from robgan_tf.quality import inception
from robgan_tf.quality.extractors.extractor import FeatureExtractor, ImageShape
from robgan_tf.quality.extractors.from_file import (
    SPECS,
    identity,
    model_file,
    plain,
    python_function,
)
from robgan_tf.quality.extractors.opened import opened
from robgan_tf.quality.extractors.pipeline import pipeline, with_channels
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.typing import PathLike

PIXELS = "pixels"
PIXELS_SIDE = 8


def open_extractor(spec: str, resolution: int, channels: int) -> FeatureExtractor:
    """Opens a feature extractor.

    Images of one channel are repeated to three for extractors that need three, except by a Python
    function, which gets them as they are.

    Args:
      spec: one of
        pixels, the image itself, averaged down to 8 x 8 where that divides its side: at hand
          anywhere and blind to what an image shows, so good for alarms and not for ranking;
        inception2015:PATH, the network of published scores; see `inception.load_inception2015`.
          Called "inception2015-tf1resize" if PATH is the original file, by its sha256, otherwise
          "inception2015-unverified-tf1resize";
        keras_inceptionv3:WEIGHTS.h5, a file of weights for keras.applications.InceptionV3;
        FILE.py:FUNCTION, a Python function that takes a uint8 array [n, H, W, C] and returns
          features [n, d] or (features, logits [n, K]), as arrays or tensors;
        the path of a SavedModel directory, of which the signature serving_default is used, or of a
          .keras or .h5 file. It gets pixels from 0 to 255. Its outputs are as above, or a dict
          with features and perhaps logits. Images are resized, bicubic and antialiased, to its
          input size if it has one.
      resolution: height and width of the images in pixels.
      channels: of the images.

    Returns:
      A FeatureExtractor.

    Raises:
      UserError: if it does not exist, cannot be loaded or called, or its output is not as above.
    """
    shape = (resolution, resolution, channels)
    if spec == PIXELS:
        return _pixels(shape)
    kind, _, path = spec.partition(":")
    if kind in _INCEPTIONS:
        if not path:
            raise UserError(f"which file is extractor {spec}? Give {SPECS}")
        return _INCEPTIONS[kind](path, shape)
    python = python_spec(spec)
    if python is not None:
        return python_function(*python, shape)
    return model_file(spec, shape)


def classifier_extractor(
    model: keras.Model,
    name: str,
    resolution: int | None = None,
    channels: int | None = None,
    source: str = "",
) -> FeatureExtractor:
    """Makes an extractor of a trained classifier of this package.

    Features are what its heads see, pooled over the image; logits are those of its class head.

    Args:
      model: a built ResNetDiscriminator, PreActResNet18 or other model with `features(images)`,
        `class_head`, `resolution` and `channels`.
      name: what to call it; its own resolution is added as "-antialias32" or the like.
      resolution: height and width of the images in pixels; the model's own if not given. Others
        are resized, bicubic and antialiased.
      channels: of the images; the model's own if not given.
      source: what identifies its weights, for records.

    Returns:
      A FeatureExtractor.

    Raises:
      UserError: if the model takes other images, or its outputs are not finite.
    """

    def network(images: tf.Tensor) -> Any:
        features, head = model.features(images), model.class_head
        return features if head is None else (features, head(features, training=False))

    name = f"{plain(name)}-antialias{model.resolution}"
    resolution = resolution or model.resolution
    shape = (resolution, resolution, channels or model.channels)
    wanted = (model.resolution, model.resolution, model.channels)
    return opened(name, pipeline(name, network, InputRange(), wanted, shape), shape, source)


def _pixels(shape: ImageShape) -> FeatureExtractor:
    side = PIXELS_SIDE if shape[0] % PIXELS_SIDE == 0 else shape[0]
    factor = shape[0] // side

    def call(images: np.ndarray) -> tf.Tensor:
        means = tf.nn.avg_pool2d(scale_images(images), factor, factor, "VALID")
        return tf.reshape(means, [len(images), -1])

    return opened(f"pixels-area{side}", call, shape, source="")


def _inception2015(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    network, is_original = inception.load_inception2015(path)
    name = "inception2015-tf1resize" if is_original else "inception2015-unverified-tf1resize"

    def call(images: np.ndarray) -> Any:
        return network(with_channels(name, images, 3).numpy().astype(np.float32))

    return opened(name, call, shape, identity(path))


def _keras_inception(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    name = f"keras-inceptionv3-antialias{inception.SIZE}"
    network = inception.load_keras_inception(path)
    call = pipeline(name, network, InputRange(), (inception.SIZE, inception.SIZE, 3), shape)
    return opened(name, call, shape, identity(path))


_INCEPTIONS = {"inception2015": _inception2015, "keras_inceptionv3": _keras_inception}
