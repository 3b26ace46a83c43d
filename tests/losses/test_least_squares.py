"""LSGAN's loss against numbers computed by hand, and what D's logits mean under it."""

import numpy as np
import tensorflow as tf

from robgan_tf.losses import AdversarialLoss
from tests import tiny

LOGITS = tf.constant([0.0, 1.0, 3.0, -1.0])
LOSS = AdversarialLoss(source="least_squares")


def test_losses_by_hand():
    for terms, expected in (
        (LOSS.discriminator_real(LOGITS, None, None), [0.5, 0.0, 2.0, 2.0]),
        (LOSS.discriminator_fake(LOGITS, None, None), [0.0, 0.5, 4.5, 0.5]),
        (LOSS.generator(LOGITS, None, None), [0.5, 0.0, 2.0, 2.0]),
    ):
        np.testing.assert_allclose(terms.total, expected)


def test_the_way_from_target_to_target_is_what_d_is_certain_of():
    np.testing.assert_allclose(LOSS.of_source.realness(LOGITS), [0.0, 1.0, 1.0, 0.0])
    assert LOSS.of_source.threshold == 0.5


def test_a_step_trains_with_it(eagerly):
    players, step = tiny.build("AdversarialLoss.source = 'least_squares'")
    images, labels = tiny.batch()
    before = [variable.numpy() for variable in players.generator.trainable_variables]
    values = step(images, labels, tf.constant(1, tf.int64))
    assert 0.0 <= float(values["loss_generator/source"]) < 10.0
    after = players.generator.trainable_variables
    assert any(not np.array_equal(x, y) for x, y in zip(before, after, strict=True))
