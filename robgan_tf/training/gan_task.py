"""Joint training as the loop runs it: the step, what is measured of it, and its pictures."""

import numpy as np
import tensorflow as tf

from robgan_tf.data import scale_images
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.randomness import Purpose, derive_seed
from robgan_tf.reporting import attack_sheet, format_radius, sample_sheet
from robgan_tf.training.diagnostics import Diagnostics

SHEET_COLUMNS = 10
SHEET_ROWS = 20
ATTACKED_IMAGES = 8


class GanTask:
    """Joint training of the three players.

    Args:
      gan_step: the compiled step.
      source: an ImageSource whose first images are shown attacked; best not trained on.
    """

    def __init__(self, gan_step, source):
        self._gan_step = gan_step
        self._diagnostics = Diagnostics(gan_step)
        self._class_names = source.class_names
        shown = _one_of_each_class(source.labels, ATTACKED_IMAGES)
        self._images = scale_images(source.fetch(shown))
        self._labels = tf.constant(source.labels[shown])
        self._attack = tf.function(self._attack_shown, autograph=False)

    def train_step(self, batch, step):
        """Makes one step on a batch of `data.training_batches`."""
        return self._gan_step(batch["images"], batch["labels"], step)

    def measure(self, batch, step):
        """Measures the players on the step's first D batch; learning rates; what D has seen."""
        players = self._gan_step.players
        batches = step * self._gan_step.discriminator_updates
        return {
            **self._diagnostics(batch["images"], batch["labels"], step),
            "count/discriminator_batches": batches,
            "count/discriminator_updates": batches * self._gan_step.adversary.replays,
            "learning_rate/generator": _learning_rate(players.generator_optimizer),
            "learning_rate/discriminator": _learning_rate(players.discriminator_optimizer),
        }

    def pictures(self):
        """Draws the sample sheet and the attacked images."""
        return {"samples": self._sample_sheet(), "attacks": self._attack_sheet()}

    def main_losses(self, values):
        """The totals of D and G."""
        return {
            "D loss": values["loss_discriminator/total"],
            "G loss": values["loss_generator/total"],
        }

    def _sample_sheet(self):
        """Samples of the averaged G for the same latents every time, one class a row."""
        generator = self._gan_step.players.average_generator
        count = max(generator.num_classes, 1)
        classes = np.unique(np.linspace(0, count - 1, SHEET_ROWS).round().astype(np.int32))
        latents = tf.random.stateless_normal(
            [len(classes), SHEET_COLUMNS, generator.latent_size],
            derive_seed(self._gan_step.seed, Purpose.SAMPLE_SHEET),
        )
        rows = [
            generator(row, tf.fill([SHEET_COLUMNS], label), training=False).numpy()
            for row, label in zip(latents, classes, strict=True)
        ]
        names = [self._class_names[label] for label in classes] if generator.num_classes else [""]
        return sample_sheet(np.stack(rows), names)

    def _attack_sheet(self):
        attack = self._gan_step.adversary.attack
        attacked, before, after = self._attack(self._images, self._labels)
        return attack_sheet(
            self._images.numpy(),
            attacked.numpy(),
            f"{format_radius(attack.epsilon, attack.norm)}; class: D says before -> after",
            self._captions(before, after),
        )

    def _attack_shown(self, images, labels):
        """Attacks the shown images and returns what D takes them for, before and after."""
        discriminator = self._gan_step.players.discriminator
        adversary = self._gan_step.adversary
        seed = derive_seed(self._gan_step.seed, Purpose.ATTACK_SHEET)
        with hold_normalized_kernels(discriminator):
            attacked = adversary.attack(
                adversary.objective(discriminator, labels), images, seed=seed
            )
            logits = [discriminator(x, training=False)[1] for x in (images, attacked)]
        if logits[0] is None:
            return attacked, None, None
        return attacked, *(tf.argmax(values, axis=1) for values in logits)

    def _captions(self, before, after):
        """The true class, then what D says of the image before and after the attack."""
        if before is None:
            return None
        return [
            f"{self._class_names[true]}: {self._class_names[first]} -> {self._class_names[second]}"
            for true, first, second in zip(
                self._labels.numpy(), before.numpy(), after.numpy(), strict=True
            )
        ]


def _one_of_each_class(labels, count):
    """Indices of the first example of up to `count` classes, evenly spaced."""
    _, first = np.unique(labels, return_index=True)
    return first[np.unique(np.linspace(0, len(first) - 1, count).round().astype(int))]


def _learning_rate(optimizer):
    return tf.convert_to_tensor(optimizer.learning_rate)
