"""From a source of images to the float batches that training and evaluation use."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from robgan_tf.data.augmentation import (
    Rows,
    area_boxes,
    random_flip,
    random_pad_crop_flip,
    two_seeds,
)
from robgan_tf.data.order import example_indices, sample_positions
from robgan_tf.data.sources import ImageSource, scale_images
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.typing import LabelledImages, Scalars

# Uniform noise added to the [-1, 1] image, from the paper's code: one quantisation step
# of an 8-bit image is 1/127.5 wide.
DEQUANTIZATION_WIDTH = 1.0 / 128.0

# Two steps are prepared at a time and two wait: enough to hide the pipeline behind a
# training step without taking the host's other cores.
_PARALLEL_STEPS = 2
_WAITING_STEPS = 2


def training_batches(
    source: ImageSource,
    *,
    batch_size: int,
    updates_per_step: int,
    seed: int,
    start_step: int = 0,
    augmentation: str = "none",
    dequantize: bool = True,
    rows: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Builds the endless stream of training steps.

    Element k is a pure function of (source, seed, start_step + k) and the settings, so a
    dataset with `start_step=k` continues one that has yielded k elements exactly.

    Args:
      source: `ImageSource` with at least one image.
      batch_size: samples in an update.
      updates_per_step: updates in a step.
      seed: the run's seed.
      start_step: the first step to yield.
      augmentation: one of `DATASET_AUGMENTATIONS`.
      dequantize: whether to add noise, uniform in [0, 1/128), and clip to [-1, 1].
      rows: positions of the samples of each batch that are read, where other workers read the
        others; None for all. What is read is the same whichever way.

    Returns:
      A `tf.data.Dataset` of dicts: "images", float32 `[updates_per_step, batch_size, H,
      W, C]` in [-1, 1], and "labels", int32 `[updates_per_step, batch_size]`; of `rows`, their
      number takes the place of batch_size.
    """
    wanted = None if rows is None else _rows_of_step(rows, updates_per_step, batch_size)
    with tf.device("CPU:0"):
        labels = tf.constant(source.labels, tf.int32)

    # As everywhere: without autograph, which it has no use for, tracing takes half as long.
    @tf.autograph.experimental.do_not_convert
    def make_step(step: tf.Tensor) -> Scalars:
        positions = sample_positions(step, updates_per_step, batch_size)
        indices = example_indices(positions, len(source), seed)
        if wanted is not None:
            indices = wanted.of(indices)
        images = _augmented_images(source, indices, seed, step, augmentation, wanted)
        images = scale_images(images)
        if dequantize:
            noise_seed = derive_seed(seed, Purpose.DEQUANTIZATION, step)
            of_all = images.shape if wanted is None else [wanted.total, *images.shape[1:]]
            noise = tf.random.stateless_uniform(
                of_all, noise_seed, 0.0, DEQUANTIZATION_WIDTH, alg="philox"
            )
            if wanted is not None:
                noise = wanted.of(noise)
            images = tf.minimum(images + noise, 1.0)  # the noise cannot go below -1
        outer = [updates_per_step, batch_size if rows is None else len(rows)]
        return {
            "images": tf.reshape(images, outer + images.shape[1:].as_list()),
            "labels": tf.reshape(tf.gather(labels, indices), outer),
        }

    steps = tf.data.Dataset.counter(start=start_step)
    batches = steps.map(make_step, num_parallel_calls=_PARALLEL_STEPS, deterministic=True)
    options = tf.data.Options()
    options.deterministic = True
    return batches.prefetch(_WAITING_STEPS).with_options(options)


def _rows_of_step(rows: np.ndarray, updates_per_step: int, batch_size: int) -> Rows:
    """The same rows of each batch of a step, as rows of the step."""
    starts = np.arange(updates_per_step)[:, np.newaxis] * batch_size
    chosen = (starts + rows).reshape(-1).astype(np.int32)
    with tf.device("CPU:0"):
        return Rows(updates_per_step * batch_size, tf.constant(chosen))


def _augmented_images(
    source: ImageSource,
    indices: tf.Tensor,
    seed: int,
    step: tf.Tensor,
    augmentation: str,
    rows: Rows | None,
) -> tf.Tensor:
    """Fetches uint8 images `[n, H, W, C]` and applies the augmentation of `step`."""
    draw = derive_seed(seed, Purpose.AUGMENTATION, step)
    if augmentation == "area_crop_flip":
        box_seed, flip_seed = two_seeds(draw)
        boxes = area_boxes(box_seed, indices.shape[0], rows)
        return random_flip(source.fetch_tensor(indices, boxes), flip_seed, rows)
    images = source.fetch_tensor(indices)
    if augmentation == "flip":
        return random_flip(images, draw, rows)
    if augmentation == "pad_crop_flip":
        return random_pad_crop_flip(images, draw, rows)
    if augmentation == "none":
        return images
    raise ValueError(f"unknown augmentation {augmentation!r}")


def evaluation_batches(source: ImageSource, batch_size: int) -> Iterator[LabelledImages]:
    """Yields every image once, in stored order, unchanged.

    Args:
      source: `ImageSource`.
      batch_size: images in a batch; the last batch may be smaller.

    Yields:
      Tuples of images, a float32 tensor `[n, H, W, C]` in [-1, 1], and labels, an int32
      tensor `[n]`.

    Raises:
      UserError: no readable image is left for one of the classes.
    """
    for start in range(0, len(source), batch_size):
        indices = np.arange(start, min(start + batch_size, len(source)))
        images = source.fetch(indices)
        yield scale_images(tf.constant(images)), tf.constant(source.labels[indices], tf.int32)
