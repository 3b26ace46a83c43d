"""The versions of AutoAttack: parts, budgets, and results that must not carry its name."""

import json

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf.attacks import autoattack
from robgan_tf.attacks.protocol import make_attacks, title
from robgan_tf.attacks.protocols import autoattack_rand
from robgan_tf.choices import PROTOCOLS
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.robustness.asked import Protocol
from robgan_tf.robustness.run import evaluate_robustness
from robgan_tf.robustness.subjects import Classifier

# Of fra31/auto-attack, autoattack.py, `set_version`: name, rounds (targets times restarts).
STANDARD = [("apgd-cross_entropy", 1), ("apgd-targeted_dlr", 9), ("fab-t", 9), ("square", 1)]
PLUS = [
    ("apgd-cross_entropy", 5),
    ("apgd-dlr", 5),
    ("fab", 5),
    ("square", 1),
    ("apgd-targeted_dlr", 9),
    ("fab-t", 9),
]
RAND = [("apgd-cross_entropy", 1), ("apgd-dlr", 1)]


def parts(name, norm="linf", classes=10):
    return [(a.name, a.rounds) for a in make_attacks(name, 0.06, norm, classes)]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_budgets_are_the_published_ones(norm):
    assert parts("autoattack", norm) == STANDARD
    assert parts("autoattack-plus", norm) == PLUS
    assert parts("autoattack-rand", norm) == RAND
    standard = make_attacks("autoattack", 0.06, norm, 10)
    assert [attack.steps for attack in standard[:3]] == [100, 100, 100]
    assert (standard[3].queries, standard[3].schedule_queries) == (5000, 10_000)
    assert [attack.eot for attack in make_attacks("autoattack-rand", 0.06, norm, 10)] == [20, 20]


def test_the_budgets_in_l1_are_those_of_its_own_paper():
    """As `set_version` has them: 5 starts, 5 targets, and larger balls first."""
    assert parts("autoattack", "l1") == [
        ("apgd-cross_entropy", 5),
        ("apgd-targeted_dlr", 5),
        ("fab-t", 9),
        ("square", 1),
    ]
    standard = make_attacks("autoattack", 0.06, "l1", 10)
    assert [attack.large_radii for attack in standard[:2]] == [True, True]


def test_of_few_classes_all_are_targets_and_the_name_stays():
    for classes in (4, 7):
        assert parts("autoattack", classes=classes)[1:3] == [
            ("apgd-targeted_dlr", classes - 1),
            ("fab-t", classes - 1),
        ]
        assert not PROTOCOLS.get("autoattack").replaced(classes)


@pytest.mark.parametrize(
    ("name", "classes", "names"),
    [
        ("autoattack", 3, ["apgd-cross_entropy", "apgd-dlr", "fab-t", "square"]),
        ("autoattack", 2, ["apgd-cross_entropy", "apgd-margin", "fab-t", "square"]),
        ("autoattack-plus", 3, ["apgd-cross_entropy", "apgd-dlr", "fab", "square", "fab-t"]),
        ("autoattack-plus", 2, ["apgd-cross_entropy", "apgd-margin", "fab", "square", "fab-t"]),
        ("autoattack-rand", 2, ["apgd-cross_entropy", "apgd-margin"]),
    ],
)
def test_with_too_few_classes_for_dlr_parts_are_replaced_by_name(name, classes, names):
    assert [part for part, _ in parts(name, classes=classes)] == names
    assert PROTOCOLS.get(name).replaced(classes)
    assert title(name, complete=False) == "reduced-ensemble"


def test_three_classes_are_enough_for_dlr():
    assert not PROTOCOLS.get("autoattack-rand").replaced(3)


def test_a_name_may_have_dashes_or_underscores():
    for name in ("autoattack_plus", "autoattack-plus"):
        assert Protocol(name, (0.06,)).attack == "autoattack-plus"
    with pytest.raises(UserError, match="'autoattacks' does not exist"):
        make_attacks("autoattacks", 0.06, "linf", 10)


def source(classes):
    pixels = np.random.default_rng(0).integers(0, 256, [40, 4, 4, 1]).astype(np.uint8)
    return InMemorySource(pixels, np.arange(40) % classes, tuple("abcdefgh"[:classes]), 4)


def of_mean(classes, noise=0.0):
    def logits(images):
        images += noise * tf.random.normal(tf.shape(images))
        score = tf.reduce_mean(images, axis=[1, 2, 3])[:, None]
        return 5.0 * score * tf.range(float(classes)) - 1.0

    return Classifier("mean", logits, "test")


@pytest.fixture
def short(monkeypatch):
    """Budgets that take no time; those above are the real ones."""
    monkeypatch.setattr(autoattack, "QUERIES", 50)
    monkeypatch.setattr(autoattack, "STEPS", 10)
    monkeypatch.setattr(autoattack_rand, "STEPS", 10)


def test_the_name_is_on_the_results_of_a_complete_one_only(tmp_path, capsys, short):
    protocol = Protocol("autoattack", (0.02,), norm="l2", masking=False)
    for classes, called in ((4, "autoattack"), (2, "reduced-ensemble")):
        directory = tmp_path / str(classes)
        subject = (of_mean(classes), directory, "x")
        table = evaluate_robustness([subject], source(classes), protocol)
        record = json.loads((directory / "x.json").read_text())
        assert record["attack"] == called
        assert f"Attack: {called}, seed 0." in table
        written = json.dumps(record) + (directory / "x.md").read_text() + table
        if classes == 2:
            assert "autoattack" not in written
            assert (
                "Not AutoAttack: Auto-PGD on targeted DLR needs 4 classes, and there are 2; "
                "Auto-PGD on the margin stands in for it" in (directory / "x.md").read_text()
            )
        given = record["radii"][1]["parts"]
        assert [part["attack"] for part in given] == [
            name for name, _ in parts("autoattack", "l2", classes)
        ]
        first, last = given[0], given[-1]
        line = f"{first['attack']} {first['images']} -> {first['images'] - first['fooled']}, "
        assert line in table and line in capsys.readouterr().out
        survivors = round(record["radii"][1]["accuracy"] * 40)
        assert last["images"] - last["fooled"] == survivors


def test_from_python_too(recwarn, short):
    pixels, labels = source(2).fetch(np.arange(40)), source(2).labels
    found = robgan_tf.robust_accuracy(
        of_mean(2).logits, pixels, labels, 0.02, norm="l2", protocol="autoattack"
    )
    assert found.protocol == "reduced-ensemble"
    assert any("Not AutoAttack: " in str(warning.message) for warning in recwarn)


def test_a_model_that_answers_by_chance_is_for_rand_alone(tmp_path, short):
    model = of_mean(4, noise=0.3)
    with pytest.raises(UserError, match="--attack=autoattack-rand"):
        protocol = Protocol("fgsm", (0.02,), masking=False)
        evaluate_robustness([(model, tmp_path, "x")], source(4), protocol)
    protocol = Protocol("autoattack-rand", (0.02,), norm="l2", masking=False)
    evaluate_robustness([(model, tmp_path, "y")], source(4), protocol)
    record = json.loads((tmp_path / "y.json").read_text())
    assert record["attack"] == "autoattack-rand" and record["answers_by_chance"]
    for row in record["radii"]:
        assert 0.0 < row["accuracy_redrawn"] < 1.0
    text = (tmp_path / "y.md").read_text()
    assert "Of 20 fresh answers to each image that came out of the attacks, right are: " in text
