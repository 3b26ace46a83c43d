"""Accuracy of a classifier, clean and under PGD, and its mean local Lipschitz value."""

import dataclasses

import keras
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.objectives import log_odds
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.losses.lipschitz import local_lipschitz_values
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.typing import Batches


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """What an `AccuracyMeter` measured.

    Attributes:
      clean: share of the images that are classified correctly, in [0, 1].
      attacked: the same under attack.
      lipschitz: mean local Lipschitz value || d class loss / dx ||_2 on the images as they are,
        per unit of the [-1, 1] scale (equations (4) and (5), Figure 2).
      images: how many images were used.
    """

    clean: float
    attacked: float
    lipschitz: float
    images: int


class AccuracyMeter:
    """Measures a model's class head, in inference mode; compiled once.

    Args:
      model: model returning (source logits, class logits [N, K]).
      attack: a ProjectedGradientDescent, given `objectives.log_odds` to maximise, which rise with
        the class loss.
      seed: seed of random starts.
    """

    def __init__(self, model: keras.Model, attack: ProjectedGradientDescent, seed: int = 0) -> None:
        self._model = model
        self._attack = attack
        self._seed = seed
        self._compiled = tf.function(self._sums, autograph=False, reduce_retracing=True)

    def __call__(self, batches: Batches) -> Accuracy:
        """Measures.

        Args:
          batches: iterable of (images [N, H, W, C] in [-1, 1], labels [N]).

        Returns:
          An Accuracy.

        Raises:
          ValueError: if there is no image.
        """
        clean = attacked = images = 0
        lipschitz = 0.0
        for batch, labels in batches:
            sums = self._compiled(batch, labels, tf.constant(images))
            clean, attacked = clean + int(sums[0]), attacked + int(sums[1])
            lipschitz += float(sums[2])
            images += len(labels)
        if not images:
            raise ValueError("an accuracy was asked for without images")
        return Accuracy(clean / images, attacked / images, lipschitz / images, images)

    def _sums(
        self, images: tf.Tensor, labels: tf.Tensor, first: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        # A seed a sample, so that random starts do not depend on the batch size.
        seeds = tf.map_fn(
            lambda number: derive_seed(self._seed, Purpose.RANDOM_START, number),
            first + tf.range(tf.shape(labels)[0]),
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )

        def loss(x: tf.Tensor) -> tf.Tensor:
            return class_loss(self._model(x, training=False)[1], labels)

        def climbed(x: tf.Tensor) -> tf.Tensor:
            logits = self._model(x, training=False)[1]
            # Of one class there are no odds, and no attack.
            return log_odds(logits, labels) if logits.shape[-1] > 1 else class_loss(logits, labels)

        with hold_normalized_kernels(self._model):
            attacked = self._attack(climbed, images, seed=seeds)
            return (
                self._count_correct(images, labels),
                self._count_correct(attacked, labels),
                tf.reduce_sum(local_lipschitz_values(loss, images)),
            )

    def _count_correct(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        logits = self._model(images, training=False)[1]
        predicted = tf.argmax(logits, axis=1, output_type=tf.int32)
        return tf.reduce_sum(tf.cast(predicted == labels, tf.int32))


def accuracy_under_attack(
    model: keras.Model, batches: Batches, attack: ProjectedGradientDescent, seed: int = 0
) -> Accuracy:
    """Measures once; Args, Returns and Raises are those of `AccuracyMeter`."""
    return AccuracyMeter(model, attack, seed)(batches)
