"""The attacker's part in training: what it maximises, and how its radius warms up."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.config.groups import ATTACK_TARGETS
from robgan_tf.losses.adversarial import AdversarialLoss
from robgan_tf.typing import LossFunction


@dataclasses.dataclass(frozen=True)
class TrainingAdversary:
    """Attacks real images by maximising D's own loss on them (paper section 3.3).

    Attributes:
      attack: the attack.
      loss: the losses of the run; the attack maximises D's loss on real images.
      target: which terms of it: "source_and_class" (weighted as in training), "class", "source".
      warmup_steps: steps over which the radius grows linearly from 0 to the attack's epsilon; 0
        for the full radius from the first step on.
      free: free adversarial training (Shafahi et al., 2019; the authors' FastGAN): instead of
        attacking before a D update, `JointStep` replays each batch as often as the attack has
        steps, and each replay's D update moves the images by one step for the next replay. The
        first sees where the attack starts. Unlike Shafahi et al., who carry the perturbation
        over to the next batch, each batch starts anew, so that a step is a function of the seed
        and the weights alone.

    Raises:
      ValueError: if the target does not exist, or does not go with free adversarial training, or
        the attack has too few steps for it.
    """

    attack: TrainingAttack
    loss: AdversarialLoss
    target: str = "source_and_class"
    warmup_steps: int = 0
    free: bool = False

    def __post_init__(self) -> None:
        self._check_target()
        if self.free:
            self._check_free()

    @property
    def replays(self) -> int:
        """D updates made of each batch of real images."""
        return self.attack.steps if self.free else 1

    def _check_target(self) -> None:
        if self.target not in ATTACK_TARGETS:
            raise ValueError(
                f"attack target {self.target!r} does not exist; choose one of "
                f"{', '.join(ATTACK_TARGETS)}"
            )

    def _check_free(self) -> None:
        if self.target != "source_and_class":
            raise ValueError(
                "free adversarial training moves images by the gradient of D's own update, so "
                f"TrainingAdversary.target must be 'source_and_class', not {self.target!r}"
            )
        self.attack.check_free()

    def epsilon(self, step: tf.Tensor) -> tf.Tensor:
        """Radius at a training step (counted from 1), on [-1, 1]; a scalar tensor."""
        return warmed_up(self.attack.epsilon, self.warmup_steps, step)

    def objective(self, discriminator: keras.Model, labels: tf.Tensor) -> LossFunction:
        """Returns the function of images [N, H, W, C] whose values [N] the attack maximises."""

        def losses(images: tf.Tensor) -> tf.Tensor:
            source_logits, class_logits = discriminator(images, labels, training=False)
            terms = self.loss.discriminator_real(source_logits, class_logits, labels)
            return {
                "source_and_class": terms.total,
                "class": terms.classification,
                "source": terms.source,
            }[self.target]

        return losses

    def perturb(
        self,
        discriminator: keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        step: tf.Tensor,
        seeds: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Attacks real images by the whole attack.

        Args:
          discriminator: D; its variables do not change.
          images: [N, H, W, C] real images in [-1, 1].
          labels: [N] their classes.
          step: training step, for the warm-up.
          seeds: [N, 2] integers, a seed a sample for the random start.

        Returns:
          Attacked images of the same shape, and a scalar that is infinite or NaN if a gradient of
          the attack was (`TrainingAttack.checked`).
        """
        return self.attack.checked(
            self.objective(discriminator, labels), images, seed=seeds, epsilon=self.epsilon(step)
        )


def warmed_up(epsilon: float, warmup_steps: int, step: tf.Tensor) -> tf.Tensor:
    """The radius at a step (counted from 1): from 0 straight up to epsilon; a scalar tensor.

    Args:
      epsilon: the full radius.
      warmup_steps: steps that it takes to reach it; 0 for the full radius from the first step on.
      step: the step.
    """
    kind = keras.backend.floatx()
    full = tf.constant(epsilon, kind)
    if not warmup_steps:
        return full
    return full * tf.minimum(tf.ones([], kind), tf.cast(step, kind) / warmup_steps)


def attacked_already(
    images: tf.Tensor,
) -> Callable[[keras.Model], tuple[tf.Tensor, tf.Tensor | None]]:
    """What attacks a model with just these images, where an earlier replay moved them."""
    return lambda model: (images, None)
