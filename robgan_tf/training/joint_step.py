"""One training step of the three players: n D updates, then one G update (paper section 3.3)."""

import dataclasses
from typing import Any

import tensorflow as tf

from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.training.accumulation import GradientSums, accumulated, in_loop
from robgan_tf.training.adversary import attacked_already
from robgan_tf.training.distribution import micro_batches, share_out
from robgan_tf.training.joint_gradients import (
    ATTACK_CHECK,
    JointGradients,
    Perturb,
)
from robgan_tf.training.moving_average import update_moving_average
from robgan_tf.training.replicated import (
    Names,
    apply_gradients,
    check_on_replicas,
    raise_if_not_finite,
    run_on_replicas,
)
from robgan_tf.typing import Scalars


@dataclasses.dataclass(eq=False)
class JointStep(JointGradients):
    """A compiled training step, on all replicas; it is made of what `JointGradients` is.

    Every random number is a function of (seed, purpose, step, update, position in the global
    batch), so the number of replicas and interruptions change nothing.

    Raises:
      ValueError: if micro-batches are asked for in free adversarial training, whose updates move
        the images of a whole batch.
    """

    def __post_init__(self) -> None:
        if self.accumulation_steps > 1:
            if self.adversary.free:
                raise ValueError(
                    "free adversarial training moves the images of a whole batch by the gradient "
                    "of each update: bind TrainingAdversary.free = False or "
                    "train.accumulation_steps = 1"
                )
            self._discriminator_sums, self._generator_sums = (
                GradientSums(model.trainable_variables, self.strategy)
                for model in (self.players.discriminator, self.players.generator)
            )
        self._metric_names: list[str] = []
        self._check_names: list[str] = []
        self._compiled = tf.function(self._distributed_step, autograph=False)

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> Scalars:
        """Makes one step.

        Args:
          images: [n, global batch, H, W, C] real images in [-1, 1], a batch for each D
            update, or for each round of replays.
          labels: [n, global batch] their classes.
          step: number of this step, counted from 1; a scalar int64 tensor.

        Returns:
          Dict of scalar tensors: losses, means over the step's global batches.

        Raises:
          NonFiniteError: if a loss or a gradient of any replica is infinite or NaN.
        """
        metrics, non_finite = self._compiled(
            *(self.share_out(values) for values in (images, labels)), step
        )
        raise_if_not_finite(step, self._check_names, non_finite, self.strategy)
        return dict(zip(self._metric_names, tf.unstack(metrics), strict=True))

    def share_out(self, values: tf.Tensor) -> Any:
        """Shares [n, global batch, ...] out over replicas, a row a micro-batch."""
        parts = micro_batches(values, self.accumulation_steps, 1)
        return share_out(self.strategy, parts, batch_axis=1)

    def _distributed_step(
        self, images: Any, labels: Any, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        names, metrics, non_finite = self._discriminator_updates(images, labels, step)
        if self.accumulation_steps > 1:
            update = self._accumulated_generator_update(step)
        else:
            update = run_on_replicas(self.strategy, self._generator_update, step)
        more_names, more_metrics, more_non_finite = update
        self._metric_names = names.metrics + more_names.metrics
        self._check_names = names.checks + more_names.checks
        return (
            tf.concat([metrics, more_metrics], axis=0),
            tf.concat([non_finite, more_non_finite], axis=0),
        )

    def _discriminator_updates(
        self, images: Any, labels: Any, step: tf.Tensor
    ) -> tuple[Names, tf.Tensor, tf.Tensor]:
        """Makes the D updates of all batches, in a loop: one batch's graph and memory at a time."""
        count, replays = self.discriminator_updates, self.adversary.replays

        def one_batch(batch: tf.Tensor) -> tuple[Names, tf.Tensor, tf.Tensor]:
            if self.accumulation_steps > 1:
                return self._accumulated_discriminator_update(images, labels, step, batch)
            return run_on_replicas(
                self.strategy, self._discriminator_batch, images, labels, step, batch
            )

        of_one, metrics, non_finite = in_loop(count, one_batch, self._dtype)
        names = Names(
            of_one.metrics,
            [
                _check_name(batch * replays + replay + 1, name)
                for batch in range(count)
                for replay, name in of_one.checks
            ],
        )
        replicas = self.strategy.num_replicas_in_sync
        return names, tf.reduce_mean(metrics, axis=0), tf.reshape(non_finite, [-1, replicas])

    def _accumulated_discriminator_update(
        self, images: Any, labels: Any, step: tf.Tensor, batch: tf.Tensor
    ) -> tuple[Names, tf.Tensor, tf.Tensor]:
        """Makes the D update of a batch, micro-batch by micro-batch, in a loop.

        Vectors u of spectral normalization advance once, as in any update.
        """
        discriminator, sums = self.players.discriminator, self._discriminator_sums

        def begin() -> None:
            sums.clear()
            for layer in spectral_normalization_layers(discriminator):
                layer.advance()

        def micro_batch(
            images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor, batch: tf.Tensor, part: tf.Tensor
        ) -> tuple[Scalars, dict[tuple[int, str], tf.Tensor]]:
            row = batch * self.accumulation_steps + part
            perturb = self._perturb_whole(
                tf.cast(images[row], discriminator.compute_dtype),
                labels[row],
                step,
                self.random_start_seeds(step, batch, part),
            )
            gradients, checks, metrics = self._discriminator_gradients(
                perturb, labels[row], step, batch, part
            )
            sums.add(gradients)
            return metrics(), {(0, name): value for name, value in checks.items()}

        def apply() -> dict[tuple[int, str], tf.Tensor]:
            checks: Scalars = {}
            apply_gradients(
                sums.values(),
                discriminator.trainable_variables,
                self.players.discriminator_optimizer,
                checks,
            )
            return {(0, name): value for name, value in checks.items()}

        self.strategy.run(begin)
        names, metrics, non_finite = accumulated(
            self.accumulation_steps,
            lambda part: run_on_replicas(
                self.strategy, micro_batch, images, labels, step, batch, part
            ),
            self._dtype,
        )
        return _with_checks(names, metrics, non_finite, check_on_replicas(self.strategy, apply))

    @property
    def _dtype(self) -> tf.DType:
        return tf.as_dtype(self.players.discriminator.compute_dtype)

    def _discriminator_batch(
        self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor, batch: tf.Tensor
    ) -> tuple[Scalars, dict[tuple[int, str], tf.Tensor]]:
        """Makes the D updates on one batch of real images: one, or the replays of free training.

        Checks are keyed by (replay, name).
        """
        adversary, epsilon = self.adversary, self.adversary.epsilon(step)
        images = tf.cast(images[batch], self.players.discriminator.compute_dtype)
        labels = labels[batch]
        seeds = self.random_start_seeds(step, batch)
        if not adversary.free:
            perturb = self._perturb_whole(images, labels, step, seeds)
            metrics, checks, _ = self._discriminator_update(perturb, labels, step, batch)
            return metrics, {(0, name): value for name, value in checks.items()}
        attacked = adversary.attack.start(images, seeds, epsilon)
        updates, all_checks = [], {}
        for replay in range(adversary.replays):
            metrics, checks, gradient = self._discriminator_update(
                attacked_already(attacked),
                labels,
                step,
                batch * adversary.replays + replay,
            )
            attacked = adversary.attack.step(images, attacked, gradient, epsilon)
            updates.append(metrics)
            all_checks.update({(replay, name): value for name, value in checks.items()})
        means = {name: tf.reduce_mean([values[name] for values in updates]) for name in updates[0]}
        return means, all_checks

    def _discriminator_update(
        self, perturb: Perturb, labels: tf.Tensor, step: tf.Tensor, update: int | tf.Tensor
    ) -> tuple[Scalars, Scalars, tf.Tensor | None]:
        """Makes one D update.

        Args:
          perturb: a Perturb.
          labels: their classes.
          step: training step.
          update: index of the update within the step.

        Returns:
          Metrics, checks, and the gradient of the loss with respect to the attacked images: in
          free adversarial training, where it is a by-product; None otherwise.
        """
        discriminator = self.players.discriminator
        gradients, checks, metrics = self._discriminator_gradients(
            perturb, labels, step, update, advance=True
        )
        variables = discriminator.trainable_variables
        of_variables, of_images = gradients[: len(variables)], gradients[len(variables) :]
        apply_gradients(of_variables, variables, self.players.discriminator_optimizer, checks)
        return metrics(), checks, of_images[0] if of_images else None

    def _generator_update(self, step: tf.Tensor) -> tuple[Scalars, Scalars]:
        """Makes the G update, which ends the step, and moves the averages of G."""
        gradients, checks, metrics = self._generator_gradients(step)
        self._apply_to_generator(gradients, step, checks)
        return metrics(), _of_generator(checks)

    def _accumulated_generator_update(self, step: tf.Tensor) -> tuple[Names, tf.Tensor, tf.Tensor]:
        """The same, micro-batch by micro-batch, in a loop."""
        sums = self._generator_sums

        def micro_batch(step: tf.Tensor, part: tf.Tensor) -> tuple[Scalars, Scalars]:
            gradients, checks, metrics = self._generator_gradients(step, part)
            sums.add(gradients)
            return metrics(), _of_generator(checks)

        def apply() -> Scalars:
            checks: Scalars = {}
            self._apply_to_generator(sums.values(), step, checks)
            return _of_generator(checks)

        self.strategy.run(sums.clear)
        names, metrics, non_finite = accumulated(
            self.accumulation_steps,
            lambda part: run_on_replicas(self.strategy, micro_batch, step, part),
            self._dtype,
        )
        return _with_checks(names, metrics, non_finite, check_on_replicas(self.strategy, apply))

    def _apply_to_generator(
        self, gradients: list[tf.Tensor], step: tf.Tensor, checks: Scalars
    ) -> None:
        players = self.players
        variables = players.generator.trainable_variables
        apply_gradients(gradients, variables, players.generator_optimizer, checks)
        update_moving_average(
            players.average_generator, players.generator, self.average_decay, step
        )


def _of_generator(checks: Scalars) -> Scalars:
    return {f"generator update: {name}": value for name, value in checks.items()}


def _with_checks(
    names: Names, metrics: tf.Tensor, non_finite: tf.Tensor, more: tuple[list[Any], tf.Tensor]
) -> tuple[Names, tf.Tensor, tf.Tensor]:
    """What micro-batches returned, and what was checked once their gradients were applied."""
    more_names, more_non_finite = more
    return (
        Names(names.metrics, names.checks + more_names),
        metrics,
        tf.concat([non_finite, more_non_finite], axis=0),
    )


def _check_name(update: int, name: str) -> str:
    player = "attack in discriminator" if name == ATTACK_CHECK else "discriminator"
    return f"{player} update {update}: {name}"
