"""What a step of joint training differentiates: its random draws, and the gradients of D and G."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.adversarial import AdversarialLoss, LossTerms
from robgan_tf.models.players import Discriminator, Generator
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.training.adversary import TrainingAdversary
from robgan_tf.training.distribution import local_part
from robgan_tf.typing import Scalars

# From D, while its kernels are held, to attacked real images, and what tells whether the attack's
# gradients were finite; None where they are not yet known.
Perturb = Callable[[Discriminator], tuple[tf.Tensor, tf.Tensor | None]]
# Gradients, checks, and the function that returns the metrics: they are computed once gradients
# are applied, since runs of earlier versions go on to the same digits in that order alone.
Differentiated = tuple[list[tf.Tensor], Scalars, Callable[[], Scalars]]
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

    generator: Generator
    discriminator: Discriminator
    average_generator: Generator
    generator_optimizer: keras.optimizers.Optimizer
    discriminator_optimizer: keras.optimizers.Optimizer


@dataclasses.dataclass(eq=False)
class JointGradients:
    """Draws and gradients of a step, whose updates `JointStep` makes.

    Attributes:
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
      accumulation_steps: micro-batches that each batch is worked through in, of real images for D
        and of G's (`training.accumulation`). Every sample is that of the whole batch, whatever
        their number; batch normalization takes statistics of, and moves its averages by, each
        micro-batch.
    """

    players: JointPlayers
    adversary: TrainingAdversary
    loss: AdversarialLoss
    _: dataclasses.KW_ONLY
    strategy: tf.distribute.Strategy
    batch_size: int
    generator_batch_size: int
    discriminator_updates: int
    seed: int
    average_decay: float
    accumulation_steps: int = 1

    def generate(
        self,
        step: tf.Tensor,
        update: int | tf.Tensor,
        for_generator: bool = False,
        part: int | tf.Tensor = 0,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Makes this replica's fakes of one update, from the run's seed.

        Args:
          step: training step.
          update: index of the update within the step, an integer or a scalar tensor; the G
            update is the last.
          for_generator: whether they are those of the G update, which has a batch size of its own
            and alone moves G's moving averages.
          part: number of the micro-batch.

        Returns:
          Images [local batch, H, W, C] in [-1, 1] and the labels they were asked for.
        """
        latents, labels = self.latents(step, update, for_generator, part)
        images = self.players.generator(
            latents, labels, training=True, update_statistics=for_generator
        )
        return images, labels

    def random_start_seeds(
        self, step: tf.Tensor, batch: int | tf.Tensor, part: int | tf.Tensor = 0
    ) -> tf.Tensor:
        """Returns this replica's seeds of a D batch's random start, [local batch, 2]."""
        seed = derive_seed(self.seed, Purpose.RANDOM_START, step, batch)
        return self._local_part(tf.random.split(seed, self.batch_size), part)

    def latents(
        self,
        step: tf.Tensor,
        update: int | tf.Tensor,
        for_generator: bool = False,
        part: int | tf.Tensor = 0,
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
        return self._local_part(latents, part), self._local_part(labels, part)

    def _local_part(self, values: tf.Tensor, part: int | tf.Tensor) -> tf.Tensor:
        return local_part(values, part, self.accumulation_steps)

    def _perturb_whole(
        self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor, seeds: tf.Tensor
    ) -> Perturb:
        """The whole attack on images."""
        return lambda discriminator: self.adversary.perturb(
            discriminator, images, labels, step, seeds
        )

    def _discriminator_gradients(
        self,
        perturb: Perturb,
        labels: tf.Tensor,
        step: tf.Tensor,
        update: int | tf.Tensor,
        part: int | tf.Tensor = 0,
        advance: bool = False,
    ) -> Differentiated:
        """Gradients of this replica's part of D's loss, or of a micro-batch of it.

        Args:
          perturb: a Perturb.
          labels: of the real images.
          step: training step.
          update: index of the update within the step.
          part: number of the micro-batch.
          advance: whether spectral normalization advances first.

        Returns:
          Gradients of D's variables, and last, in free adversarial training, that of the attacked
          images; checks; and the function that returns the metrics.
        """
        discriminator = self.players.discriminator
        fakes, fake_labels = self.generate(step, update, part=part)
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator, advance=advance):
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
        gradients = tape.gradient(total, [*discriminator.trainable_variables, *watched])
        # In the order in which they come about.
        checks = {} if of_attack is None else {ATTACK_CHECK: tf.cast(of_attack, total.dtype)}
        checks |= {
            "loss on attacked real images": tf.reduce_sum(real.total),
            "loss on generated images": tf.reduce_sum(fake.total),
        }
        if watched:
            checks[ATTACK_CHECK] = tf.reduce_sum(gradients[-1])
        return gradients, checks, lambda: self._discriminator_metrics(real, fake, losses)

    def _discriminator_metrics(
        self, real: LossTerms, fake: LossTerms, losses: tf.Tensor
    ) -> Scalars:
        return {
            "loss_discriminator/total": tf.reduce_mean(losses),
            **_term_metrics("loss_discriminator/real_", real),
            **_term_metrics("loss_discriminator/fake_", fake, self.loss.term_weights.fake_class),
        }

    def _generator_gradients(self, step: tf.Tensor, part: int | tf.Tensor = 0) -> Differentiated:
        """Gradients of this replica's part of G's loss, or of a micro-batch of it."""
        generator, discriminator = self.players.generator, self.players.discriminator
        update = self.discriminator_updates * self.adversary.replays
        with tf.GradientTape() as tape, hold_normalized_kernels(discriminator):
            fakes, labels = self.generate(step, update, for_generator=True, part=part)
            source_logits, class_logits = discriminator(
                fakes, labels, training=True, update_statistics=False
            )
            terms = self.loss.generator(source_logits, class_logits, labels)
            total = tf.reduce_sum(terms.total) / self.generator_batch_size
        variables = generator.trainable_variables
        checks = {"loss": tf.reduce_sum(terms.total)}
        gradients = tape.gradient(total, variables)
        return gradients, checks, lambda: _generator_metrics(terms)


def _generator_metrics(terms: LossTerms) -> Scalars:
    return {
        "loss_generator/total": tf.reduce_mean(terms.total),
        **_term_metrics("loss_generator/", terms),
    }


def _term_metrics(prefix: str, terms: LossTerms, has_class_term: bool | float = True) -> Scalars:
    metrics = {f"{prefix}source": tf.reduce_mean(terms.source)}
    if has_class_term:
        metrics[f"{prefix}class"] = tf.reduce_mean(terms.classification)
    return metrics
