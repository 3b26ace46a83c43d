"""One update of the classifier: adversarial training and fine-tuning, equations (3) to (6), (10).

    mean over real images of loss(x + delta, y)
    + generated_weight * mean over generated images of loss(G(z, c) + delta, c)

with delta found by the attack for each image. Without generated images it is equation (3); with
them, from fresh weights, equation (6), and from a jointly trained D equation (10). Without an
attack it is clean training, and `lipschitz_weight` adds the penalty of equations (4) and (5).

The loss is cross-entropy there; other objectives (`losses.objective`) put theirs in its place, and
in place of what the attack maximises. The gradient may be taken at perturbed weights
(`training.weight_perturbation`).
"""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.attacks.training_attack import TrainingAttack
from robgan_tf.keras_versions import Variable, without_trace
from robgan_tf.layers import hold_normalized_kernels, spectral_normalization_layers
from robgan_tf.training.accumulation import GradientSums, accumulated
from robgan_tf.training.adversary import attacked_already, warmed_up
from robgan_tf.training.cluster import workers_of_environment
from robgan_tf.training.distribution import micro_batches, share_out
from robgan_tf.training.finetune_attack import attack_start, attacked_images
from robgan_tf.training.finetune_batch import FinetuneBatch, local_batch
from robgan_tf.training.finetune_loss import (
    PERTURBED_TOTAL,
    TOTAL,
    FinetuneLoss,
    finetune_loss,
    finetune_metrics,
    whole,
)
from robgan_tf.training.finetune_objective import FinetuneObjective
from robgan_tf.training.moving_average import update_moving_average
from robgan_tf.training.replicated import (
    Names,
    apply_gradients,
    check_on_replicas,
    raise_if_not_finite,
    run_on_replicas,
)
from robgan_tf.training.weight_perturbation import at_weights, perturbed_weights
from robgan_tf.typing import LabelledImages, Scalars

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


