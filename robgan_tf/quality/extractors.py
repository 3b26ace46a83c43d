"""What turns images into the features and class probabilities that image quality is measured by.

A score means nothing without its extractor and how images were resized for it, so an extractor's
name says both and belongs into the name of every number.
"""

import dataclasses
import functools
import importlib.util
import pathlib
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.data.batches import scale_images
from robgan_tf.errors import UserError, first_line
from robgan_tf.files import tree_digest
from robgan_tf.quality import inception
from robgan_tf.quality.moments import row_blocks
from robgan_tf.robustness.subjects import InputRange, are_probabilities
from robgan_tf.typing import PathLike

BATCH_SIZE = 50
PIXELS = "pixels"
PIXELS_SIDE = 8
SPECS = (
    "pixels, inception2015:PATH, keras_inceptionv3:WEIGHTS.h5, FILE.py:FUNCTION, or the path of a "
    "SavedModel directory or a .keras or .h5 file"
)
_PROBE_IMAGES = 3

# Height, width and channels of images; None where a network takes any.
ImageShape = tuple[int, int, int]
FreeShape = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A function from images to features and class probabilities, and what it is called.

    Attributes:
      name: extractor and resizing, such as "keras-inceptionv3-antialias299", for names of scores.
      call: function from uint8 images [n, H, W, C] to features [n, d], to (features, logits
        [n, K]), or to a dict with features and perhaps logits.
      dimensions: d.
      classes: K, or None where it gives no logits.
      image_shape: (H, W, C) of the images it was opened for.
      source: what identifies its weights, for records.
      probe: float32 [n, d], the features of images that are the same for every extractor.
    """

    name: str
    call: Callable[[np.ndarray], Any]
    dimensions: int
    classes: int | None
    image_shape: ImageShape
    source: str
    probe: np.ndarray

    @property
    def identity(self) -> str:
        """Name and weights, wherever they are."""
        return f"{self.name} ({self.source})"

    def __call__(
        self, images: np.ndarray, batch_size: int = BATCH_SIZE
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Extracts from any number of images, a batch at a time.

        Args:
          images: uint8 [N, H, W, C], quantised as saved images are; N may be 0.
          batch_size: images at a time; results depend on it by rounding only.

        Returns:
          Features, float32 [N, d], and the softmax of the logits, float32 [N, K], or None where
          there are none.

        Raises:
          UserError: if the images are others, or the output is not what it was on opening or is
            not finite.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != self.image_shape:
            raise UserError(
                f"{self.name} was opened for uint8 images of shape {_shown(self.image_shape)}; "
                f"these are {images.dtype} of shape {_shown(images.shape[1:])}"
            )
        features = np.empty([len(images), self.dimensions], np.float32)
        probabilities = None
        if self.classes is not None:
            probabilities = np.empty([len(images), self.classes], np.float32)
        for rows in row_blocks(len(images), batch_size):
            some_features, logits = _outputs(self.name, self.call, images[rows])
            widths = some_features.shape[1], None if logits is None else logits.shape[1]
            if widths != (self.dimensions, self.classes):
                raise UserError(
                    f"{self.name} gave {self.dimensions} features and {self.classes} logits at "
                    f"first and {widths[0]} and {widths[1]} later"
                )
            features[rows] = some_features
            if logits is not None and probabilities is not None:
                probabilities[rows] = _softmax(logits)
        return features, probabilities


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
    python = re.fullmatch(r"(.+\.py)(?::(\w*))?", spec)
    if python:
        return _python_function(python[1], python[2], shape)
    return _model_file(spec, shape)


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

    name = f"{_plain(name)}-antialias{model.resolution}"
    resolution = resolution or model.resolution
    shape = (resolution, resolution, channels or model.channels)
    wanted = (model.resolution, model.resolution, model.channels)
    return _opened(name, _pipeline(name, network, InputRange(), wanted, shape), shape, source)


def _pixels(shape: ImageShape) -> FeatureExtractor:
    side = PIXELS_SIDE if shape[0] % PIXELS_SIDE == 0 else shape[0]
    factor = shape[0] // side

    def call(images: np.ndarray) -> tf.Tensor:
        means = tf.nn.avg_pool2d(scale_images(images), factor, factor, "VALID")
        return tf.reshape(means, [len(images), -1])

    return _opened(f"pixels-area{side}", call, shape, source="")


def _inception2015(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    network, is_original = inception.load_inception2015(path)
    name = "inception2015-tf1resize" if is_original else "inception2015-unverified-tf1resize"

    def call(images: np.ndarray) -> Any:
        return network(_with_channels(name, images, 3).numpy().astype(np.float32))

    return _opened(name, call, shape, _identity(path))


def _keras_inception(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    name = f"keras-inceptionv3-antialias{inception.SIZE}"
    network = inception.load_keras_inception(path)
    call = _pipeline(name, network, InputRange(), (inception.SIZE, inception.SIZE, 3), shape)
    return _opened(name, call, shape, _identity(path))


_INCEPTIONS = {"inception2015": _inception2015, "keras_inceptionv3": _keras_inception}


def _python_function(
    path: PathLike, function_name: str | None, shape: ImageShape
) -> FeatureExtractor:
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"the Python file {path} of the extractor does not exist")
    if not function_name:
        raise UserError(f"which function of {path}? Give {path}:FUNCTION")
    spec = importlib.util.spec_from_file_location(f"robgan_tf_extractor_{path.stem}", path)
    assert spec is not None and spec.loader is not None, "Python knows how to load a .py file"
    module = importlib.util.module_from_spec(spec)
    # As for an ordinary import; dataclasses, for one, look their module up there.
    sys.modules[spec.name] = module
    # As for a script: it may import what is beside it, now or when it is called.
    sys.path.append(str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"{path} cannot be imported: {_described(error)}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"{path} has no function {function_name}")
    name = f"callable-{_file_name(path)}-{function_name}-asis"
    return _opened(name, function, shape, _identity(path))


def _model_file(path: PathLike, shape: ImageShape) -> FeatureExtractor:
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"the extractor {path} does not exist; give {SPECS}")
    try:
        network, wanted = (_saved_model if path.is_dir() else _keras_file)(path)
    except (OSError, ValueError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"the extractor {path} cannot be loaded: {_described(error)}; give {SPECS}"
        ) from error
    if len(wanted) != 3 or wanted[0] != wanted[1]:
        raise UserError(
            f"the extractor {path} takes inputs of shape {_shown(wanted)}; square images "
            "height x width x channels are needed"
        )
    name = f"{_file_name(path)}-{f'antialias{wanted[0]}' if wanted[0] else 'asis'}"
    call = _pipeline(name, network, InputRange(0.0, 255.0), wanted, shape)
    return _opened(name, call, shape, _identity(path))


def _saved_model(path: pathlib.Path) -> tuple[Callable[[tf.Tensor], Any], FreeShape]:
    """The function of a SavedModel and the shape of an image it takes, None where it is free."""
    loaded = tf.saved_model.load(str(path))
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ValueError("it has no signature serving_default")
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise ValueError(f"it takes {', '.join(inputs)}; one tensor of images is needed")
    ((name, spec),) = inputs.items()

    # The variables live no longer than what was loaded, so it is bound to the function.
    def network(images: tf.Tensor, _loaded: Any = loaded) -> Any:
        if spec.dtype.is_integer:
            images = tf.round(images)
        return signature(**{name: tf.saturate_cast(images, spec.dtype)})

    return network, _image_shape(spec.shape)


def _keras_file(path: pathlib.Path) -> tuple[Callable[[tf.Tensor], Any], FreeShape]:
    """A Keras model and the shape of an image it takes, None where it is free."""
    model = keras.models.load_model(path, compile=False)
    # A subclassed model may not know its input.
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, (list, dict)):
        raise ValueError("it takes several inputs; one tensor of images is needed")
    return functools.partial(model, training=False), _image_shape(tf.TensorShape(shape))


def _image_shape(shape: tf.TensorShape) -> FreeShape:
    return (None, None, None) if shape.rank is None else tuple(shape[1:])


def _pipeline(
    name: str,
    network: Callable[[tf.Tensor], Any],
    input_range: InputRange,
    wanted: FreeShape,
    shape: ImageShape,
) -> Callable[[np.ndarray], Any]:
    """Compiles channels, resizing, scaling and a network for images of one shape.

    Args:
      name: for messages.
      network: function from float images of shape `wanted` in the input range to outputs.
      input_range: an InputRange.
      wanted: (height, width, channels) the network takes, None where it is free.
      shape: (height, width, channels) of the images.

    Returns:
      A function from uint8 images to outputs.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, *shape], tf.uint8)], autograph=False)
    def call(images: tf.Tensor) -> Any:
        images = _with_channels(name, images, wanted[2])
        if wanted[0] not in (None, shape[0]):
            images = _resize_antialiased(images, wanted[0])
        return network(input_range(scale_images(images)))

    return call


