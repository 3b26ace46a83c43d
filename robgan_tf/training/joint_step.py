"""One training step of the three players: n D updates, then one G update (paper section 3.3)."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.adversarial import AdversarialLoss, LossTerms
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.adversary import TrainingAdversary, attacked_already
from robgan_tf.training.distribution import local_part, share_out
from robgan_tf.training.moving_average import update_moving_average
from robgan_tf.training.replicated import (
    Names,
    apply_gradients,
    raise_if_not_finite,
    run_on_replicas,
)
from robgan_tf.typing import Scalars

# From D, while its kernels are held, to attacked real images, and what tells whether the attack's
# gradients were finite; None where they are not yet known.
Perturb = Callable[[ResNetDiscriminator], tuple[tf.Tensor, tf.Tensor | None]]
# The check of the attack, among those of a D update.
ATTACK_CHECK = "gradient of the images"


@dataclasses.dataclass(frozen=True)
class JointPlayers:
    """The models and optimizers that training changes, built in the strategy's scope.

    Attributes:
      generator: G.
      discriminator: D.
      average_generator: exponential moving average of G, the generator people use.
      generator_optimizer: optimizer of G.
      discriminator_optimizer: optimizer of D.
    """

    generator: ResNetGenerator
    discriminator: ResNetDiscriminator
    average_generator: ResNetGenerator
    generator_optimizer: keras.optimizers.Optimizer
    discriminator_optimizer: keras.optimizers.Optimizer


class JointStep:
    """A compiled training step, on all replicas.

    Every random number is a function of (seed, purpose, step, update, position in the global
    batch), so the number of replicas and interruptions change nothing.

    Args:
      players: models and optimizers.
      adversary: attacks the real images.
      loss: losses of D and G.
      strategy: the distribution strategy in whose scope the players were built.
      batch_size: global batch size, of each D update.
      generator_batch_size: of the G update.
      discriminator_updates: batches of real images for D in one step, with one D update each, or
        `adversary.replays` in free adversarial training.
      seed: the run's seed.
      average_decay: decay of the moving average of G.
    """

    def __init__(
        self,
        players: JointPlayers,
        adversary: TrainingAdversary,
        loss: AdversarialLoss,
        *,
        strategy: tf.distribute.Strategy,
        batch_size: int,
        generator_batch_size: int,
        discriminator_updates: int,
        seed: int,
        average_decay: float,
    ) -> None:
        self.players = players
        self.adversary = adversary
        self.loss = loss
        self.strategy = strategy
        self.batch_size = batch_size
        self.generator_batch_size = generator_batch_size
        self.discriminator_updates = discriminator_updates
        self.seed = seed
        self.average_decay = average_decay
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
            share_out(self.strategy, images, batch_axis=1),
            share_out(self.strategy, labels, batch_axis=1),
            step,
        )
        raise_if_not_finite(step, self._check_names, non_finite, self.strategy)
        return dict(zip(self._metric_names, tf.unstack(metrics), strict=True))

    def generate(
        self, step: tf.Tensor, update: int | tf.Tensor, for_generator: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes this replica's fakes of one update, from the run's seed.

        Args:
          step: training step.
          update: index of the update within the step, an integer or a scalar tensor; the G
            update is the last.
          for_generator: whether they are those of the G update, which has a batch size of its own
            and alone moves G's moving averages.

        Returns:
          Images [local batch, H, W, C] in [-1, 1] and the labels they were asked for.
        """
        latents, labels = self.latents(step, update, for_generator)
        images = self.players.generator(
            latents, labels, training=True, update_statistics=for_generator
        )
        return images, labels

    def random_start_seeds(self, step: tf.Tensor, batch: int | tf.Tensor) -> tf.Tensor:
        """Returns this replica's seeds of a D batch's random start, [local batch, 2]."""
        seed = derive_seed(self.seed, Purpose.RANDOM_START, step, batch)
        return local_part(tf.random.split(seed, self.batch_size))

    def latents(
        self, step: tf.Tensor, update: int | tf.Tensor, for_generator: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws what this replica's fakes of one update are made of; Args are `generate`'s.

        Returns:
          Latents [local batch, Z], standard normal, and labels [local batch].
        """
        generator = self.players.generator
        count = self.generator_batch_size if for_generator else self.batch_size
        latents = tf.random.stateless_normal(
            [count, generator.latent_size],
            derive_seed(self.seed, Purpose.LATENTS, step, update),
            dtype=generator.compute_dtype,
        )
        labels = tf.random.stateless_uniform(
            [count],
            derive_seed(self.seed, Purpose.LABELS, step, update),
            maxval=max(generator.num_classes, 1),
            dtype=tf.int32,
        )
        return local_part(latents), local_part(labels)

    def _distributed_step(
        self, images: Any, labels: Any, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        names, metrics, non_finite = self._discriminator_updates(images, labels, step)
        more_names, more_metrics, more_non_finite = run_on_replicas(
            self.strategy, self._generator_update, step
        )
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
        traced: list[Names] = []

        def one_batch(
            batch: tf.Tensor, metrics: tf.TensorArray, non_finite: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            names, *values = run_on_replicas(
                self.strategy, self._discriminator_batch, images, labels, step, batch
            )
            traced[:] = [names]
            return batch + 1, metrics.write(batch, values[0]), non_finite.write(batch, values[1])

        dtype = tf.as_dtype(self.players.discriminator.compute_dtype)
        _, metrics, non_finite = tf.while_loop(
            lambda batch, *_: batch < count,
            one_batch,
            (0, tf.TensorArray(dtype, count), tf.TensorArray(tf.int32, count)),
            parallel_iterations=1,
            maximum_iterations=count,
        )
        names = Names(
            traced[0].metrics,
            [
                _check_name(batch * replays + replay + 1, name)
                for batch in range(count)
                for replay, name in traced[0].checks
            ],
        )
        replicas = self.strategy.num_replicas_in_sync
        return (
            names,
            tf.reduce_mean(metrics.stack(), axis=0),
            tf.reshape(non_finite.stack(), [-1, replicas]),
        )

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

            def perturb(discriminator: ResNetDiscriminator) -> tuple[tf.Tensor, tf.Tensor]:
                return adversary.perturb(discriminator, images, labels, step, seeds)

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
        fakes, fake_labels = self.generate(step, update)
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator, advance=True):
            with tape.stop_recording():
                attacked, of_attack = perturb(discriminator)
            watched = [attacked] if self.adversary.free else []
            tape.watch(watched)
            real_source, real_class = discriminator(attacked, labels, training=True)
            fake_source, fake_class = discriminator(fakes, fake_labels, training=True)
            real = self.loss.discriminator_real(real_source, real_class, labels)
            fake = self.loss.discriminator_fake(fake_source, fake_class, fake_labels)
            losses = real.total + fake.total
            total = tf.reduce_sum(losses) / self.batch_size
        variables = discriminator.trainable_variables
        gradients = tape.gradient(total, [*variables, *watched])
        # In the order in which they come about.
        checks = {} if of_attack is None else {ATTACK_CHECK: tf.cast(of_attack, total.dtype)}
        checks |= {
            "loss on attacked real images": tf.reduce_sum(real.total),
            "loss on generated images": tf.reduce_sum(fake.total),
        }
        if watched:
            checks[ATTACK_CHECK] = tf.reduce_sum(gradients[-1])
        of_variables = gradients[: len(variables)]
        apply_gradients(of_variables, variables, self.players.discriminator_optimizer, checks)
        metrics = {
            "loss_discriminator/total": tf.reduce_mean(losses),
            **_term_metrics("loss_discriminator/real_", real),
            **_term_metrics("loss_discriminator/fake_", fake, self.loss.term_weights.fake_class),
        }
        return metrics, checks, gradients[-1] if watched else None

    def _generator_update(self, step: tf.Tensor) -> tuple[Scalars, Scalars]:
        """Makes the G update, which ends the step, and moves the averages of G."""
        generator, discriminator = self.players.generator, self.players.discriminator
        update = self.discriminator_updates * self.adversary.replays
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator):
            fakes, labels = self.generate(step, update, for_generator=True)
            source_logits, class_logits = discriminator(
                fakes, labels, training=True, update_statistics=False
            )
            terms = self.loss.generator(source_logits, class_logits, labels)
            total = tf.reduce_sum(terms.total) / self.generator_batch_size
        variables = generator.trainable_variables
        checks = {"loss": tf.reduce_sum(terms.total)}
        gradients = tape.gradient(total, variables)
        apply_gradients(gradients, variables, self.players.generator_optimizer, checks)
        update_moving_average(self.players.average_generator, generator, self.average_decay, step)
        metrics = {
            "loss_generator/total": tf.reduce_mean(terms.total),
            **_term_metrics("loss_generator/", terms),
        }
        return metrics, {f"generator update: {name}": value for name, value in checks.items()}


def _check_name(update: int, name: str) -> str:
    player = "attack in discriminator" if name == ATTACK_CHECK else "discriminator"
    return f"{player} update {update}: {name}"


def _term_metrics(prefix: str, terms: LossTerms, has_class_term: bool | float = True) -> Scalars:
    metrics = {f"{prefix}source": tf.reduce_mean(terms.source)}
    if has_class_term:
        metrics[f"{prefix}class"] = tf.reduce_mean(terms.classification)
    return metrics
