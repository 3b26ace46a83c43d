"""The comparison with the reference's AutoAttack: what is asked, kept, counted and refused.

The reference itself takes part where ROBGAN_AUTOATTACK_PYTHON names an interpreter that has it.
"""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.errors import UserError
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.robustness.subjects import Classifier, discriminator_classifier
from tools import compare_autoattack
from tools.attack_comparison import verdict_report as report
from tools.attack_comparison.libraries import AUTOATTACK, Libraries
from tools.attack_comparison.parts import Part, parts
from tools.attack_comparison.pieces import Pieces
from tools.attack_comparison.pytorch_copy import kernels, same_logits
from tools.attack_comparison.subject import Subject
from tools.attack_comparison.verdicts import Sides, seeds_of

EPSILON = 0.1


def noise():
    return np.random.default_rng(0).uniform(-1, 1, [12, 16, 16, 3]).astype(np.float32)


@pytest.fixture(scope="module")
def subject():
    """A linear classifier, and noise images with the labels that it gives them."""
    weights = np.random.default_rng(1).normal(size=[16 * 16 * 3, 10]).astype(np.float32)

    def logits(images):
        return tf.reshape(images, [-1, 16 * 16 * 3]) @ weights

    labels = np.argmax(logits(noise()), axis=1)
    return Subject(Classifier("linear", logits, "no run"), noise(), labels)


def short(norm="linf", same_starts=True):
    attack = AutoPGD(EPSILON, 3, norm)
    return Part("apgd-ce", attack, {"attack": "apgd_ce", "n_iter": 3}, same_starts)


class Reference:
    """Stands in for the reference's process: leaves images as they are, or says it does."""

    def __init__(self, subject, correct=True):
        self._subject = subject
        self._correct = correct
        self.starts = None
        self.request = None

    def attack(self, request):
        self.request = request
        if "starts" in request:
            self.starts = np.load(request["starts"])
        rows = request["rows"]
        return self._subject.images[rows], np.full(len(rows), self._correct), 3.0, 2.0


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("targets", [None, 2])
def test_the_reference_begins_where_our_attack_does(norm, targets, subject):
    asked = []

    def logits(images):
        asked.append(np.asarray(images))
        return subject.classifier.logits(images)

    rows = np.arange(3, 9)
    objective = "targeted_dlr" if targets else "cross_entropy"
    attack = AutoPGD(EPSILON, 1, norm, objective, target_classes=targets)
    reference = Reference(subject)
    part = Part("apgd", attack, {"attack": "apgd"}, same_starts=True)
    Sides(subject, reference, norm, EPSILON).part(part, rows, seed=3)
    for number in range(attack.rounds):
        asked.clear()
        labels = subject.labels[rows].astype(np.int32)
        attack(logits, subject.images[rows], labels, seeds_of(rows, seed=3), number)
        # Targets are chosen by the logits of the images themselves.
        np.testing.assert_array_equal(reference.starts[number], asked[1 if targets else 0])
    assert len(reference.starts) == attack.rounds


def test_the_reference_is_asked_for_the_same_images_from_the_same_starts(subject):
    reference = Reference(subject)
    rows = np.array([1, 4, 7])
    piece = Sides(subject, reference, "linf", EPSILON).part(short(), rows, seed=5)
    assert reference.request["rows"] == [1, 4, 7]
    assert (reference.request["attack"], reference.request["n_iter"]) == ("apgd_ce", 3)
    assert (reference.request["form"], reference.request["seed"]) == ("tuned", 5)
    assert reference.starts.shape == (1, 3, 16, 16, 3)
    assert piece["rows"] == [1, 4, 7]
    assert piece["reference"]["correct"] == [1, 1, 1]
    assert piece["reference"]["processor_seconds"] == 2.0
    assert piece["ours"]["refused"] == piece["reference"]["refused"] == ""
    # At the start and after each step, until all are fooled; verdicts are looked at once more.
    assert 3 <= piece["ours"]["gradients"] <= 3 * 4


