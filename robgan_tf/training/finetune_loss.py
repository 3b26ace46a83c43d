"""The loss of an update of stage 2, and the metrics of what it was computed from."""

import dataclasses

import keras
import tensorflow as tf

from robgan_tf.losses.adversarial import class_loss
from robgan_tf.losses.lipschitz import local_lipschitz_values
from robgan_tf.losses.training_objective import ObjectiveTerms
from robgan_tf.training.finetune_batch import FinetuneBatch
from robgan_tf.training.finetune_objective import FinetuneObjective
from robgan_tf.typing import Scalars

# Metrics of real images and of generated ones, attacked unless the name says otherwise. What joint
# training measures too has its name there, so that the two stages share charts.
LOSSES = ("loss_discriminator/real_class", "loss_discriminator/fake_attacked_class")
ACCURACIES = ("accuracy_class/attacked", "accuracy_class/fake_attacked")
LIPSCHITZ_VALUES = ("lipschitz_class/attacked", "lipschitz_class/fake_attacked")
CLEAN_ACCURACIES = ("accuracy_class/real", "accuracy_class/fake")
TOTAL = "loss_discriminator/total"
PERTURBED_TOTAL = "loss_discriminator/perturbed_weights_total"


@dataclasses.dataclass(frozen=True)
class FinetuneLoss:
    """What an update computes before its gradient.

    Attributes:
      total: this replica's part of the sum over the global batch that is minimised, a scalar.
      terms: of the objective, [N] each.
      logits: [N, K] of the attacked images.
      clean_logits: [N, K] of the clean ones, or None.
      penalties: [N] local Lipschitz values, or None.
    """

    total: tf.Tensor
    terms: ObjectiveTerms
    logits: tf.Tensor
    clean_logits: tf.Tensor | None
    penalties: tf.Tensor | None


def finetune_loss(
    classifier: keras.Model,
    objective: FinetuneObjective,
    batch: FinetuneBatch,
    attacked: tf.Tensor,
) -> FinetuneLoss:
    """Computes the loss of attacked images, with the classifier in training mode.

    Args:
      classifier: returns (source logits, class logits).
      objective: what is minimised.
      batch: clean images, labels and weights.
      attacked: [N, H, W, C] attacked images.
    """
    clean_logits = None
    if objective.loss.uses_clean:
        clean_logits = classifier(batch.images, training=True)[1]
    logits = classifier(attacked, training=True)[1]
    terms = objective.loss.terms(logits, clean_logits, batch.labels, batch.smoothing)
    total = tf.reduce_sum(batch.weights * terms.total)
    penalties = None
    if objective.lipschitz_weight:
        penalties = local_lipschitz_values(
            lambda x: class_loss(classifier(x, training=False)[1], batch.labels), attacked
        )
        total += objective.lipschitz_weight * tf.reduce_sum(batch.weights * penalties)
    return FinetuneLoss(total, terms, logits, clean_logits, penalties)


def finetune_metrics(loss: FinetuneLoss, batch: FinetuneBatch) -> Scalars:
    """Means of a replica's losses, terms and accuracies, of real and of generated images.

    Args:
      loss: of the batch.
      batch: the batch.

    Returns:
      Scalars by name, whose mean over replicas is that of the global batch.
    """
    values = {LOSSES: loss.terms.attacked_class, ACCURACIES: _correct(loss.logits, batch)}
    if loss.penalties is not None:
        values[LIPSCHITZ_VALUES] = loss.penalties
    if loss.clean_logits is not None:
        values[CLEAN_ACCURACIES] = _correct(loss.clean_logits, batch)
    for name, term in loss.terms.others.items():
        values[f"loss_discriminator/real_{name}", f"loss_discriminator/fake_{name}"] = term
    metrics = {
        name: tf.reduce_mean(part)
        for names, per_sample in values.items()
        for name, part in zip(names, tf.split(per_sample, batch.counts), strict=False)
    }
    # Of one term the mean says all.
    if loss.terms.others:
        metrics[TOTAL] = whole(loss, batch)
    return metrics


def whole(loss: FinetuneLoss, batch: FinetuneBatch) -> tf.Tensor:
    """A scalar whose mean over replicas and micro-batches is the sum of their parts of the loss."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    return replicas * batch.accumulation_steps * loss.total


def _correct(logits: tf.Tensor, batch: FinetuneBatch) -> tf.Tensor:
    """[N], 1 where the class is found, otherwise 0."""
    correct = tf.argmax(logits, axis=1, output_type=tf.int32) == batch.labels
    return tf.cast(correct, batch.weights.dtype)
