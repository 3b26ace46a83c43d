"""Prints how far 2 replicas are from 1 after two steps in float64, where rounding cannot hide
a wrong reduction.

A program of its own, since devices are set up before all else. Each kind of training is a child of
it, which finds TensorFlow imported: collectives of a second strategy in one process collide with
those of the first.
"""

import dataclasses
import os
import sys

import keras
import numpy as np
import tensorflow as tf

from robgan_tf.keras_versions import tensorflow_variable
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.losses.objective.trades import Trades
from robgan_tf.training.distribution import make_strategy
from tests import tiny, tiny_classifier
from tests.eager import eagerly

STEPS = 2
# Averages of the unbiased variance, normalized shortcuts, Adam as its paper has it; and batches
# in micro-batches, each of which spans the replicas.
PUBLISHED = (
    "ResNetGenerator.form = 'official_code'",
    "ResNetDiscriminator.form = 'official_code'",
    "generator_optimizer.epsilon_place = 'corrected'",
    "discriminator_optimizer.epsilon_place = 'corrected'",
    "train.generator_batch_size = 12",
    "train.accumulation_steps = 2",
)


def joint_training(strategy, normalization):
    """The losses of each step and the models, D first."""
    forms = PUBLISHED if normalization == "batch" else ()
    players, step = tiny.build(
        f"ResNetDiscriminator.normalization = '{normalization}'",
        "ResNetDiscriminator.widths = '1'",
        "ResNetGenerator.widths = '2; 1'",
        "data.resolution = 8",
        *forms,
        strategy=strategy,
    )
    images, labels = tiny.batch()
    images = images[:, :, ::2, ::2]
    losses = [step(images, labels, tf.constant(k, tf.int64)) for k in range(1, STEPS + 1)]
    return losses, (players.discriminator, players.generator, players.average_generator)


def classifier_training(strategy, normalization):
    """The same of fine-tuning; with batch statistics TRADES at perturbed weights from step 2 on."""
    objective = tiny_classifier.changed_objective(
        generated_weight=0.3, generated_label_smoothing=0.1, lipschitz_weight=0.01
    )
    if normalization == "batch":
        objective = dataclasses.replace(
            objective,
            label_smoothing=0.1,
            loss=Trades(4.0),
            weight_perturbation=0.02,
            weight_perturbation_warmup_steps=1,
        )
    step = tiny_classifier.build(
        objective, normalization=normalization, strategy=strategy, average_decay=0.9
    )
    real, generated = tiny_classifier.batches()
    losses = [step(real, generated, tf.constant(k, tf.int64)) for k in range(1, STEPS + 1)]
    return losses, (step.players.classifier, step.players.average_classifier)


def largest_difference(train, strategies, normalization):
    """Largest relative difference of any loss or variable, and of u between the replicas."""
    losses, variables = [], []
    for strategy in strategies:
        # Two replicas compiled, as users train; one operation by operation.
        with eagerly(strategy.num_replicas_in_sync == 1):
            of_steps, models = train(strategy, normalization)
        losses.append(of_steps)
        variables.append([np.array(v) for model in models for v in model.variables])
    between_replicas = [
        np.abs(
            np.subtract(*(np.array(copy) for copy in tensorflow_variable(layer.vector_u).values))
        ).max()
        for layer in spectral_normalization_layers(models[0])
    ]
    pairs = [
        *((one[name], two[name]) for one, two in zip(*losses, strict=True) for name in one),
        *zip(*variables, strict=True),
    ]
    differences = [np.abs(a - b).max() / max(1.0, np.abs(a).max()) for a, b in pairs]
    return max(differences), max(between_replicas, default=0.0)


def compare(training):
    """Prints both differences of a training by normalization."""
    keras.backend.set_floatx("float64")
    # Before all else: TensorFlow fixes its devices at the first use of any.
    two = make_strategy("mirrored", 2)
    strategies = (make_strategy("mirrored", 1), two)
    train = {"joint": joint_training, "classifier": classifier_training}[training]
    for normalization in ("spectral", "batch"):
        differences = largest_difference(train, strategies, normalization)
        print(training, normalization, *differences, flush=True)


def main():
    """Compares, in a child for each training named on the command line; returns a status."""
    statuses = []
    for training in sys.argv[1:]:
        child = os.fork()
        if not child:
            compare(training)
            os._exit(0)
        statuses.append(os.waitpid(child, 0)[1])
    return int(any(statuses))


if __name__ == "__main__":
    sys.exit(main())
