"""One update of the classifier: adversarial training and fine-tuning, equations (3) to (6), (10).

    mean over real images of loss(x + delta, y)
    + generated_weight * mean over generated images of loss(G(z, c) + delta, c)

with delta found by the attack for each image. Without generated images it is equation (3); with
them, from fresh weights, equation (6), and from a jointly trained D equation (10). Without an
attack it is clean training, and `lipschitz_weight` adds the penalty of equations (4) and (5).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.adversarial import class_loss, smoothed_class_loss
from robgan_tf.losses.lipschitz import local_lipschitz_values
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.adversary import attacked_already, warmed_up
from robgan_tf.training.distribution import local_part, share_out
from robgan_tf.training.moving_average import update_moving_average
from robgan_tf.training.replicated import (
    Names,
    apply_gradients,
    raise_if_not_finite,
    run_on_replicas,
)
from robgan_tf.typing import LabelledImages, Scalars

# Metrics of the attacked real images and of the attacked generated ones. What joint training
# measures too has its name there, so that the two stages share charts.
LOSSES = ("loss_discriminator/real_class", "loss_discriminator/fake_attacked_class")
ACCURACIES = ("accuracy_class/attacked", "accuracy_class/fake_attacked")
LIPSCHITZ_VALUES = ("lipschitz_class/attacked", "lipschitz_class/fake_attacked")


# From the classifier, while its kernels are held, to attacked images, and what tells whether the
# attack's gradients were finite; None where they are not yet known.
Perturb = Callable[[keras.Model], tuple[tf.Tensor, tf.Tensor | None]]
ATTACK_CHECK = "attack: gradient of the images"


@dataclasses.dataclass(frozen=True)
class FinetunePlayers:
    """The models and the optimizer that an update changes, built in the strategy's scope.

    Attributes:
      classifier: D or another model that returns (source logits, class logits).
      average_classifier: moving average of it, or None.
      classifier_optimizer: optimizer of `trained_variables(classifier)`.
    """

    classifier: keras.Model
    average_classifier: keras.Model | None
    classifier_optimizer: keras.optimizers.Optimizer

    @property
    def measured(self) -> keras.Model:
        """The model that is measured and used: the average where there is one."""
        return self.average_classifier or self.classifier

    def saved(self) -> dict[str, Any]:
        """What a checkpoint holds, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclasses.dataclass(frozen=True)
class FinetuneObjective:
    """What an update minimises.

    Attributes:
      generated_weight: lambda of equation (6).
      generated_label_smoothing: probability shared out evenly, on generated images.
      lipschitz_weight: lambda of equations (4) and (5).
      warmup_steps: steps over which the attack's radius grows linearly from 0; 0 for none.
      free: free adversarial training, as in `TrainingAdversary`.
    """

    generated_weight: float = 0.5
    generated_label_smoothing: float = 0.0
    lipschitz_weight: float = 0.0
    warmup_steps: int = 0
    free: bool = False


@dataclasses.dataclass(frozen=True)
class _Batch:
    """A replica's batch apart from its images: real ones first, then generated ones.

    Attributes:
      labels: [N].
      counts: how many of them are real, and generated.
      weights: [N] of the losses in the sum that is minimised.
      smoothing: [N] of the labels.
    """

    labels: tf.Tensor
    counts: list[int]
    weights: tf.Tensor
    smoothing: tf.Tensor


def trained_variables(classifier: keras.Model) -> list[keras.Variable]:
    """The trainable variables of a classifier but those of its source head (equation (10))."""
    of_source = {id(variable) for variable in classifier.source_head.trainable_variables}
    return [v for v in classifier.trainable_variables if id(v) not in of_source]


