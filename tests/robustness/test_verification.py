"""How far beyond its ball an image may be, and what is kept where an attack breaks its rules."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.protocols.mi_fgsm import MomentumSearch
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.soundness import keep_sound
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import PerturbationError, VerificationError, rounding, verify

RANDOM = np.random.default_rng(0)
SIDE = 64
LARGE = RANDOM.uniform(-0.9, 0.9, [8, SIDE, SIDE, 3]).astype(np.float32)
DIRECTION = RANDOM.normal(size=[SIDE, SIDE, 3]).astype(np.float32)


def never_fooled(images):
    score = tf.reduce_sum(images * DIRECTION, [1, 2, 3])
    return tf.stack([score, tf.fill(tf.shape(score), 1e6), tf.zeros_like(score)], axis=1)


ATTACKS = {
    "square": lambda epsilon: SquareSearch(epsilon, 200, "l2"),
    "pgd": lambda epsilon: PGDSearch(epsilon, 20, epsilon / 5, "l2", keep="last"),
    "apgd": lambda epsilon: AutoPGD(epsilon, 20, "l2"),
    "mi-fgsm": lambda epsilon: MomentumSearch(epsilon, 10, 1.0, "l2"),
    "fgsm": lambda epsilon: fgsm(epsilon, "l2"),
}


@pytest.mark.parametrize(
    ("name", "epsilon"), [*((name, 3.0) for name in ATTACKS), ("square", 0.5), ("pgd", 30.0)]
)
def test_no_attack_leaves_its_ball_in_large_images(name, epsilon):
    attack, labels = ATTACKS[name](epsilon), np.ones(8, np.int32)
    classifier = Classifier("x", never_fooled, "x")
    compiled = CompiledClassifier(classifier, LARGE.shape[1:])
    outcome = RobustnessEvaluation(compiled, [attack]).run(LARGE, labels)
    norms = verify(classifier, LARGE, labels, outcome.adversarial, outcome.survived, epsilon, "l2")
    assert norms.min() > 0.5 * epsilon
    # Off by the rounding of the radius and of single pixels, not by that of a long sum.
    assert norms.max() <= epsilon * (1.0 + 3e-7) + 1e-6


def test_what_is_allowed_grows_with_the_arithmetic_alone():
    assert rounding(16, 0.04, "linf") == rounding(64 * 64 * 3, 0.04, "linf") == 1e-6
    assert rounding(16, 0.5, "l2") == 1e-6
    small, large = (rounding(side**2 * 3, 3.0, "l2") for side in (64, 224))
    assert 3e-6 < small < 1.2e-5 < large < 3e-5
    assert rounding(SIDE**2 * 3, 30.0, "l2") > small


IMAGES = RANDOM.uniform(-0.5, 0.5, [30, 4, 4, 1]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=[16, 2]).astype(np.float32)


def linear(images):
    return tf.reshape(images, [-1, 16]) @ WEIGHTS


LABELS = np.argmax(linear(IMAGES), axis=1).astype(np.int32)
CLASSIFIER = Classifier("x", linear, "x")
COMPILED = CompiledClassifier(CLASSIFIER, (4, 4, 1))


class Cheating:
    """An attack that goes as far as it likes."""

    name = "cheating"
    rounds = 1

    def __call__(self, logits_fn, images, labels, seeds, round_number=0):
        return tf.clip_by_value(images * -1.5, -1.0, 1.0)


def found(*attacks):
    outcome = RobustnessEvaluation(COMPILED, attacks).run(IMAGES, LABELS)
    return outcome, keep_sound(CLASSIFIER, IMAGES, LABELS, outcome, attacks, 0.05, "linf")


def test_an_attack_that_breaks_its_rules_is_left_out_and_the_others_are_kept():
    (honest, (kept, norms, left_out)) = found(fgsm(0.05))
    assert kept is honest and not left_out
    assert 0 < honest.survived.sum() < 30
    for attacks in ([fgsm(0.05), Cheating()], [Cheating(), fgsm(0.05)]):
        outcome, (kept, norms, left_out) = found(*attacks)
        ((line, blamed),) = left_out.items()
        assert blamed == {"cheating"}
        assert (outcome.fooled_by == "cheating").any()
        assert norms.max() <= 0.05 + 1e-6
        assert set(kept.fooled_by) <= {"fgsm", ""}
        assert line.startswith("cheating left out: adversarial image ")
        assert "is farther than 0.05 from its original" in line
    # What came before it is as it was without it.
    outcome, (kept, _, _) = found(fgsm(0.05), Cheating())
    np.testing.assert_array_equal(kept.fooled_by, honest.fooled_by)


def test_without_a_sound_attack_there_is_no_result():
    with pytest.raises(PerturbationError, match=r"is farther than 0\.05"):
        found(Cheating())


def test_a_wrong_claim_is_no_matter_of_one_attack():
    outcome, _ = found(fgsm(0.05))
    survived = outcome.survived.copy()
    survived[np.argmax(~survived)] = True
    with pytest.raises(VerificationError, match="is said to be classified correctly") as error:
        verify(CLASSIFIER, IMAGES, LABELS, outcome.adversarial, survived, 0.05, "linf")
    assert not isinstance(error.value, PerturbationError)
