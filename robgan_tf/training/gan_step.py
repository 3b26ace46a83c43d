"""One training step of the three players: n D updates, then one G update (paper section 3.3)."""

import dataclasses

import keras
import tensorflow as tf

from robgan_tf.errors import NonFiniteError
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses import AdversarialLoss
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.adversary import TrainingAdversary
from robgan_tf.training.distribution import local_part, share_out
from robgan_tf.training.moving_average import update_moving_average


@dataclasses.dataclass(frozen=True)
class Players:
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


class GanStep:
    """A compiled training step, on all replicas.

    Every random number is a function of (seed, purpose, step, update, position in the global
    batch), so the number of replicas and interruptions change nothing.

    Args:
      players: models and optimizers.
      adversary: attacks the real images.
      loss: losses of D and G.
      strategy: the distribution strategy in whose scope the players were built.
      batch_size: global batch size, of each D update and of the G update.
      discriminator_updates: D updates in one step.
      seed: the run's seed.
      average_decay: decay of the moving average of G.
    """

    def __init__(
        self,
        players: Players,
        adversary: TrainingAdversary,
        loss: AdversarialLoss,
        *,
        strategy,
        batch_size,
        discriminator_updates,
        seed,
        average_decay,
    ):
        self.players = players
        self.adversary = adversary
        self.loss = loss
        self.strategy = strategy
        self.batch_size = batch_size
        self.discriminator_updates = discriminator_updates
        self.seed = seed
        self.average_decay = average_decay
        self._metric_names = []
        self._check_names = []
        self._compiled = tf.function(self._distributed_step, autograph=False)

    def __call__(self, images, labels, step):
        """Makes one step.

        Args:
          images: [n, global batch, H, W, C] real images in [-1, 1], a batch for each D update.
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
        culprits = non_finite.numpy().nonzero()[0]
        if len(culprits):
            more = f" (and {len(culprits) - 1} more)" if len(culprits) > 1 else ""
            raise NonFiniteError(
                f"step {int(step)}: {self._check_names[culprits[0]]} is not finite{more}"
            )
        return dict(zip(self._metric_names, tf.unstack(metrics), strict=True))

    def generate(self, step, update, training_statistics=False):
        """Makes this replica's fakes of one update, from the run's seed.

        Args:
          step: training step.
          update: index of the update within the step; the G update is the last.
          training_statistics: whether G's moving averages move (only in its own update).

        Returns:
          Images [local batch, H, W, C] in [-1, 1] and the labels they were asked for.
        """
        latents, labels = self._latents(step, update)
        images = self.players.generator(
            latents, labels, training=True, update_statistics=training_statistics
        )
        return images, labels

    def random_start_seeds(self, step, update):
        """Returns this replica's seeds of the attack's random start, [local batch, 2]."""
        seed = derive_seed(self.seed, Purpose.RANDOM_START, step, update)
        return local_part(tf.random.split(seed, self.batch_size))

    def _latents(self, step, update):
        generator = self.players.generator
        latents = tf.random.stateless_normal(
            [self.batch_size, generator.latent_size],
            derive_seed(self.seed, Purpose.LATENTS, step, update),
            dtype=generator.compute_dtype,
        )
        labels = tf.random.stateless_uniform(
            [self.batch_size],
            derive_seed(self.seed, Purpose.LABELS, step, update),
            maxval=max(generator.num_classes, 1),
            dtype=tf.int32,
        )
        return local_part(latents), local_part(labels)

    def _distributed_step(self, images, labels, step):
        metrics, non_finite = self.strategy.run(self._replica_step, args=(images, labels, step))
        return (
            self.strategy.reduce(tf.distribute.ReduceOp.MEAN, metrics, axis=None),
            self.strategy.reduce(tf.distribute.ReduceOp.SUM, non_finite, axis=None),
        )

    def _replica_step(self, images, labels, step):
        images = tf.cast(images, self.players.discriminator.compute_dtype)
        updates, checks = [], {}
        for update in range(self.discriminator_updates):
            metrics = self._discriminator_update(
                images[update], labels[update], step, update, checks
            )
            updates.append(metrics)
        metrics = {
            name: tf.reduce_mean([values[name] for values in updates]) for name in updates[0]
        }
        metrics.update(self._generator_update(step, checks))
        update_moving_average(
            self.players.average_generator, self.players.generator, self.average_decay, step
        )
        self._metric_names, self._check_names = list(metrics), list(checks)
        non_finite = ~tf.math.is_finite(tf.stack(list(checks.values())))
        return tf.stack(list(metrics.values())), tf.cast(non_finite, tf.int32)

    def _discriminator_update(self, images, labels, step, update, checks):
        discriminator = self.players.discriminator
        fakes, fake_labels = self.generate(step, update)
        seeds = self.random_start_seeds(step, update)
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator, advance=True):
            with tape.stop_recording():
                attacked = self.adversary.perturb(discriminator, images, labels, step, seeds)
            real_logits = discriminator(attacked, training=True)
            fake_logits = discriminator(fakes, training=True)
            real = self.loss.discriminator_real(*real_logits, labels)
            fake = self.loss.discriminator_fake(*fake_logits, fake_labels)
            losses = real.total + fake.total
            total = tf.reduce_sum(losses) / self.batch_size
        where = f"discriminator update {update + 1}"
        checks[f"{where}: loss on attacked real images"] = tf.reduce_sum(real.total)
        checks[f"{where}: loss on generated images"] = tf.reduce_sum(fake.total)
        _apply_gradients(
            tape, total, discriminator, self.players.discriminator_optimizer, where, checks
        )
        return {
            "loss_discriminator/total": tf.reduce_mean(losses),
            **_term_metrics("loss_discriminator/real_", real),
            **_term_metrics("loss_discriminator/fake_", fake, self.loss.term_weights.fake_class),
        }

    def _generator_update(self, step, checks):
        generator, discriminator = self.players.generator, self.players.discriminator
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator):
            fakes, labels = self.generate(
                step, self.discriminator_updates, training_statistics=True
            )
            logits = discriminator(fakes, training=True, update_statistics=False)
            terms = self.loss.generator(*logits, labels)
            total = tf.reduce_sum(terms.total) / self.batch_size
        checks["generator update: loss"] = tf.reduce_sum(terms.total)
        _apply_gradients(
            tape, total, generator, self.players.generator_optimizer, "generator update", checks
        )
        return {
            "loss_generator/total": tf.reduce_mean(terms.total),
            **_term_metrics("loss_generator/", terms),
        }


def _apply_gradients(tape, loss, model, optimizer, where, checks):
    """Adds up the gradients of all replicas (in the optimizer) and applies them."""
    variables = model.trainable_variables
    gradients = tape.gradient(loss, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        # A sum is finite only if every element is, and costs one pass.
        checks[f"{where}: gradient of {variable.path}"] = tf.reduce_sum(gradient)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _term_metrics(prefix, terms, has_class_term=True):
    metrics = {f"{prefix}source": tf.reduce_mean(terms.source)}
    if has_class_term:
        metrics[f"{prefix}class"] = tf.reduce_mean(terms.classification)
    return metrics