@pytest.mark.parametrize(("epsilon", "withstand"), [(1e-6, 12), (20.0, 0)])
def test_our_verdicts_are_those_of_the_attack(epsilon, withstand, subject):
    part = dataclasses.replace(short(), attack=AutoPGD(epsilon, 20, "l2"), same_starts=False)
    piece = Sides(subject, Reference(subject), "l2", epsilon).part(part, np.arange(12))
    assert sum(piece["ours"]["correct"]) == withstand


def test_a_reference_that_errs_is_found_out(subject):
    sides = Sides(subject, Reference(subject, correct=False), "linf", EPSILON)
    piece = sides.part(short(same_starts=False), np.arange(3))
    assert "is said to fool the classifier and does not" in piece["reference"]["refused"]
    assert piece["ours"]["refused"] == ""


@pytest.mark.parametrize(("norm", "restarts", "targets"), [("linf", 1, 9), ("l2", 1, 9)])
def test_both_sides_have_the_published_budgets(norm, restarts, targets):
    first, targeted, boundary, square = parts(norm, 1.0, 10)
    assert first.request["n_restarts"] == first.attack.rounds == restarts
    assert targeted.request["n_target_classes"] == targeted.attack.rounds == targets
    assert boundary.request["n_target_classes"] == boundary.attack.rounds == 9
    for part in (first, targeted, boundary):
        assert part.request["n_iter"] == part.attack.steps == 100
    assert square.request["n_queries"] == 5000
    assert isinstance(square.attack, SquareSearch)
    assert [part.is_deterministic for part in (first, square)] == [True, False]


# Seconds an image.
COSTS = {
    "ours": {"query": 0.001, "gradient": 0.002},
    "reference": {"query": 0.0015, "gradient": 0.004},
}


def piece(rows, ours, reference, seconds=(1.0, 2.0), refused=""):
    sides = zip(report.SIDES, (ours, reference), seconds, strict=True)
    return {"rows": rows} | {
        side: {
            "correct": correct,
            "seconds": 2 * time,
            "processor_seconds": time,
            "queries": 100 * len(rows),
            "gradients": 40 * len(rows),
            "refused": refused if side == "reference" else "",
        }
        for side, correct, time in sides
    }


def test_verdicts_that_differ_are_counted():
    clean = np.array([True, True, False, True, True])
    pieces = [piece([0, 1], [0, 1], [1, 1]), piece([3, 4], [0, 1], [0, 0], (2.0, 3.0), "moved")]
    found = report.row("apgd-ce", pieces, clean, COSTS)
    assert found["accuracy"] == {"ours": 0.4, "reference": 0.4}
    assert (found["fooled_by_ours_alone"], found["fooled_by_reference_alone"]) == (1, 1)
    assert found["different"] == pytest.approx(0.4)
    assert found["attacked"] == 4
    assert found["processor_seconds"] == {"ours": 3.0, "reference": 5.0}
    assert found["times_as_fast"]["total"] == pytest.approx(5 / 3)
    assert found["times_as_fast"]["range"] == [1.5, 2.0]
    assert found["refused"] == {"ours": [], "reference": ["moved"]}
    # 160 gradients and 240 other queries in 3 seconds.
    assert found["in_the_model"]["share_of_time"] == pytest.approx((0.32 + 0.24) / 3.0)


@pytest.mark.parametrize(("ours", "met"), [(0, True), (1, True), (2, False)])
def test_a_random_attack_is_held_against_the_spread(ours, met):
    # The reference leaves 0 and 1 of the 4 images, ours as many as given, twice.
    left = [int(number < ours) for number in range(4)]
    seeds = [[piece([0, 1, 2, 3], left, [0, 0, 0, seed])] for seed in range(2)]
    found = report.spread(seeds, np.ones(4, bool))
    assert found["accuracy"] == {"ours": [ours / 4, ours / 4], "reference": [0.0, 0.25]}
    assert found["met"] is met


