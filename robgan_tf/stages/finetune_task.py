"""Training of the classifier as a task of the training loop, with the best checkpoint kept."""

import tensorflow as tf

from robgan_tf.losses.adversarial import class_loss
from robgan_tf.watching.attack_sheet import AttackPictures


class ClassifierTask:
    """Fine-tuning or adversarial training.

    Args:
      classifier_step: the compiled step.
      source: an ImageSource whose first images are shown attacked; best not trained on.
      gap_meter: a GapMeter of the model that is measured.
      gap_every: steps between its measurements.
      best: a BestCheckpoint.
    """

    def __init__(self, classifier_step, source, gap_meter, gap_every, best):
        self._step = classifier_step
        self._gap_meter = gap_meter
        self._gap_every = gap_every
        self._best = best
        model = classifier_step.players.measured
        self._attack_pictures = AttackPictures(
            model,
            classifier_step.attack,
            lambda labels: lambda x: class_loss(model(x, training=False)[1], labels),
            source,
            classifier_step.seed,
        )

    def train_step(self, batch, step):
        """Makes one step on a pair of batches, real and generated (None without any)."""
        return self._step(*batch, step)

    def measure(self, batch, step):
        """The learning rate, the radius, and how many updates have been made."""
        del batch
        optimizer = self._step.players.classifier_optimizer
        return {
            "learning_rate/classifier": tf.convert_to_tensor(optimizer.learning_rate),
            "attack/epsilon": self._step.epsilon(step),
            "count/classifier_updates": step * self._step.replays,
        }

    def evaluate(self, step, due):
        """Measures the gap, and keeps the model if none withstood the attack better."""
        if not due(self._gap_every):
            return {}, {}
        values = self._gap_meter()
        self._best.offer(values.get("gap/validation_attacked"), step)
        return values, {}

    def pictures(self):
        """Draws the attacked images."""
        return {"attacks": self._attack_pictures.draw()}

    def main_losses(self, values):
        """The loss and accuracy on attacked real images."""
        return {
            "loss": values["loss/real_attacked"],
            "accuracy under attack": values["accuracy/real_attacked"],
        }
