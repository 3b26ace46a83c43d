"""Cards of accuracy under attack: what evaluations write, and the paired comparison of two."""

import json
import re

import numpy as np
import pytest

from robgan_tf.comparison.cards import compare_cards, read_card
from robgan_tf.robustness.asked import Protocol
from robgan_tf.robustness.card import card
from robgan_tf.robustness.measured import Measured
from robgan_tf.robustness.outcome import Outcome
from robgan_tf.robustness.paired import paired_difference
from robgan_tf.robustness.signs import Check, MaskingReport
from robgan_tf.robustness.subjects import Classifier
from tests import in_process

PROGRAM = """
import tensorflow as tf


def logits(images):
    mean = tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([-mean, mean], axis=1)


def shifted():
    return lambda images: logits(images - 0.1)


def plain():
    return logits
"""


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """The folder of cards of two models, whose verdicts are known by hand, and their images."""
    folder = tmp_path_factory.mktemp("cards")
    (folder / "mine.py").write_text(PROGRAM)
    means = np.linspace(-0.4, 0.4, 40)
    images = np.broadcast_to(means[:, None, None, None], [40, 4, 4, 1]).astype(np.float32)
    np.savez(folder / "images.npz", x=images, y=(means > 0.0).astype(int))
    ended = in_process.run(
        "evaluate",
        "robustness",
        f"--model={folder}/mine.py:plain",
        f"--model={folder}/mine.py:shifted",
        f"--data={folder}/images.npz",
        "--class_names=dark,bright",
        f"--output_dir={folder}",
        "--attack=fgsm",
        "--epsilons=0.05",
        "--nomasking",
    )
    assert ended.returncode == 0, ended.stderr
    assert f"{folder}/images.npz: 40 images, NHWC, floats in [-1, 1]" in ended.stdout
    return folder, means


def paths(folder):
    start = folder / "cards" / "robustness_fgsm_images_epsilon_0.05_mine.py"
    return [f"{start}_{name}.json" for name in ("plain", "shifted")]


def withstands(means, boundary, radius):
    right = (means > boundary) == (means > 0.0)
    return right & (np.abs(means - boundary) > radius)


def test_a_card_says_all_that_another_needs(cards):
    folder, means = cards
    found = read_card(paths(folder)[0])
    assert found["model"]["name"] == "mine.py:plain" and len(found["model"]["source"]) > 16
    assert found["threat_model"] == {"norm": "linf", "pixels": [-1, 1]}
    assert found["clean_accuracy"] == 1.0
    (row,) = found["radii"]
    assert (row["epsilon"], row["epsilon_255"]) == pytest.approx((0.05, 6.375))
    expected = withstands(means, 0.0, 0.05)
    assert row["robust_accuracy"] == pytest.approx(expected.mean())
    assert row["interval_95"][0] < expected.mean() < row["interval_95"][1]
    images = found["images"]
    assert images["index"] == list(range(40)) and images["label"] == [0] * 20 + [1] * 20
    withstood = [name == "" for name in images["fooled_by"]["0.05"]]
    np.testing.assert_array_equal(withstood, expected)
    attack = found["attack"]
    assert attack["protocol"] == "fgsm" and not attack["carries_the_name_autoattack"]
    assert {"robgan_tf", "tensorflow", "version_of_attacks", "seed"} <= set(attack)
    assert not found["masking"]["checked"] and found["masking"]["alarms"] == []


def test_signs_of_masked_gradients_and_parts_that_were_replaced_are_on_the_card():
    outcome = Outcome(np.array([0, 1]), np.array(["", "fgsm"]), np.zeros([2, 2, 2, 1]), 1.0)
    found = Measured(Classifier("model", lambda images: images, "source"), ["a warning"])
    found.outcomes = {0.0: outcome, 0.1: outcome}
    found.replaced = ("of two classes a stands in for b",)
    checks = [Check("finite", False, "3 of 4"), Check("steady", True, "0")]
    found.masking = MaskingReport("two images", checks)
    labels = np.array([0, 1])
    made = card(found, Protocol("fgsm", (0.1,)), 3, {"digest": "x"}, labels, labels, labels)
    assert made["masking"] == {"checked": True, "images": "two images", "alarms": ["finite"]}
    assert made["attack"]["replaced"] == ["of two classes a stands in for b"]
    assert made["warnings"] == ["a warning"] and made["images"]["id"] == ["0", "1"]
    assert json.loads(json.dumps(made)) == made


def test_the_paired_difference_of_two_cards(cards, tmp_path):
    folder, means = cards
    one, other = (withstands(means, boundary, 0.05) for boundary in (0.0, 0.1))
    expected = paired_difference(other, one)
    words = [f"--card={path}" for path in paths(folder)]
    ended = in_process.run("compare", *words, f"--output_dir={tmp_path}/out")
    assert ended.returncode == 0, ended.stderr
    clean, row = json.loads((tmp_path / "out" / "cards.json").read_text())
    assert (clean["epsilon"], row["epsilon"]) == (0.0, 0.05)
    assert row["accuracies"] == pytest.approx([one.mean(), other.mean()])
    assert row["difference"] == pytest.approx(other.mean() - one.mean())
    only = (row["only_first_withstands"], row["only_second_withstands"])
    assert only == ((one & ~other).sum(), (other & ~one).sum())
    assert row["interval_95"] == pytest.approx(list(expected.interval_95))
    low, high = expected.interval_95
    line = f"| {expected.difference:+.2%} | {low:+.2%} to {high:+.2%} |"
    assert line in ended.stdout and line in (tmp_path / "out" / "cards.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x["images"].update(digest="other"), "differ in images and cannot be compared"),
        (lambda x: x["threat_model"].update(norm="l2"), "differ in norm and .*: linf and l2"),
        (lambda x: x["radii"][0].update(epsilon=0.1), "differ in radius and cannot"),
        (lambda x: x["attack"].update(protocol="square"), "differ in attack and cannot"),
        (lambda x: x["attack"].update(seed=1), "differ in attack and cannot"),
        (lambda x: x.update(version=2), "is no card of version 1"),
        (lambda x: x["images"].pop("label"), "cannot be read as a card"),
        (lambda x: x["images"]["fooled_by"]["0.05"].pop(), "cannot be read as a card"),
    ],
)
def test_cards_that_cannot_be_compared(cards, change, message, tmp_path):
    first, second = paths(cards[0])
    changed = read_card(second)
    change(changed)
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    ended = in_process.run("compare", f"--card={first}", f"--card={tmp_path}/changed.json")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert re.search(message, line), line


def test_a_card_beside_itself_shows_no_difference(cards):
    first, _ = paths(cards[0])
    rows = compare_cards([read_card(first)] * 2, [first] * 2)
    assert [row.difference.difference for row in rows] == [0.0, 0.0]
