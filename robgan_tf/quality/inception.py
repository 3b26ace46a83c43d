"""The Inception networks of published scores: the graph of 2015, and that of keras.applications.

They have different weights and resize differently, so scores by one cannot be compared with scores
by the other.
"""

import functools
import hashlib
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from google.protobuf.message import DecodeError

from robgan_tf.errors import UserError, first_line
from robgan_tf.models.model_files import load_saved_model
from robgan_tf.programs import announce_program
from robgan_tf.typing import PathLike

SIZE = 299
GRAPH_FILE = "classify_image_graph_def.pb"
# Those who made the file state none. Three public repositories (MIND-B's, CoFiTok's and another)
# state this one for the copy that OpenAI's guided-diffusion downloads; its 95,673,916 bytes are as
# many as those of the file in inception-2015-12-05.tgz.
GRAPH_SHA256 = "009d6814d1bc560d4e7b236e170e9b2d5ca6f4b57bd8037f6db05776204415c6"

# Nodes of the graph: decoded pixels in [0, 255], a batch of one; the same resized and scaled; the
# pooled features [N, 1, 1, 2048]; their product with the weights of the last layer, [N, 1008].
_PIXELS, _SCALED, _POOLED, _PRODUCT = "ExpandDims", "Mul", "pool_3", "softmax/logits/MatMul"


def load_inception2015(path: PathLike) -> tuple[Callable[[Any], tuple[Any, Any]], bool]:
    """Loads the Inception network of 2015-12-05, by which IS and FID are published.

    A file is the frozen graph classify_image_graph_def.pb or a descendant of it. Its tensors are
    found by name: images are fed at ExpandDims:0, in front of the graph's own resizing, or, in a
    graph without that tensor, at Mul:0, behind its resizing and scaling, which are then reproduced.
    Features are pool_3:0. Logits are their product with the second input of softmax/logits/MatMul,
    without the biases: so the first implementation of IS had it, and all that reproduce it.

    A directory is a SavedModel that maps images [N, 299, 299, 3], resized and scaled as in the
    graph, to a dict with pool_3 and logits (TF-GAN's names), which are taken as they are. It is
    called as a function or by its signature serving_default.

    Resizing is bilinear as in TensorFlow 1: no smoothing, and corners of pixels, not centres, as
    fixed points. Scaling is (pixel - 128) / 128.

    Args:
      path: of the frozen graph or the SavedModel.

    Returns:
      A function from float32 images [N, H, W, 3] in [0, 255] to features [N, 2048] and logits
      [N, 1008]; whether the file is the original by its sha256, which no SavedModel is.

    Raises:
      UserError: if it is not there, cannot be read or lacks what is named above.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        return _saved_model(path), False
    if not path.is_file():
        raise UserError(
            f"the Inception graph {path} does not exist; robgan-tf download_inception fetches "
            f"{GRAPH_FILE}"
        )
    content = path.read_bytes()
    is_original = hashlib.sha256(content).hexdigest() == GRAPH_SHA256
    if not is_original:
        announce_program("Graph", path)
    return _frozen_graph(content, path), is_original


def resize_tf1(images: tf.Tensor) -> tf.Tensor:
    """Resizes images to 299 x 299 pixels as the graph of 2015 does; see `load_inception2015`."""
    return tf.raw_ops.ResizeBilinear(
        images=images, size=[SIZE, SIZE], align_corners=False, half_pixel_centers=False
    )


def load_keras_inception(
    path: PathLike,
) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor | None]]:
    """Loads InceptionV3 of keras.applications.

    Args:
      path: its weights in HDF5, with or without the last layer, of 1000 classes.

    Returns:
      A function from float32 images [N, 299, 299, 3] in [-1, 1] to average-pooled features
      [N, 2048] and logits [N, 1000], or None where the file has no last layer.

    Raises:
      UserError: if there is no such file or it holds something else.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"the weights {path} of keras.applications.InceptionV3 do not exist")
    for has_top in (True, False):
        model = keras.applications.InceptionV3(
            include_top=has_top,
            weights=None,
            input_shape=(SIZE, SIZE, 3),
            pooling="avg",
            classifier_activation=None,
        )
        try:
            with warnings.catch_warnings(action="ignore"):  # Of each layer before the error.
                model.load_weights(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = first_line(error)
            continue
        if not has_top:
            return functools.partial(_features_only, model)
        both = keras.Model(model.input, [model.get_layer("avg_pool").output, model.output])
        return functools.partial(_features_and_logits, both)
    raise UserError(f"{path} does not hold weights of keras.applications.InceptionV3: {reason}")


def _features_only(model: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, None]:
    return model(images, training=False), None


def _features_and_logits(model: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tuple(model(images, training=False))


def _scale(images: tf.Tensor) -> tf.Tensor:
    return (images - 128.0) * 0.0078125


def _frozen_graph(content: bytes, path: pathlib.Path) -> Callable[[Any], tuple[Any, Any]]:
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(content)
    except DecodeError as error:
        raise UserError(f"{path} is not a frozen graph (a GraphDef): {error}") from error
    names = {node.name for node in graph.node}
    entry = _PIXELS if _PIXELS in names else _SCALED
    missing = {entry, _POOLED, _PRODUCT} - names
    if missing:
        raise UserError(
            f"{path} is not the Inception graph of 2015: it has no {', '.join(sorted(missing))}"
        )
    for node in graph.node:
        # Both are of the machine that saved the graph; its shapes are those of a single image.
        node.device = ""
        node.attr.pop("_output_shapes", None)
    resizes = entry == _PIXELS and any(node.op == "ResizeBilinear" for node in graph.node)
    # A session, because tf.function refuses BatchNormWithGlobalNormalization, an operation of 2015.
    with tf.Graph().as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
        resized = images if resizes else resize_tf1(images)
        fed = resized if entry == _PIXELS else _scale(resized)
        try:
            pooled, product = tf.graph_util.import_graph_def(
                graph, {f"{entry}:0": fed}, [f"{_POOLED}:0", _PRODUCT], name=""
            )
        except ValueError as error:
            raise UserError(f"the graph {path} cannot be used: {first_line(error)}") from error
        weights = product.inputs[1]
        features = tf.reshape(pooled, [-1, weights.shape[0]])
        logits = tf.matmul(features, weights)
        session = tf.compat.v1.Session()
    return lambda pixels: session.run((features, logits), {images: pixels})


def _saved_model(path: pathlib.Path) -> Callable[[Any], tuple[Any, Any]]:
    try:
        loaded = load_saved_model(path)
    except ValueError as error:
        raise UserError(f"the SavedModel {path} cannot be loaded: {first_line(error)}") from error
    signature = loaded.signatures.get("serving_default")
    if not callable(loaded) and signature is None:
        raise UserError(f"the SavedModel {path} has no signature serving_default")

    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = _scale(resize_tf1(images))
        if callable(loaded):
            outputs = loaded(images)
        else:
            (name,) = signature.structured_input_signature[1]
            outputs = signature(**{name: images})
        if not isinstance(outputs, dict) or not {"pool_3", "logits"} <= outputs.keys():
            raise UserError(f"the SavedModel {path} does not give pool_3 and logits")
        flat = (outputs[name] for name in ("pool_3", "logits"))
        return tuple(tf.reshape(part, [tf.shape(part)[0], -1]) for part in flat)

    return network