def test_what_was_measured_is_not_measured_again(tmp_path):
    pieces = Pieces(tmp_path / "pieces", {"model": "a"})
    assert pieces.get("one", lambda: {"rows": [1]}) == {"rows": [1]}
    again = Pieces(tmp_path / "pieces", {"model": "a"})
    assert again.get("one", lambda: pytest.fail("measured again")) == {"rows": [1]}
    with pytest.raises(UserError, match="holds pieces of another comparison"):
        Pieces(tmp_path / "pieces", {"model": "b"})


def record(**rows):
    row = report.row("apgd-ce", [piece([0, 1], [0, 1], [1, 1])], np.ones(2, bool), COSTS)
    return {
        "made_by": compare_autoattack.MADE_BY,
        "costs": COSTS,
        "name": "tiny",
        "norm": "linf",
        "epsilon": 16 / 255,
        "chosen": "2 images",
        "clean_accuracy": 1.0,
        "rows": [row],
        **rows,
    }


def test_tables_tell_both_sides():
    text = report.markdown(record())
    assert "**tiny**, L∞ 8/255: 2 images, 100.0% correct without an attack" in text
    assert "| apgd-ce | 2 | 50.0% | 100.0% | 50.00% | 1 | 0 | 2.00 (2.00 to 2.00) | 28% |" in text
    assert "a query 1000 µs an image, 1.50 times as fast as in PyTorch" in text


def test_tables_are_of_all_records_of_the_folder(tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps(record(name=name)))
    (tmp_path / "other.json").write_text("[]")
    compare_autoattack.write_tables(tmp_path)
    tables = (tmp_path / "tables.md").read_text()
    assert tables.index("**one**") < tables.index("**two**")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--epsilon=0"], "--epsilon: give a radius above 0"),
        (["--epsilon=far"], "--epsilon='far' is no radius"),
        (["--epsilon=8/255", "--parts=apgd-ce,pgd"], "--parts: there is no 'pgd'"),
        (["--epsilon=8/255", "--images=0"], "--images=0: give at least 1"),
        (["--epsilon=8/255", "--square_images=2000"], "--square_images=2000: give 0 to"),
        (["--epsilon=8/255", "--output=no/such/x.json"], "there is no such directory"),
        (["--epsilon=8/255"], "holds no run"),
    ],
)
def test_bad_input_is_refused_before_anything_is_loaded(flags, message, tmp_path):
    given = [f"--run_dir={tmp_path}", "--pytorch_python=python", f"--work_dir={tmp_path}/work"]
    with pytest.raises(UserError, match=message):
        compare_autoattack.main([*given, *flags])


@pytest.fixture(scope="module")
def with_reference():
    """A D and the reference's process; without an interpreter that has it, the test skips."""
    python = os.environ.get("ROBGAN_AUTOATTACK_PYTHON")
    if not python:
        pytest.skip("ROBGAN_AUTOATTACK_PYTHON is not set")
    keras.utils.set_random_seed(0)
    options = {"normalization": "none", "base_width": 4, "widths": "1, 2-, 2"}
    model = ResNetDiscriminator(16, 3, 10, **options)
    model.build()
    labels = np.argmax(model(noise())[1], axis=1)
    subject = Subject(discriminator_classifier(model, "tiny", "no run"), noise(), labels)
    arrays = kernels(model)
    with Libraries(python, arrays, noise(), labels, 1, AUTOATTACK) as reference:
        yield subject, reference


def test_the_reference_from_our_starts(with_reference):
    subject, reference = with_reference
    assert max(same_logits(subject.logits(), reference.logits).values()) < 1e-5
    sides = Sides(subject, reference, "linf", EPSILON)
    for part in parts("linf", EPSILON, 10):
        if part.is_deterministic:
            found = sides.part(part, np.arange(12))
            assert found["ours"]["correct"] == found["reference"]["correct"], part.name
            assert found["reference"]["refused"] == ""