def _with_channels(name: str, images: tf.Tensor | np.ndarray, wanted: int | None) -> tf.Tensor:
    images = tf.convert_to_tensor(images)
    channels = images.shape[-1]
    if wanted in (None, channels):
        return images
    if channels != 1:
        raise UserError(f"{name} needs images of {wanted} channels, and these have {channels}")
    return tf.repeat(images, wanted, axis=-1)


def _resize_antialiased(images: tf.Tensor, size: int) -> tf.Tensor:
    """Resizes uint8 images as Pillow does floats, and leaves them unrounded."""
    resized = tf.image.resize(images, [size, size], "bicubic", antialias=True)
    return tf.clip_by_value(resized, 0.0, 255.0)


def _opened(
    name: str, call: Callable[[np.ndarray], Any], shape: ImageShape, source: str
) -> FeatureExtractor:
    """Calls an extractor once to see what it gives."""
    probe = np.random.default_rng(0).integers(0, 256, [_PROBE_IMAGES, *shape], np.uint8)
    features, logits = _outputs(name, call, probe)
    if logits is not None and are_probabilities(logits):
        raise UserError(
            f"{name} gives probabilities for logits; leave out its last activation, since a "
            "softmax follows"
        )
    classes = None if logits is None else logits.shape[1]
    return FeatureExtractor(name, call, features.shape[1], classes, shape, source, features)


