"""What is measured of a step, against the same quantities computed plainly."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import variable_path
from robgan_tf.watching.diagnostics import Diagnostics
from tests import tiny


def test_measures_equal_those_written_out_and_nothing_changes():
    players, step = tiny.build()
    images, labels = tiny.batch()
    number = tf.constant(3, tf.int64)
    before = [np.array(variable) for variable in players.discriminator.variables]
    values = Diagnostics(step)(images, labels, number)
    for variable, value in zip(players.discriminator.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)

    discriminator = players.discriminator
    seeds = step.strategy.run(lambda: step.random_start_seeds(number, 0))
    fakes, fake_labels = step.strategy.run(lambda: step.generate(number, 0))
    attacked, _ = step.adversary.perturb(discriminator, images[0], labels[0], number, seeds)
    for name, batch, wanted, is_real in (
        ("real", images[0], labels[0], True),
        ("attacked", attacked, labels[0], True),
        ("fake", fakes, fake_labels, False),
    ):
        source, classes = discriminator(batch)
        right = (np.asarray(source) > 0) == is_real
        assert float(values[f"accuracy_source/{name}"]) == pytest.approx(right.mean())
        right = np.argmax(classes, axis=1) == np.asarray(wanted)
        assert float(values[f"accuracy_class/{name}"]) == pytest.approx(right.mean())
    objective = step.adversary.objective(discriminator, labels[0])
    assert float(values["attack/loss_before"]) == pytest.approx(
        float(tf.reduce_mean(objective(images[0]))), rel=1e-5
    )
    assert float(values["attack/loss_after"]) == pytest.approx(
        float(tf.reduce_mean(objective(attacked))), rel=1e-5
    )
    edge = np.isclose(np.abs(attacked - images[0]), 0.1, rtol=1e-3)
    assert float(values["attack/share_at_edge"]) == pytest.approx(edge.mean(), abs=1e-3)
    with tf.GradientTape() as tape:
        batch = tf.identity(images[0])
        tape.watch(batch)
        source = discriminator(batch)[0]
    lengths = np.linalg.norm(tape.gradient(source, batch).numpy().reshape(8, -1), axis=1)
    assert float(values["lipschitz_source/real"]) == pytest.approx(lengths.mean(), rel=1e-4)


def test_largest_sigma_is_that_of_the_stored_kernels():
    players, step = tiny.build()
    images, labels = tiny.batch()
    values = Diagnostics(step)(images, labels, tf.constant(1, tf.int64))
    kernels = [
        np.asarray(variable)
        for variable in players.discriminator.trainable_variables
        if variable_path(variable).endswith("kernel")
    ]
    largest = max(np.linalg.norm(k.reshape(-1, k.shape[-1]), 2) for k in kernels)
    assert float(values["spectral/largest_sigma"]) == pytest.approx(largest, rel=1e-4)
