"""Evaluation under attack on models whose robust accuracy is known in closed form."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.errors import UserError
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.outcome import confidence_interval, join
from robgan_tf.robustness.stored import StoredEvaluation
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import VerificationError, verify

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-0.5, 0.5, [60, 4, 4, 1]).astype(np.float32)
WEIGHTS = RANDOM.normal(size=[16]).astype(np.float32)
SCORES = IMAGES.reshape(60, 16) @ WEIGHTS
# A third of the labels are wrong already.
LABELS = np.where(np.arange(60) % 3 == 0, SCORES < 0, SCORES > 0).astype(np.int32)
EPSILON = 0.04


def linear(images):
    score = tf.linalg.matvec(tf.reshape(images, [-1, 16]), WEIGHTS)
    return tf.stack([-score, score], axis=1)


CLASSIFIER = Classifier("linear", linear, "test")
COMPILED = CompiledClassifier(CLASSIFIER, (4, 4, 1))


def withstands(epsilon):
    """Closed form: an L-infinity attack moves the score by epsilon times the sum of weights."""
    signed = np.where(LABELS == 1, SCORES, -SCORES)
    return signed > epsilon * np.abs(WEIGHTS).sum()


def evaluate(attacks, batch_size=7, images=IMAGES, labels=LABELS, **more):
    evaluation = RobustnessEvaluation(COMPILED, attacks, batch_size)
    return evaluation.run(images, labels, **more)


ATTACKS = {
    "pgd": lambda: PGDSearch(EPSILON, 10, EPSILON / 4),
    "fgsm": lambda: fgsm(EPSILON),
    "apgd": lambda: AutoPGD(EPSILON, 20, objective="margin"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_robust_accuracy_of_a_linear_model_is_that_of_the_closed_form(name):
    outcome = evaluate([ATTACKS[name]()])
    np.testing.assert_array_equal(outcome.survived, withstands(EPSILON))
    np.testing.assert_array_equal(outcome.clean_correct, np.arange(60) % 3 != 0)
    assert 0 < outcome.survived.sum() < outcome.clean_correct.sum()
    assert set(outcome.fooled_by) == {"clean", "", ATTACKS[name]().name}


class Counting:
    """An attack that writes down how many images it was given, and fools none."""

    name = "counting"
    rounds = 2

    def __init__(self):
        self.given = []

    def __call__(self, logits_fn, images, labels, seeds, round_number=0):
        tf.py_function(lambda count: self.given.append(int(count)), [tf.shape(images)[0]], [])
        return images


def test_later_attacks_see_survivors_only():
    counting = Counting()
    outcome = evaluate([ATTACKS["pgd"](), counting], batch_size=100)
    survivors = int(withstands(EPSILON).sum())
    assert counting.given == [survivors, survivors]
    assert outcome.survived.sum() == survivors


def test_misclassified_images_are_not_attacked_and_stay_as_they_are():
    outcome = evaluate([ATTACKS["pgd"]()])
    wrong = ~outcome.clean_correct
    np.testing.assert_array_equal(outcome.adversarial[wrong], IMAGES[wrong])


@pytest.mark.parametrize("make", [ATTACKS["apgd"], lambda: SquareSearch(EPSILON, 60)])
def test_batch_size_changes_nothing(make):
    all_at_once = evaluate([make()], 100)
    for size, count in ((1, 15), (7, 60)):
        outcome = evaluate([make()], size, IMAGES[:count], LABELS[:count])
        np.testing.assert_array_equal(outcome.fooled_by, all_at_once.fooled_by[:count])
        np.testing.assert_allclose(outcome.adversarial, all_at_once.adversarial[:count], atol=1e-6)


def test_an_image_is_attacked_the_same_in_any_part_of_the_data():
    attack = SquareSearch(EPSILON, 60)
    whole = evaluate([attack])
    parts = [
        evaluate([attack], images=IMAGES[part], labels=LABELS[part], numbers=np.arange(60)[part])
        for part in (slice(0, 25), slice(25, 60))
    ]
    joined = join(parts)
    np.testing.assert_array_equal(joined.fooled_by, whole.fooled_by)
    np.testing.assert_allclose(joined.adversarial, whole.adversarial, atol=1e-6)


def test_equal_images_are_attacked_from_different_random_points():
    images = np.repeat(IMAGES[1:2], 2, axis=0)
    attack = PGDSearch(EPSILON, 1, 0.0, random_start=True, keep="last")
    one, other = evaluate([attack], images=images, labels=np.repeat(LABELS[1], 2)).adversarial
    assert np.abs(one - other).max() > EPSILON / 2


def test_images_outside_the_range_are_refused():
    with pytest.raises(UserError, match=r"images from 0 to 255 were given and \[-1, 1\] is needed"):
        evaluate([], images=np.array([0.0, 255.0] * 8, np.float32).reshape(1, 4, 4, 1))


def test_stored_parts_are_not_computed_again(tmp_path):
    outcome = evaluate([ATTACKS["pgd"]()])
    first = StoredEvaluation(tmp_path / "x", {"attack": "pgd", "radii": (0.1,)})
    first.outcome("epsilon_0.1", 3, lambda: outcome)

    def fail():
        raise AssertionError

    again = StoredEvaluation(tmp_path / "x", {"attack": "pgd", "radii": (0.1,)})
    stored = again.outcome("epsilon_0.1", 3, fail)
    for field in dataclasses.fields(outcome):
        np.testing.assert_array_equal(getattr(stored, field.name), getattr(outcome, field.name))
    with pytest.raises(UserError, match=r"differs in attack: give another --name"):
        StoredEvaluation(tmp_path / "x", {"attack": "fgsm", "radii": (0.1,)})


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"predictions": np.array([object()])}, "pickled objects"),
        ({"predictions": [0, 1]}, "arrays are of different lengths"),
        ({"seconds": [1.0, 2.0]}, "remove it"),
        (None, "not a zip file"),
    ],
)
def test_a_stored_part_of_a_stranger_is_not_run_and_a_damaged_one_is_named(
    arrays, message, tmp_path
):
    evaluation = StoredEvaluation(tmp_path, {})
    path = tmp_path / "key_part_0000.npz"
    whole = {"predictions": [0], "fooled_by": [""], "adversarial": [[0.0]], "seconds": 1.0}
    np.savez(path, **{**whole, **(arrays or {})})
    if arrays is None:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="remove it, and its images are attacked anew") as error:
        evaluation.outcome("key", 0, lambda: None)
    assert str(path) in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_confidence_interval_is_wilsons():
    # Wilson (1927) for 5 of 10, as in textbooks.
    np.testing.assert_allclose(confidence_interval(0.5, 10), [0.2366, 0.7634], atol=1e-4)
    assert confidence_interval(0.0, 50)[0] == 0.0
    assert confidence_interval(1.0, 50)[1] == 1.0


class TestVerifier:
    """The verifier takes an honest result and none that is off by a little."""

    outcome = None

    def check(self, **changed):
        outcome = evaluate([ATTACKS["pgd"]()])
        arguments = {
            "adversarial": outcome.adversarial,
            "survived": outcome.survived,
            "epsilon": EPSILON,
            "norm": "linf",
        }
        for name, change in changed.items():
            arguments[name] = change(arguments[name])
        return verify(CLASSIFIER, IMAGES, LABELS, **arguments)

    def test_honest(self):
        norms = self.check()
        assert norms.max() == pytest.approx(EPSILON, abs=1e-6)
        assert (
            np.abs(self.check(norm=lambda _: "l2", epsilon=lambda _: 1.0)).max()
            < 4 * EPSILON + 1e-6
        )

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"epsilon": lambda epsilon: epsilon - 1e-5}, "is farther than 0.03999 from"),
            ({"survived": lambda survived: ~survived}, "is said to"),
            ({"adversarial": lambda images: images * np.nan}, "has NaN pixels"),
            ({"adversarial": lambda images: images + 2.0}, r"leaves \[-1, 1\]"),
            ({"adversarial": lambda images: images[:5]}, "have shape"),
        ],
    )
    def test_dishonest(self, changed, message):
        with pytest.raises(VerificationError, match=message):
            self.check(**changed)