def _outputs(
    name: str, call: Callable[[np.ndarray], Any], images: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features and logits or None of one batch, float32 and checked."""
    try:
        features, logits = _parts(name, call(images))
        features = np.asarray(features, np.float32)
        logits = None if logits is None else np.asarray(logits, np.float32)
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # A user's function may raise anything.
        raise UserError(
            f"{name} fails on images of shape {_shown(images.shape[1:])}: {_described(error)}"
        ) from error
    _check_matrix(name, "features", "d", features, len(images))
    if logits is not None:
        _check_matrix(name, "logits", "classes", logits, len(images))
    return features, logits


def _parts(name: str, output: Any) -> tuple[Any, Any]:
    """Features, and logits or None, of what an extractor returned."""
    if isinstance(output, dict):
        # The latter are the names Keras gives the outputs of an exported model without names.
        for names in (("features", "logits"), ("output_0", "output_1")):
            if set(output) == set(names):
                return output[names[0]], output[names[1]]
        if len(output) == 1 or "features" in output:
            return output.get("features", next(iter(output.values()))), output.get("logits")
        raise UserError(f"{name} gives {', '.join(output)}; features and logits are needed")
    if not isinstance(output, (tuple, list)):
        return output, None
    if len(output) not in (1, 2):
        raise UserError(f"{name} gives {len(output)} outputs; features and logits are needed")
    return output[0], output[1] if len(output) == 2 else None


def _check_matrix(name: str, part: str, columns: str, values: np.ndarray, count: int) -> None:
    if values.ndim != 2 or len(values) != count or not values.shape[1]:
        pooling = ": pool them over the image" if values.ndim == 4 else ""
        raise UserError(
            f"{name} gives {part} of shape {values.shape} for {count} images; [N, {columns}] is "
            f"needed{pooling}"
        )
    if not np.isfinite(values).all():
        raise UserError(f"{name} gives infinite or NaN {part}")


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _identity(path: PathLike) -> str:
    return f"{pathlib.Path(path).name} {tree_digest(path)}"


def _file_name(path: pathlib.Path) -> str:
    """The part of an extractor's name that is of a file or directory."""
    name = path.stem if path.is_file() else path.name
    if name.isdecimal():  # A version of an exported model: its own name is the folder's.
        name = f"{path.resolve().parent.name}_{name}"
    return _plain(name)


def _plain(text: str) -> str:
    """A part of an extractor's name; it becomes part of names of metrics and files."""
    return re.sub(r"[^\w.-]+", "_", text)


def _shown(shape: Sequence[int | None]) -> str:
    return " x ".join("any" if side is None else str(side) for side in shape)


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
