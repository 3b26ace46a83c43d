"""No attack takes images of another range than [-1, 1]: it would clip them into it."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd_search import PGDSearch
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.attacks.square import SquareSearch

LEVELS = np.full([2, 4, 4, 3], 200.0, np.float32)
LABELS, SEEDS = tf.constant([0, 1]), tf.constant([[1, 2], [3, 4]])


def logits(images):
    return tf.reduce_mean(images, axis=[1, 2, 3])[:, None] * [[1.0, -1.0]]


ATTACKS = {
    "ProjectedGradientDescent": lambda images: ProjectedGradientDescent(0.1, 2, 0.05)(
        lambda x: logits(x)[:, 0], images
    ),
    "PGDSearch": lambda images: PGDSearch(0.1, 2, 0.05)(logits, images, LABELS, SEEDS),
    "AutoPGD": lambda images: AutoPGD(0.1, 2)(logits, images, LABELS, SEEDS),
    "SquareSearch": lambda images: SquareSearch(0.1, 2)(logits, images, LABELS, SEEDS),
    "MomentumSearch": lambda images: MomentumSearch(0.1, 2)(logits, images, LABELS, SEEDS),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_other_ranges_are_refused(name):
    attack = ATTACKS[name]
    for images, message in (
        (LEVELS, rf"{name} needs images in \[-1, 1\], and these are from 200 to 200"),
        (LEVELS.astype(np.uint8), f"{name} needs images that are floats .*, not uint8"),
        (LEVELS * np.float32("nan"), "these are from nan to nan"),
    ):
        with pytest.raises(ValueError, match=message):
            attack(images)
    inside = attack(LEVELS / 127.5 - 1.0)
    assert np.abs(inside - (LEVELS / 127.5 - 1.0)).max() <= 0.1 + 1e-6
