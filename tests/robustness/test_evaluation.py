"""Evaluation under attack on models whose robust accuracy is known in closed form."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.pgd_search import PGDSearch, fgsm
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.errors import UserError
from robgan_tf.robustness import stored as stored_module
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation, Watcher
from robgan_tf.robustness.outcome import confidence_interval, told
from robgan_tf.robustness.stored import Keeper, StoredEvaluation
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


def assert_alike(images, others):
    """Equal names, or images up to rounding."""
    if images.dtype.kind == "U":
        np.testing.assert_array_equal(images, others)
    else:
        np.testing.assert_allclose(images, others, atol=1e-6)


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
    for name in ("fooled_by", "adversarial"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert_alike(joined, getattr(whole, name))


def test_equal_images_are_attacked_from_different_random_points():
    images = np.repeat(IMAGES[1:2], 2, axis=0)
    attack = PGDSearch(EPSILON, 1, 0.0, random_start=True, keep="last")
    one, other = evaluate([attack], images=images, labels=np.repeat(LABELS[1], 2)).adversarial
    assert np.abs(one - other).max() > EPSILON / 2


def test_images_outside_the_range_are_refused():
    with pytest.raises(UserError, match=r"images from 0 to 255 were given and \[-1, 1\] is needed"):
        evaluate([], images=np.array([0.0, 255.0] * 8, np.float32).reshape(1, 4, 4, 1))


class StopEvaluationError(Exception):
    """What ends an evaluation in the middle."""


class Interruption(Watcher):
    """Ends an evaluation after so many batches."""

    def __init__(self, batches):
        self._left = batches

    def done(self, chosen, fooled):
        self._left -= 1
        if self._left < 0:
            raise StopEvaluationError


def test_an_interrupted_evaluation_goes_on_within_a_round(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_module, "PART_SIZE", 25)
    monkeypatch.setattr(stored_module, "KEEP_EVERY", -1.0)
    counting = Counting()
    attacks = [ATTACKS["apgd"](), counting, SquareSearch(EPSILON, 60)]
    whole = evaluate(attacks)
    once = sorted(counting.given)
    counting.given.clear()
    for batches in (3, 5, 9, 0, 99):
        stored = StoredEvaluation(tmp_path, {})
        evaluation = RobustnessEvaluation(COMPILED, attacks, 7)
        standing = stored.standing("key", IMAGES, evaluation.rounds)
        watchers = [Keeper(stored, "key", standing, evaluation), Interruption(batches)]
        with contextlib.suppress(StopEvaluationError):
            outcome = evaluation.run(IMAGES, LABELS, None, standing, watchers)
            assert batches == 99
            watchers[0].flush()
    np.testing.assert_array_equal(outcome.fooled_by, whole.fooled_by)
    np.testing.assert_array_equal(outcome.predictions, whole.predictions)
    assert_alike(outcome.adversarial, whole.adversarial)
    # Nothing was done twice: what ended it came after a batch was kept.
    assert sum(counting.given) == sum(once)
    files = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert files == [f"key_part_000{part}.npz" for part in range(3)]
    # What is there is read and not attacked again.
    stored = StoredEvaluation(tmp_path, {})
    standing = stored.standing("key", IMAGES, RobustnessEvaluation(COMPILED, attacks).rounds)
    assert standing.finished(4).all()
    np.testing.assert_array_equal(standing.outcome.fooled_by, whole.fooled_by)
    assert standing.outcome.seconds > 0.0


def test_finished_parts_of_an_older_version_are_gone_on_with(tmp_path, monkeypatch):
    monkeypatch.setattr(stored_module, "PART_SIZE", 25)
    attacks = [ATTACKS["apgd"]()]
    whole = evaluate(attacks)
    rows = slice(25, 50)
    old = {name: getattr(whole, name)[rows] for name in ("predictions", "fooled_by", "adversarial")}
    np.savez(tmp_path / "key_part_0001.npz", seconds=2.0, **old)
    stored = StoredEvaluation(tmp_path, {})
    standing = stored.standing("key", IMAGES, 1)
    assert standing.finished(1).tolist() == [False] * 25 + [True] * 25 + [False] * 10
    outcome = evaluate(attacks, standing=standing)
    np.testing.assert_array_equal(outcome.fooled_by, whole.fooled_by)
    assert_alike(outcome.adversarial, whole.adversarial)
    with pytest.raises(UserError, match=r"differs in attack: give another --name"):
        StoredEvaluation(tmp_path, {"attack": "fgsm"})


def test_one_line_says_which_attacks_ran_on_how_many_images():
    outcome = evaluate([fgsm(EPSILON / 2), ATTACKS["apgd"]()])
    first, last = int(withstands(EPSILON / 2).sum()), int(withstands(EPSILON).sum())
    correct = int(outcome.clean_correct.sum())
    assert correct > first > last
    assert told(outcome.parts(["fgsm", "apgd-margin"])) == (
        f"fgsm {correct} -> {first}, apgd-margin {first} -> {last}"
    )


def test_survivors_of_all_images_are_packed_together():
    counting = Counting()
    evaluate([ATTACKS["pgd"](), counting], batch_size=7)
    survivors = int(withstands(EPSILON).sum())
    assert counting.given == 2 * ([7] * (survivors // 7) + [survivors % 7] * bool(survivors % 7))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"predictions": np.array([object()])}, "pickled objects"),
        ({"predictions": [0, 1]}, "arrays are not of the 1 images that are evaluated"),
        ({"seconds": [1.0, 2.0]}, "remove it"),
        (None, "not a zip file"),
    ],
)
def test_a_stored_part_of_a_stranger_is_not_run_and_a_damaged_one_is_named(
    arrays, message, tmp_path
):
    evaluation = StoredEvaluation(tmp_path, {})
    path = tmp_path / "key_part_0000.npz"
    whole = {
        "predictions": [0],
        "fooled_by": [""],
        "adversarial": IMAGES[:1],
        "seconds": 1.0,
    }
    np.savez(path, **{**whole, **(arrays or {})})
    if arrays is None:
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match="remove it, and its images are attacked anew") as error:
        evaluation.standing("key", IMAGES[:1], 1)
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
