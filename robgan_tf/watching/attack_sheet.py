"""Pictures of attacked images: the same images every time, what the model says of them."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.data import evenly_spaced_rows, scale_images
from robgan_tf.data.sources import ImageSource
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting import attack_sheet, format_radius
from robgan_tf.typing import LossFunction

ATTACKED_IMAGES = 8


class AttackPictures:
    """Attacks the first images of a source, one a class, and draws them.

    Args:
      model: model returning (source logits, class logits).
      attack: the TrainingAttack.
      objective: function from labels [N] to the function of images that the attack maximises.
      source: an ImageSource; best not trained on.
      seed: the run's seed.
    """

    def __init__(
        self,
        model: keras.Model,
        attack: TrainingAttack,
        objective: Callable[[tf.Tensor], LossFunction],
        source: ImageSource,
        seed: int,
    ) -> None:
        self._model = model
        self._attack = attack
        self._objective = objective
        self._seed = seed
        self._class_names = source.class_names
        shown = _one_of_each_class(source.labels, ATTACKED_IMAGES)
        self._images = scale_images(source.fetch(shown))
        self._labels = tf.constant(source.labels[shown])
        self._compiled = tf.function(self._attacked, autograph=False)

    def draw(self) -> np.ndarray:
        """Returns a uint8 picture [height, width, 3]."""
        attacked, before, after = self._compiled(self._images, self._labels)
        return attack_sheet(
            self._images.numpy(),
            attacked.numpy(),
            format_radius(self._attack.epsilon, self._attack.norm)
            + ("" if before is None else "; class: D says before -> after"),
            self._captions(before, after),
        )

    def _attacked(
        self, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]:
        """Attacks the images and returns what the model takes them for, before and after."""
        seed = derive_seed(self._seed, Purpose.ATTACK_SHEET)
        with hold_normalized_kernels(self._model):
            attacked = self._attack(self._objective(labels), images, seed=seed)
            logits = [self._model(x, labels, training=False)[1] for x in (images, attacked)]
        if logits[0] is None:
            return attacked, None, None
        return attacked, *(tf.argmax(values, axis=1) for values in logits)

    def _captions(self, before: tf.Tensor | None, after: tf.Tensor | None) -> list[str] | None:
        """The true class, then what the model says of the image before and after the attack."""
        if before is None or after is None:
            return None
        return [
            f"{self._class_names[true]}: {self._class_names[first]} -> {self._class_names[second]}"
            for true, first, second in zip(
                self._labels.numpy(), before.numpy(), after.numpy(), strict=True
            )
        ]


def _one_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first example of up to `count` classes, evenly spaced."""
    _, first = np.unique(labels, return_index=True)
    return first[evenly_spaced_rows(len(first), count)]
