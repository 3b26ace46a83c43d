"""Training of a classifier small enough for a unit test."""

import dataclasses

import keras
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.training.distribution import make_strategy
from robgan_tf.training.finetune_objective import FinetuneObjective
from robgan_tf.training.finetune_step import (
    FinetunePlayers,
    FinetuneStep,
    trained_variables,
)
from tests import tiny

ATTACK = ProjectedGradientDescent(0.1, 2, 0.05, random_start=True)


def discriminator(normalization="none"):
    model = ResNetDiscriminator(16, 1, 10, base_width=4, widths="1, 2", normalization=normalization)
    model.build()
    return model


def sgd_of_rate_1():
    """An optimizer that shows the gradient as a difference."""
    return keras.optimizers.SGD(1.0)


def build(
    objective=None,
    *,
    normalization="none",
    attack=ATTACK,
    make_optimizer=sgd_of_rate_1,
    strategy=None,
    average_decay=0.0,
    seed=0,
    accumulation_steps=1,
):
    """Builds the step of a tiny D."""
    keras.utils.set_random_seed(1)
    strategy = strategy or make_strategy("single_device")
    with strategy.scope():
        model = discriminator(normalization)
        average = discriminator(normalization) if average_decay else None
        if average is not None:
            for variable, value in zip(average.variables, model.variables, strict=True):
                variable.assign(value)
        optimizer = make_optimizer()
        optimizer.build(trained_variables(model))
    return FinetuneStep(
        FinetunePlayers(model, average, optimizer),
        attack,
        objective or FinetuneObjective(),
        strategy=strategy,
        seed=seed,
        average_decay=average_decay,
        accumulation_steps=accumulation_steps,
    )


def batches(real=8, generated=4):
    """A batch of real and one of generated images, with their labels."""
    images, labels = tiny.batch(1, real + generated)
    return (images[0][:real], labels[0][:real]), (images[0][real:], labels[0][real:])


def changed_objective(**changes):
    return dataclasses.replace(FinetuneObjective(), **changes)


def step_number(step=1):
    return tf.constant(step, tf.int64)
