"""How far images are from the nearest misclassified ones that FAB finds."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from robgan_tf.attacks.ball import check_images
from robgan_tf.attacks.fab import FAB
from robgan_tf.attacks.perturbed import Perturbed
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.typing import LogitsFunction


def minimal_perturbations(
    attack: FAB,
    logits_fn: LogitsFunction,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    batch_size: int = 100,
    seed: int = 0,
) -> Perturbed:
    """Finds the smallest perturbation of each image over all rounds of an attack.

    The share of distances above a radius is the robust accuracy that the attack finds there, for
    all radii at once; the attack's own one is used for random starts alone.

    Args:
      attack: a FAB.
      logits_fn: function from images [N, ...] in [-1, 1] to logits [N, K], differentiable, in
        inference mode.
      images: [N, ...] floats in [-1, 1].
      labels: [N] integers.
      batch_size: images at a time; changes results by rounding alone.
      seed: of random starts.

    Returns:
      A Perturbed of arrays: the nearest adversarial images, float32 [N, ...], and their distances,
      float32 [N], on [-1, 1]; 0 where an image is misclassified, infinite where none was found.

    Raises:
      ValueError: if the images are not in [-1, 1], the numbers of images and labels differ, or the
        logits have too few classes.
    """
    originals, classes = np.asarray(images, np.float32), np.asarray(labels, np.int32)
    if originals.shape[:1] != classes.shape:
        raise ValueError(f"{len(originals)} images and labels {classes.shape} were given")
    check_images("FAB", tf.constant(originals))
    found = Perturbed(originals.copy(), np.full(len(originals), np.inf, np.float32))

    @tf.function(
        autograph=False,
        # The last batch may be a smaller one.
        input_signature=[
            tf.TensorSpec([None, *originals.shape[1:]], tf.float32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([None], tf.int32),
            tf.TensorSpec([], tf.int32),
        ],
    )
    def search(
        images: tf.Tensor, labels: tf.Tensor, numbers: tf.Tensor, round_number: tf.Tensor
    ) -> Perturbed:
        seeds = tf.map_fn(
            lambda number: derive_seed(seed, Purpose.EVALUATION_ATTACK, number),
            numbers,
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )
        return attack.nearest(logits_fn, images, labels, seeds, round_number)

    for numbers in np.split(
        np.arange(len(originals), dtype=np.int32), range(batch_size, len(originals), batch_size)
    ):
        for round_number in range(attack.rounds):
            one = search(
                tf.constant(originals[numbers]),
                tf.constant(classes[numbers]),
                tf.constant(numbers),
                tf.constant(round_number),
            )
            nearer = one.distances.numpy() < found.distances[numbers]
            found.images[numbers[nearer]] = one.images.numpy()[nearer]
            found.distances[numbers[nearer]] = one.distances.numpy()[nearer]
    return found