class FinetuneStep:
    """A compiled update, on all replicas.

    As in `JointStep`, every random number is a function of (seed, purpose, step, position).

    Args:
      players: models and optimizer.
      attack: the TrainingAttack of training; with 0 steps training is clean.
      objective: what is minimised.
      strategy: the distribution strategy in whose scope the players were built.
      seed: the run's seed.
      average_decay: decay of the moving average, where there is one.

    Raises:
      ValueError: if free adversarial training is asked for with fewer than 2 steps.
    """

    def __init__(
        self,
        players: FinetunePlayers,
        attack: TrainingAttack,
        objective: FinetuneObjective,
        *,
        strategy: tf.distribute.Strategy,
        seed: int,
        average_decay: float = 0.0,
    ) -> None:
        if objective.free:
            attack.check_free()
        self.players = players
        self.attack = attack
        self.objective = objective
        self.strategy = strategy
        self.seed = seed
        self.average_decay = average_decay
        self._variables = trained_variables(players.classifier)
        self._names = Names([], [])
        self._compiled = tf.function(self._distributed_step, autograph=False)

    @property
    def replays(self) -> int:
        """Updates made of each batch."""
        return self.attack.steps if self.objective.free else 1

    def __call__(
        self, real: LabelledImages, generated: LabelledImages | None, step: tf.Tensor
    ) -> Scalars:
        """Makes one step.

        Args:
          real: (images [global count, H, W, C] in [-1, 1], labels [global count]).
          generated: the same for generated images, labels being the classes they were asked for;
            None for none.
          step: number of this step, counted from 1; a scalar int64 tensor.

        Returns:
          Dict of scalar tensors, means over the batch.

        Raises:
          NonFiniteError: if a loss or a gradient of any replica is infinite or NaN.
        """
        parts = [real] if generated is None else [real, generated]
        shared = [
            tuple(share_out(self.strategy, values, batch_axis=0) for values in part)
            for part in parts
        ]
        counts = tuple(len(labels) for _, labels in parts)
        metrics, non_finite = self._compiled(shared, counts, step)
        raise_if_not_finite(step, self._names.checks, non_finite, self.strategy)
        return dict(zip(self._names.metrics, tf.unstack(metrics), strict=True))

    def epsilon(self, step: tf.Tensor) -> tf.Tensor:
        """Radius at a step, on [-1, 1]; a scalar tensor."""
        return warmed_up(self.attack.epsilon, self.objective.warmup_steps, step)

    def _distributed_step(
        self, parts: Any, counts: tuple[int, ...], step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        self._names, metrics, non_finite = run_on_replicas(
            self.strategy, lambda *arguments: self._replica_step(counts, *arguments), parts, step
        )
        return metrics, non_finite

    def _replica_step(
        self, counts: tuple[int, ...], parts: Sequence[LabelledImages], step: tf.Tensor
    ) -> tuple[Scalars, Scalars]:
        """This replica's part of a step; `counts` are the global numbers of real and generated."""
        dtype = self.players.classifier.compute_dtype
        images = tf.concat([tf.cast(part[0], dtype) for part in parts], axis=0)
        labels = tf.concat([tf.cast(part[1], tf.int32) for part in parts], axis=0)
        seeds = tf.concat(
            [self._seeds(step, source, count) for source, count in enumerate(counts)], axis=0
        )
        batch = _Batch(
            labels,
            [part[1].shape[0] for part in parts],
            self._per_sample(
                parts,
                [1.0 / counts[0]]
                + [self.objective.generated_weight / count for count in counts[1:]],
                dtype,
            ),
            self._per_sample(parts, [0.0, self.objective.generated_label_smoothing], dtype),
        )
        if self.objective.free:
            metrics, checks = self._replayed(images, batch, seeds, step)
        else:
            metrics, checks, _ = self._update(
                lambda classifier: self._attacked(classifier, images, labels, seeds, step), batch
            )
        if self.players.average_classifier is not None:
            update_moving_average(
                self.players.average_classifier, self.players.classifier, self.average_decay, step
            )
        return metrics, checks

    def _seeds(self, step: tf.Tensor, source: int, count: int) -> tf.Tensor:
        """Seeds of the random start of this replica's real (0) or generated (1) images."""
        seed = derive_seed(self.seed, Purpose.RANDOM_START, step, source)
        return local_part(tf.random.split(seed, count))

    def _per_sample(
        self, parts: Sequence[LabelledImages], values: Sequence[float], dtype: str
    ) -> tf.Tensor:
        return tf.concat(
            [
                tf.fill([part[1].shape[0]], tf.constant(value, dtype))
                for part, value in zip(parts, values, strict=False)
            ],
            axis=0,
        )

    def _attacked(
        self,
        classifier: keras.Model,
        images: tf.Tensor,
        labels: tf.Tensor,
        seeds: tf.Tensor,
        step: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return self.attack.checked(
            lambda x: class_loss(classifier(x, training=False)[1], labels),
            images,
            seed=seeds,
            epsilon=self.epsilon(step),
        )

    def _replayed(
        self, images: tf.Tensor, batch: _Batch, seeds: tf.Tensor, step: tf.Tensor
    ) -> tuple[Scalars, Scalars]:
        """Free adversarial training: the gradients of each update also move the images."""
        epsilon = self.epsilon(step)
        attacked = self.attack.start(images, seeds, epsilon)
        updates, all_checks = [], {}
        for replay in range(self.replays):
            metrics, checks, gradient = self._update(attacked_already(attacked), batch)
            attacked = self.attack.step(images, attacked, gradient, epsilon)
            updates.append(metrics)
            all_checks.update({f"replay {replay + 1}: {n}": v for n, v in checks.items()})
        means = {name: tf.reduce_mean([values[name] for values in updates]) for name in updates[0]}
        return means, all_checks

    def _update(self, perturb: Perturb, batch: _Batch) -> tuple[Scalars, Scalars, tf.Tensor]:
        """Makes one update.

        Args:
          perturb: a Perturb.
          batch: a _Batch.

        Returns:
          Metrics, checks, and in free adversarial training the gradient of the loss with respect
          to the attacked images.
        """
        classifier = self.players.classifier
        with tf.GradientTape() as tape, hold_normalized_kernels(classifier, advance=True):
            with tape.stop_recording():
                attacked, of_attack = perturb(classifier)
            watched = [attacked] if self.objective.free else []
            tape.watch(watched)
            logits = classifier(attacked, training=True)[1]
            losses = smoothed_class_loss(logits, batch.labels, batch.smoothing)
            total = tf.reduce_sum(batch.weights * losses)
            penalties = None
            if self.objective.lipschitz_weight:
                penalties = local_lipschitz_values(
                    lambda x: class_loss(classifier(x, training=False)[1], batch.labels), attacked
                )
                total += self.objective.lipschitz_weight * tf.reduce_sum(batch.weights * penalties)
        gradients = tape.gradient(total, [*self._variables, *watched])
        # In the order in which they come about.
        checks = {} if of_attack is None else {ATTACK_CHECK: tf.cast(of_attack, total.dtype)}
        checks["classifier: loss"] = total
        if watched:
            checks[ATTACK_CHECK] = tf.reduce_sum(gradients[-1])
        of_variables = gradients[: len(self._variables)]
        apply_gradients(of_variables, self._variables, self.players.classifier_optimizer, checks)
        return self._metrics(batch, logits, losses, penalties), checks, gradients[-1]

    def _metrics(
        self, batch: _Batch, logits: tf.Tensor, losses: tf.Tensor, penalties: tf.Tensor | None
    ) -> Scalars:
        correct = tf.argmax(logits, axis=1, output_type=tf.int32) == batch.labels
        values = {LOSSES: losses, ACCURACIES: tf.cast(correct, losses.dtype)}
        if penalties is not None:
            values[LIPSCHITZ_VALUES] = penalties
        return {
            name: tf.reduce_mean(part)
            for names, per_sample in values.items()
            for name, part in zip(names, tf.split(per_sample, batch.counts), strict=False)
        }
