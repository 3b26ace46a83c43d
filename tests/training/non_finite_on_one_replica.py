"""Prints how a step ends in which one of two replicas meets an infinite value.

A program of its own, since devices are set up before all else; see test_non_finite.py.
"""

import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.errors import NonFiniteError
from robgan_tf.losses.adversarial import AdversarialLoss
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.training.distribution import make_strategy
from tests import tiny, tiny_classifier
from tests.eager import eagerly


def on_replica_1(value):
    """A tensor, infinite on the second replica."""
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    infinite = tf.constant(float("inf"), value.dtype)
    return tf.where(tf.equal(replica, 1), infinite, tf.ones([], value.dtype)) * value


@tf.custom_gradient
def with_infinite_slope(x):
    """The same, whose gradient is infinite on the second replica."""
    return tf.identity(x), on_replica_1


def losses_of(method):
    """The total of a loss is infinite; its gradients are what they were."""
    true = getattr(AdversarialLoss, method)

    def loss(self, *arguments):
        terms = true(self, *arguments)
        added = tf.stop_gradient(on_replica_1(tf.ones_like(terms.total)) - 1.0)
        return terms._replace(total=terms.total + added)

    return AdversarialLoss, method, loss


def attack_of_pgd():
    """The gradient that PGD follows; no loss and no gradient of a weight."""
    true = ProjectedGradientDescent.checked

    def checked(self, loss_fn, *arguments, **keywords):
        return true(self, lambda x: loss_fn(with_infinite_slope(x)), *arguments, **keywords)

    return ProjectedGradientDescent, "checked", checked


def attack_of_replays():
    """The gradient by the images that free adversarial training moves them by."""
    true = ResNetDiscriminator.call

    def call(self, images, *arguments, **keywords):
        return true(self, with_infinite_slope(images), *arguments, **keywords)

    return ResNetDiscriminator, "call", call


def joint(strategy, *bindings):
    """Makes a step of joint training of one batch for D."""
    small = ("ResNetDiscriminator.widths = '1'", "ResNetGenerator.widths = '2; 1'")
    small += ("train.discriminator_updates = 1", "data.resolution = 8")
    _, step = tiny.build(*small, *bindings, strategy=strategy)
    images, labels = tiny.batch(updates=1)
    step(images[:, :, ::2, ::2], labels, tf.constant(3, tf.int64))


def free_joint(strategy):
    """The same, free."""
    joint(strategy, "TrainingAdversary.free = True", "ProjectedGradientDescent.steps = 2")


def classifier(strategy, free=False):
    """Makes a step of fine-tuning."""
    objective = tiny_classifier.changed_objective(free=free)
    step = tiny_classifier.build(objective, strategy=strategy)
    step(*tiny_classifier.batches(), tf.constant(3, tf.int64))


def free_classifier(strategy):
    """The same, free."""
    classifier(strategy, free=True)


# What is infinite, and in which training.
CASES = {
    "D": (losses_of("discriminator_fake"), joint),
    "G": (losses_of("generator"), joint),
    "attack": (attack_of_pgd(), joint),
    "free attack": (attack_of_replays(), free_joint),
    "attack on the classifier": (attack_of_pgd(), classifier),
    "free attack on the classifier": (attack_of_replays(), free_classifier),
}


def main():
    """Prints a line a case: what it ended with."""
    strategy = make_strategy("mirrored", 2)
    for name, (patch, training) in CASES.items():
        with pytest.MonkeyPatch.context() as patched, eagerly():
            patched.setattr(*patch)
            try:
                training(strategy)
                print(f"{name}: went on")
            except NonFiniteError as error:
                print(f"{name}: {error}")


if __name__ == "__main__":
    main()
