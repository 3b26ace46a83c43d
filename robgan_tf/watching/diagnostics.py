"""What is measured of a step beyond its losses: the attack's effect and D's Lipschitz values.

These cost an attack and two gradients of their own, so they are computed only for steps that
are logged, in a function of their own: the training step is the same compiled graph whether or
not anybody looks. Under free adversarial training, too, they show the whole attack on the weights
as they are, which training itself never makes.
"""

from typing import Any

import tensorflow as tf

from robgan_tf.choices import NORMS
from robgan_tf.layers import hold_normalized_kernels
from robgan_tf.losses.lipschitz import local_lipschitz_values
from robgan_tf.training.distribution import micro_batches, share_out
from robgan_tf.training.joint_step import JointStep
from robgan_tf.typing import Scalars


class Diagnostics:
    """Measures the players on the first D batch of a step, before the step changes them.

    Where a batch is worked through in micro-batches it is the first of them, for its memory.

    Args:
      step: the `JointStep` whose players, attack and random numbers are used.
    """

    def __init__(self, step: JointStep) -> None:
        self._step = step
        self._names: list[str] = []
        self._compiled = tf.function(self._distributed, autograph=False)

    def __call__(self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> Scalars:
        """Measures.

        Args:
          images: [n, global batch, H, W, C] the step's real images in [-1, 1].
          labels: [n, global batch] their classes.
          step: the step's number, a scalar int64 tensor.

        Returns:
          Dict of scalar tensors, means over the global batch.
        """
        strategy = self._step.strategy
        count = self._step.accumulation_steps
        values = self._compiled(
            *(
                share_out(strategy, micro_batches(batches, count, batch_axis=1)[0], batch_axis=0)
                for batches in (images, labels)
            ),
            step,
        )
        return dict(zip(self._names, tf.unstack(values), strict=True))

    def _distributed(self, images: Any, labels: Any, step: tf.Tensor) -> tf.Tensor:
        strategy = self._step.strategy
        values = strategy.run(self._measure, args=(images, labels, step))
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)

    def _measure(self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        discriminator = self._step.players.discriminator
        adversary = self._step.adversary
        images = tf.cast(images, discriminator.compute_dtype)
        fakes, fake_labels = self._step.generate(step, update=0)
        with hold_normalized_kernels(discriminator) as normalized_layers:
            seeds = self._step.random_start_seeds(step, batch=0)
            attacked, _ = adversary.perturb(discriminator, images, labels, step, seeds)
            objective = adversary.objective(discriminator, labels)
            values = {
                **self._accuracies("real", images, labels, True),
                **self._accuracies("attacked", attacked, labels, True),
                **self._accuracies("fake", fakes, fake_labels, False),
                "attack/loss_before": objective(images),
                "attack/loss_after": objective(attacked),
                "attack/epsilon": adversary.epsilon(step),
                "lipschitz_source/real": self._source_lipschitz(images, labels),
                "lipschitz_source/fake": self._source_lipschitz(fakes, fake_labels),
            }
        norm = NORMS.get(adversary.attack.norm)
        at_edge = norm.share_at_edge(images, attacked, adversary.epsilon(step))
        if at_edge is not None:
            values["attack/share_at_edge"] = at_edge
        if normalized_layers:
            values["spectral/largest_sigma"] = tf.reduce_max(
                [layer.sigma() for layer in normalized_layers]
            )
        self._names = list(values)
        return tf.stack([tf.cast(tf.reduce_mean(value), tf.float32) for value in values.values()])

    def _source_lipschitz(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        discriminator = self._step.players.discriminator
        return local_lipschitz_values(lambda x: discriminator(x, labels, training=False)[0], images)

    def _accuracies(
        self, name: str, images: tf.Tensor, labels: tf.Tensor, are_real: bool
    ) -> Scalars:
        """Whether D, in inference mode, judges each image's source and class right."""
        source_logits, class_logits = self._step.players.discriminator(
            images, labels, training=False
        )
        threshold = self._step.adversary.loss.of_source.threshold
        values = {}
        if threshold is not None:
            right = (source_logits > threshold) == are_real
            values[f"accuracy_source/{name}"] = tf.cast(right, tf.float32)
        if class_logits is not None:
            predicted = tf.argmax(class_logits, axis=1, output_type=tf.int32)
            values[f"accuracy_class/{name}"] = tf.cast(predicted == labels, tf.float32)
        return values
