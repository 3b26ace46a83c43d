"""The attack of stage 2: what it maximises and where it starts are the objective's."""

import keras
import tensorflow as tf

from robgan_tf.attacks.ball import clip_to_box
from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.losses.training_objective import TrainingObjective
from robgan_tf.training.finetune_batch import FinetuneBatch


def attacked_images(
    classifier: keras.Model,
    attack: TrainingAttack,
    objective: TrainingObjective,
    batch: FinetuneBatch,
    epsilon: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Attacks a batch, with the classifier in inference mode.

    Args:
      classifier: returns (source logits, class logits); its variables do not change.
      attack: the attack.
      objective: whose `attack_losses` it maximises.
      batch: the clean images.
      epsilon: radius, a scalar on [-1, 1].

    Returns:
      Attacked images, and a scalar that is infinite or NaN if a gradient of the attack was
      (`TrainingAttack.checked`).
    """
    clean = None
    if objective.uses_clean:
        clean = tf.stop_gradient(classifier(batch.images, training=False)[1])
    # Not every attack takes a start.
    start = {}
    if objective.start_deviation is not None:
        start["start"] = attack_start(attack, objective, batch, epsilon)
    return attack.checked(
        lambda x: objective.attack_losses(classifier(x, training=False)[1], clean, batch.labels),
        batch.images,
        seed=batch.seeds,
        epsilon=epsilon,
        **start,
    )


def attack_start(
    attack: TrainingAttack, objective: TrainingObjective, batch: FinetuneBatch, epsilon: tf.Tensor
) -> tf.Tensor:
    """Where the attack starts: the objective's noise if it has one, or the attack's own start.

    Args:
      attack: the attack.
      objective: the objective.
      batch: the clean images.
      epsilon: radius, a scalar on [-1, 1].

    Returns:
      [N, H, W, C] in [-1, 1]; noise of the objective may leave the ball, which the first step
      of the attack projects on.
    """
    if objective.start_deviation is None:
        return attack.start(batch.images, batch.seeds, epsilon)
    shape, dtype = batch.images.shape[1:], batch.images.dtype
    noise = tf.map_fn(
        lambda seed: tf.random.stateless_normal(shape, seed, dtype=dtype),
        batch.seeds,
        fn_output_signature=tf.TensorSpec(shape, dtype),
    )
    return clip_to_box(batch.images + objective.start_deviation * noise)
