"""Generated images for the classifier, batch by batch: of a G, of an exported one, or stored ones.

Streams are endless iterators of (images float32 [count, H, W, C] in [-1, 1], labels
int32 [count]); its element k belongs to step start_step + k + 1 and is a function of the seed and
that step.
"""

import functools
import itertools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from robgan_tf.config.groups import DataSettings
from robgan_tf.data import load_generated_images, training_batches
from robgan_tf.data.load import ImageData
from robgan_tf.data.sources import ImageSource
from robgan_tf.errors import UserError, first_line
from robgan_tf.models.model_files import load_saved_model
from robgan_tf.models.players import Generator
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.stages.finished import FinishedRun
from robgan_tf.typing import GeneratorFunction, LabelledImages, PathLike

# Sets the order and augmentation of stored images apart from those of the real ones.
_STORED_SEED = 2**32


def open_generated(
    gan: FinishedRun | None,
    path: str | None,
    settings: DataSettings,
    data: ImageData,
    count: int,
    seed: int,
    rows: np.ndarray | None = None,
) -> Callable[..., Iterator[LabelledImages]]:
    """Opens generated images where they are asked for.

    Args:
      gan: the FinishedRun whose averaged G makes them, unless there is a path.
      path: an npz file, a folder of class folders or the SavedModel of a generator; or None.
      settings: DataSettings.
      data: ImageData of the real images.
      count: images a step.
      seed: the run's seed.
      rows: positions of those of each batch that are made, as in `data.training_batches`.

    Returns:
      Function from the number of steps already made to the iterator of batches.

    Raises:
      UserError: if they cannot be used.
    """
    shape = {"resolution": settings.resolution, "channels": settings.channels}
    if path is not None and not (pathlib.Path(path) / "saved_model.pb").exists():
        stored = load_generated_images(path, data.class_names, **shape)
        if not stored.has_classes:
            raise UserError(
                f"{path} holds images without classes, and a classifier needs their labels "
                "(--generated)"
            )
        return functools.partial(
            stream_of_stored,
            stored.source,
            count=count,
            seed=seed,
            augmentation=settings.augmentation,
            dequantize=settings.dequantize,
            rows=rows,
        )
    if path is None:
        assert gan is not None, "generated images of neither a run nor a path"
        generator = gan.load_generator()
        generate, latent_size = _in_inference_mode(generator), generator.latent_size
    else:
        generate, latent_size = load_exported_generator(
            path, num_classes=settings.num_classes, **shape
        )
    return functools.partial(
        stream_of_generator,
        generate,
        latent_size,
        settings.num_classes,
        count=count,
        seed=seed,
        rows=rows,
    )


def stream_of_generator(
    generate: GeneratorFunction,
    latent_size: int,
    num_classes: int,
    *,
    count: int,
    seed: int,
    start_step: int,
    rows: np.ndarray | None = None,
) -> Iterator[LabelledImages]:
    """Images of a generator, for latents and classes drawn anew at each step.

    Args:
      generate: function of (latents [count, latent_size], labels [count]) to images, in inference
        mode.
      latent_size: length of z.
      num_classes: classes to draw from, evenly.
      count: images a step.
      seed: the run's seed.
      start_step: steps already made.
      rows: as in `open_generated`.
    """

    @tf.function(autograph=False)
    def batch(step: tf.Tensor) -> LabelledImages:
        latents = tf.random.stateless_normal(
            [count, latent_size], derive_seed(seed, Purpose.LATENTS, step)
        )
        labels = tf.random.stateless_uniform(
            [count], derive_seed(seed, Purpose.LABELS, step), maxval=num_classes, dtype=tf.int32
        )
        if rows is not None:
            latents, labels = tf.gather(latents, rows), tf.gather(labels, rows)
        images = tf.cast(generate(latents, labels), tf.float32)
        return tf.clip_by_value(images, -1.0, 1.0), labels

    for step in itertools.count(start_step + 1):
        yield batch(tf.constant(step, tf.int64))


def stream_of_stored(
    source: ImageSource,
    *,
    count: int,
    seed: int,
    start_step: int,
    augmentation: str,
    dequantize: bool,
    rows: np.ndarray | None = None,
) -> Iterator[LabelledImages]:
    """Stored images in random order, prepared as the real ones are.

    Args:
      source: an ImageSource.
      count: images a step.
      seed: the run's seed.
      start_step: steps already made.
      augmentation: as in `data.training_batches`.
      dequantize: as in `data.training_batches`.
      rows: likewise.
    """
    batches = training_batches(
        source,
        batch_size=count,
        updates_per_step=1,
        seed=seed + _STORED_SEED,
        start_step=start_step,
        augmentation=augmentation,
        dequantize=dequantize,
        rows=rows,
    )
    for batch in batches:
        yield batch["images"][0], batch["labels"][0]


def load_exported_generator(
    path: PathLike, resolution: int, channels: int, num_classes: int
) -> tuple[GeneratorFunction, int]:
    """Loads the `generate` signature of an exported generator.

    Args:
      path: SavedModel directory whose signature takes `latents` [N, z] and `labels` [N] and gives
        `images` [N, H, W, C], floats in [-1, 1].
      resolution: side of the images needed.
      channels: channels of the images needed.
      num_classes: classes that are asked for.

    Returns:
      (function of latents and labels to images, length of z).

    Raises:
      UserError: if it cannot be loaded or has no such signature.
    """
    try:
        loaded = load_saved_model(path)
    except ValueError as error:
        raise UserError(
            f"generator {path} cannot be loaded: {first_line(error)} (--generated)"
        ) from error
    if "generate" not in loaded.signatures:
        known = ", ".join(loaded.signatures) or "none"
        raise UserError(f"generator {path} has no signature `generate`: {known} (--generated)")
    signature = loaded.signatures["generate"]
    inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
    if set(inputs) != {"latents", "labels"} or "images" not in outputs:
        raise UserError(
            f"the signature `generate` of {path} takes {', '.join(inputs)} and gives "
            f"{', '.join(outputs)}; latents, labels and images are needed (--generated)"
        )
    latent_size, label_type = inputs["latents"].shape[-1], inputs["labels"].dtype

    # The variables live no longer than what was loaded, so it is bound to the function.
    def generate(latents: tf.Tensor, labels: tf.Tensor, _loaded: Any = loaded) -> tf.Tensor:
        return signature(latents=latents, labels=tf.cast(labels, label_type))["images"]

    probe = generate(tf.zeros([1, latent_size]), tf.constant([num_classes - 1]))
    if probe.dtype != tf.float32 or probe.shape[1:] != (resolution, resolution, channels):
        raise UserError(
            f"generator {path} gives {probe.dtype.name} images {list(probe.shape[1:])}; float32 "
            f"[{resolution}, {resolution}, {channels}] are needed (--generated)"
        )
    return generate, latent_size


def _in_inference_mode(generator: Generator) -> GeneratorFunction:
    return lambda latents, labels: generator(latents, labels, training=False)