def trained_variables(classifier: keras.Model) -> list[Variable]:
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
      accumulation_steps: micro-batches that a batch is worked through in
        (`training.accumulation`), each with its part of the real and of the generated images.

    Raises:
      ValueError: if the attack cannot be made on the objective, free adversarial training is
        asked for where it cannot be had, or micro-batches where an update needs the whole batch.
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
        accumulation_steps: int = 1,
    ) -> None:
        objective.check(attack)
        if accumulation_steps > 1:
            objective.check_accumulation()
        self.players = players
        self.attack = attack
        self.objective = objective
        self.strategy = strategy
        self.seed = seed
        self.average_decay = average_decay
        self.accumulation_steps = accumulation_steps
        self._workers = workers_of_environment().count
        self._variables = trained_variables(players.classifier)
        if accumulation_steps > 1:
            self._sums = GradientSums(self._variables, strategy)
        # With and without weight perturbation the step is compiled apart.
        self._names: dict[bool, Names] = {}
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
          real: (images [global count, H, W, C] in [-1, 1], labels [global count]); of several
            workers, this one's part of them.
          generated: the same for generated images, labels being the classes they were asked for;
            None for none.
          step: number of this step, counted from 1; a scalar int64 tensor.

        Returns:
          Dict of scalar tensors, means over the batch.

        Raises:
          NonFiniteError: if a loss or a gradient of any replica is infinite or NaN.
        """
        parts = [real] if generated is None else [real, generated]
        shared = [tuple(self._share_out(values) for values in part) for part in parts]
        counts = tuple(len(labels) * self._workers for _, labels in parts)
        perturbs = self.objective.perturbs_weights(int(step))
        metrics, non_finite = self._compiled(shared, counts, perturbs, step)
        names = self._names[perturbs]
        raise_if_not_finite(step, names.checks, non_finite, self.strategy)
        return dict(zip(names.metrics, tf.unstack(metrics), strict=True))

    def epsilon(self, step: tf.Tensor) -> tf.Tensor:
        """Radius at a step, on [-1, 1]; a scalar tensor."""
        return warmed_up(self.attack.epsilon, self.objective.warmup_steps, step)

    def _share_out(self, values: tf.Tensor) -> Any:
        """Shares [global batch, ...] out over replicas; of several micro-batches a row each."""
        if self.accumulation_steps == 1:
            return share_out(self.strategy, values, batch_axis=0)
        rows = micro_batches(values, self.accumulation_steps)
        return share_out(self.strategy, rows, batch_axis=1)

    def _distributed_step(
        self, parts: Any, counts: tuple[int, ...], perturbs: bool, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if self.accumulation_steps > 1:
            made = self._accumulated_step(parts, counts, step)
        else:
            made = run_on_replicas(
                self.strategy,
                lambda *arguments: self._replica_step(counts, perturbs, *arguments),
                parts,
                step,
            )
        self._names[perturbs], metrics, non_finite = made
        return metrics, non_finite

    def _accumulated_step(
        self, parts: Any, counts: tuple[int, ...], step: tf.Tensor
    ) -> tuple[Names, tf.Tensor, tf.Tensor]:
        """Makes a step micro-batch by micro-batch, in a loop.

        Vectors u of spectral normalization advance once, as in any update.
        """
        classifier, sums = self.players.classifier, self._sums

        def begin() -> None:
            sums.clear()
            for layer in spectral_normalization_layers(classifier):
                layer.advance()

        def micro_batch(
            parts: Sequence[LabelledImages], step: tf.Tensor, part: tf.Tensor
        ) -> tuple[Scalars, Scalars]:
            batch = self._local_batch(parts, counts, step, part)
            perturb = self._perturb_whole(batch, self.epsilon(step))
            gradients, metrics, checks, _ = self._gradients(perturb, batch)
            sums.add(gradients)
            return metrics, checks

        def apply() -> Scalars:
            checks: Scalars = {}
            optimizer = self.players.classifier_optimizer
            apply_gradients(sums.values(), self._variables, optimizer, checks)
            self._move_average(step)
            return checks

        self.strategy.run(begin)
        names, metrics, non_finite = accumulated(
            self.accumulation_steps,
            lambda part: run_on_replicas(self.strategy, micro_batch, parts, step, part),
            tf.as_dtype(classifier.compute_dtype),
        )
        more_names, more_non_finite = check_on_replicas(self.strategy, apply)
        return (
            Names(names.metrics, names.checks + more_names),
            metrics,
            tf.concat([non_finite, more_non_finite], axis=0),
        )

    def _replica_step(
        self,
        counts: tuple[int, ...],
        perturbs: bool,
        parts: Sequence[LabelledImages],
        step: tf.Tensor,
    ) -> tuple[Scalars, Scalars]:
        """This replica's part of a step; `counts` are the global numbers of real and generated."""
        batch = self._local_batch(parts, counts, step)
        epsilon = self.epsilon(step)
        if self.objective.free:
            metrics, checks = self._replayed(batch, epsilon)
        else:
            metrics, checks, _ = self._update(self._perturb_whole(batch, epsilon), batch, perturbs)
        self._move_average(step)
        return metrics, checks

    def _local_batch(
        self,
        parts: Sequence[LabelledImages],
        counts: tuple[int, ...],
        step: tf.Tensor,
        part: int | tf.Tensor = 0,
    ) -> FinetuneBatch:
        return local_batch(
            parts,
            counts,
            self.objective,
            seed=self.seed,
            step=step,
            dtype=self.players.classifier.compute_dtype,
            part=part,
            accumulation_steps=self.accumulation_steps,
        )

    def _perturb_whole(self, batch: FinetuneBatch, epsilon: tf.Tensor) -> Perturb:
        """The whole attack on a batch."""
        return lambda classifier: attacked_images(
            classifier, self.attack, self.objective.loss, batch, epsilon
        )

    def _move_average(self, step: tf.Tensor) -> None:
        players = self.players
        if players.average_classifier is not None:
            update_moving_average(
                players.average_classifier, players.classifier, self.average_decay, step
            )

    def _replayed(self, batch: FinetuneBatch, epsilon: tf.Tensor) -> tuple[Scalars, Scalars]:
        """Free adversarial training: the gradients of each update also move the images."""
        attacked = attack_start(self.attack, self.objective.loss, batch, epsilon)
        updates, all_checks = [], {}
        for replay in range(self.replays):
            metrics, checks, gradient = self._update(attacked_already(attacked), batch)
            attacked = self.attack.step(batch.images, attacked, gradient, epsilon)
            updates.append(metrics)
            all_checks.update({f"replay {replay + 1}: {n}": v for n, v in checks.items()})
        means = {name: tf.reduce_mean([values[name] for values in updates]) for name in updates[0]}
        return means, all_checks

    def _update(
        self, perturb: Perturb, batch: FinetuneBatch, perturbs: bool = False
    ) -> tuple[Scalars, Scalars, tf.Tensor]:
        """Makes one update.

        Args:
          perturb: a Perturb.
          batch: the batch.
          perturbs: whether the gradient is taken at perturbed weights. Then losses and accuracies
            are still those of the weights themselves, and moving averages of batch normalization
            move once, at the perturbed weights, as in the authors' code.

        Returns:
          Metrics, checks, and in free adversarial training the gradient of the loss with respect
          to the attacked images.
        """
        gradients, metrics, checks, (loss, attacked) = self._gradients(
            perturb, batch, advance=True, perturbs=perturbs
        )
        of_variables = gradients[: len(self._variables)]
        if perturbs:
            perturbed, of_variables = self._at_perturbed_weights(of_variables, batch, attacked)
            metrics |= {TOTAL: whole(loss, batch), PERTURBED_TOTAL: whole(perturbed, batch)}
            checks["classifier: loss at perturbed weights"] = perturbed.total
        apply_gradients(of_variables, self._variables, self.players.classifier_optimizer, checks)
        return metrics, checks, gradients[-1]

    def _gradients(
        self, perturb: Perturb, batch: FinetuneBatch, advance: bool = False, perturbs: bool = False
    ) -> tuple[list[tf.Tensor], Scalars, Scalars, tuple[FinetuneLoss, tf.Tensor]]:
        """Gradients of the loss of a batch or micro-batch.

        Args:
          perturb: a Perturb.
          batch: the batch.
          advance: whether spectral normalization advances first.
          perturbs: whether they are those that weights are perturbed by.

        Returns:
          Gradients of the trained variables, and last, in free adversarial training, that of the
          attacked images; metrics; checks; the loss and the attacked images.
        """
        classifier = self.players.classifier
        with tf.GradientTape() as tape, hold_normalized_kernels(classifier, advance=advance):
            with tape.stop_recording():
                attacked, of_attack = perturb(classifier)
            watched = [attacked] if self.objective.free else []
            tape.watch(watched)
            with without_trace(classifier) if perturbs else contextlib.nullcontext():
                loss = finetune_loss(classifier, self.objective, batch, attacked)
        gradients = tape.gradient(loss.total, [*self._variables, *watched])
        metrics = finetune_metrics(loss, batch)
        # In the order in which they come about.
        checks = {} if of_attack is None else {ATTACK_CHECK: tf.cast(of_attack, loss.total.dtype)}
        checks["classifier: loss"] = loss.total
        if watched:
            checks[ATTACK_CHECK] = tf.reduce_sum(gradients[-1])
        return gradients, metrics, checks, (loss, attacked)

    def _at_perturbed_weights(
        self, gradients: Sequence[tf.Tensor], batch: FinetuneBatch, attacked: tf.Tensor
    ) -> tuple[FinetuneLoss, list[tf.Tensor]]:
        """The loss at the weights that these gradients lead to, and its gradients there."""
        classifier, gamma = self.players.classifier, self.objective.weight_perturbation
        values = perturbed_weights(self._variables, gradients, gamma)
        with tf.GradientTape() as tape:
            tape.watch(values)
            with at_weights(classifier, self._variables, values):
                loss = finetune_loss(classifier, self.objective, batch, attacked)
        return loss, tape.gradient(loss.total, values)
