"""The critic's loss by hand; that neither alarms nor diagnostics take it for a probability."""

import numpy as np
import tensorflow as tf

from robgan_tf.losses import AdversarialLoss
from robgan_tf.watching.diagnostics import Diagnostics
from tests import tiny

LOGITS = tf.constant([0.0, 40.0, -3.0])
LOSS = AdversarialLoss(source="wasserstein")


def test_losses_by_hand():
    for terms, expected in (
        (LOSS.discriminator_real(LOGITS, None, None), [0.0, -40.0, 3.0]),
        (LOSS.discriminator_fake(LOGITS, None, None), [0.0, 40.0, -3.0]),
        (LOSS.generator(LOGITS, None, None), [0.0, -40.0, 3.0]),
    ):
        np.testing.assert_allclose(terms.total, expected)


def test_what_all_logits_share_changes_nothing_that_d_learns():
    def d_loss(shift):
        real = LOSS.discriminator_real(LOGITS + shift, None, None).total
        fake = LOSS.discriminator_fake(2.0 * LOGITS + shift, None, None).total
        return float(tf.reduce_mean(real + fake))

    np.testing.assert_allclose(d_loss(100.0), d_loss(0.0), rtol=1e-6)


def test_a_critic_calls_nothing_real_by_itself_and_is_never_certain():
    assert LOSS.of_source.realness(LOGITS) is None
    _, step = tiny.build("AdversarialLoss.source = 'wasserstein'")
    images, labels = tiny.batch()
    names = set(Diagnostics(step)(images, labels, tf.constant(1, tf.int64)))
    assert not {name for name in names if name.startswith("accuracy_source/")}
    assert "accuracy_class/real" in names
