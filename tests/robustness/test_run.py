"""Which images and radii an evaluation takes, with which attacks."""

import contextlib
import csv
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf import choices
from robgan_tf.attacks.pgd_search import fgsm
from robgan_tf.attacks.protocol import EvaluationProtocol, make_attacks
from robgan_tf.data.datasets.image_folder import load_class_folders
from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from robgan_tf.robustness import run as robustness_run
from robgan_tf.robustness.asked import Protocol, choose_images
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.run import evaluate_robustness
from robgan_tf.robustness.signs import Check
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.robustness.verification import VerificationError
from tests.data.helpers import save_image

pytestmark = pytest.mark.usefixtures("kept_classifiers")
PIXELS = np.random.default_rng(0).integers(0, 256, [1200, 2, 2, 1]).astype(np.uint8)
LABELS = np.arange(1200) % 2
# In stored order 0, 7, 14, ...: neither sorted nor its own inverse.
ORDER = np.arange(1200) * 7 % 1200
IDS = np.array([f"test_{number:05d}" for number in ORDER])


def source(ids=IDS, pixels=PIXELS):
    return InMemorySource(pixels, LABELS, ("no", "yes"), 2, ids=ids)


def logits(images):
    score = tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([-score, score], axis=1)


CLASSIFIER = Classifier("mean", logits, "test")


def test_strong_takes_the_first_thousand_by_id():
    chosen, description = choose_images(source(), Protocol("strong", (0.02,)), None)
    np.testing.assert_array_equal(ORDER[chosen], np.arange(1000))
    assert description == "The first 1000 images of 1200 by id, 500 of each of 2 classes"
    # Of a part of the data, the first of that part.
    part = source().subset(np.arange(100, 300))
    chosen, _ = choose_images(part, Protocol("strong", (0.02,)), 5)
    np.testing.assert_array_equal(ORDER[100:300][chosen], np.sort(ORDER[100:300])[:5])


def test_without_ids_they_are_evenly_spaced():
    chosen, description = choose_images(source(ids=None), Protocol("strong", (0.02,)), None)
    assert np.bincount(LABELS[chosen]).tolist() == [500, 500]
    assert chosen.max() > 1190
    assert description == "1000 images of 1200, evenly spaced, 500 of each of 2 classes"


@pytest.fixture
def folders(tmp_path):
    """Two class folders of 60 images each, stored class by class."""
    for label, name in enumerate(("a", "b")):
        for number in range(60):
            save_image(tmp_path / "data" / name / f"{number:02d}.png", number + 100 * label)
    return load_class_folders(tmp_path / "data", ("a", "b"), resolution=2, channels=1)


def always_a(images):
    score = 1.0 + 0.01 * tf.reduce_mean(images, axis=[1, 2, 3])
    return tf.stack([score, -score], axis=1)


def test_who_answers_the_first_class_always_is_right_half_the_time(folders, tmp_path):
    classifier = Classifier("a", always_a, "test")
    protocol = Protocol("published", (0.02,), masking=False)
    table = evaluate_robustness([(classifier, tmp_path, "x")], folders, protocol, 60)
    assert "| a | 50.00% (37.7% to 62.3%) | 50.00% (37.7% to 62.3%) |" in table
    assert "60 images of 120, evenly spaced, 30 of each of 2 classes." in table
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["images"].startswith("60 images of 120, evenly spaced")


def test_the_signs_of_masking_are_of_all_classes_and_say_so(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness_run, "MASKING_IMAGES", 20)
    given = []

    def report(classifier, images, labels, *rest, **more):
        given.extend(labels)
        return [Check("sign", True, "none")]

    monkeypatch.setattr(robustness_run, "masking_report", report)
    table = evaluated(tmp_path, folders)
    assert np.bincount(given).tolist() == [10, 10]
    assert "Measured on: 20 images of 50, evenly spaced, 10 of each of 2 classes." in table
    # Kept with the signs, for a later call that only reads them.
    assert evaluated(tmp_path, folders, masking=False) == table


def test_signs_kept_by_an_older_version_are_shown(folders, tmp_path):
    (tmp_path / "result").mkdir(parents=True)
    kept = [{"name": "sign", "passed": False, "figures": "17"}]
    (tmp_path / "result" / "masking.json").write_text(json.dumps(kept))
    table = evaluated(tmp_path, folders)
    assert "| sign | **NO** | 17 |" in table
    assert "Measured on: The first images of the table above." in table


def test_a_line_of_the_sample_file_leads_back_to_its_image(folders, tmp_path):
    evaluated(tmp_path, folders, masking=False)
    samples = list(csv.DictReader((tmp_path / "result_samples.csv").open()))
    assert len(samples) == 50
    files = sorted((tmp_path / "data").glob("*/*.png"))
    for sample in samples:
        assert files[int(sample["index"])] == pathlib.Path(sample["id"])
        assert pathlib.Path(sample["id"]).parent.name == "ab"[int(sample["label"])]
    evaluated(tmp_path / "named", source(), masking=False)
    for sample in csv.DictReader((tmp_path / "named" / "result_samples.csv").open()):
        assert IDS[int(sample["index"])] == sample["id"]


def test_files_that_stand_in_for_others_are_named(folders, tmp_path):
    broken = tmp_path / "data" / "a" / "00.png"
    broken.write_bytes(b"nothing")
    table = evaluate_robustness(
        [(CLASSIFIER, tmp_path, "x")], folders, Protocol("published", (0.02,), masking=False)
    )
    assert (
        "All 120 images; 1 cannot be read, another of the class stands in for each, first "
        f"{broken}." in table
    )


def test_published_takes_all_unless_asked_for_fewer():
    chosen, description = choose_images(source(), Protocol("published", (0.02,)), None)
    np.testing.assert_array_equal(chosen, np.arange(1200))
    assert description == "All 1200 images"
    assert len(choose_images(source(), Protocol("published", (0.02,)), 7)[0]) == 7
    for count in (0, 1201):
        with pytest.raises(UserError, match="the split holds 1200 images"):
            choose_images(source(), Protocol("published", (0.02,)), count)


def test_strong_adds_eight_of_255():
    assert Protocol("strong", (0.08, 0.02)).radii == [0.02, 16 / 255, 0.08]
    assert Protocol("strong", (0.02,), norm="l2").radii == [0.02]
    assert Protocol("published", (0.02,)).radii == [0.02]
    # What would have the same name in files is one radius.
    assert Protocol("strong", (0.0627451,)).radii == [0.0627451]


def test_presets():
    (published,) = make_attacks("published", 0.04, "linf", 10)
    assert (published.name, published.rounds, published.keep) == ("pgd-20", 1, "last")
    names = [attack.name for attack in make_attacks("strong", 0.04, "linf", 10)]
    assert names == ["apgd-cross_entropy", "apgd-targeted_dlr", "square"]
    assert [attack.rounds for attack in make_attacks("strong", 0.04, "linf", 5)] == [1, 4, 1]
    names = [attack.name for attack in make_attacks("strong", 0.04, "linf", 2)]
    assert names == ["apgd-cross_entropy", "apgd-margin", "square"]


def evaluated(folder, images, **options):
    protocol = Protocol("published", (0.02,), **options)
    return evaluate_robustness([(CLASSIFIER, folder, "result")], images, protocol, 50)


def test_a_data_set_without_a_negative_pixel_is_warned_of(tmp_path, capsys):
    evaluated(tmp_path / "a", source(), masking=False)
    assert "no pixel of these images is negative" not in capsys.readouterr().out
    evaluated(tmp_path / "b", source(pixels=128 + PIXELS // 2), masking=False)
    assert "warning: no pixel of these images is negative" in capsys.readouterr().out


def test_all_radii_are_compiled_once(folders, tmp_path):
    held = []

    @contextlib.contextmanager
    def hold():
        held.append("a compiled function")
        yield

    protocol = Protocol("published", (0.02, 0.04, 0.06), masking=False)
    subject = (Classifier("another", always_a, "test", hold), tmp_path, "x")
    evaluate_robustness([subject], folders, protocol, 20)
    assert len(held) == 2, "predictions and PGD"


def test_a_masking_report_once_made_is_kept(tmp_path):
    with_report = evaluated(tmp_path, source())
    assert "of a model that hides nothing" in with_report
    assert evaluated(tmp_path, source(), masking=False) == with_report


def test_results_of_other_images_are_refused(tmp_path):
    evaluated(tmp_path, source(), masking=False)
    with pytest.raises(UserError, match="differs in images: give another --name"):
        evaluated(tmp_path, source(pixels=PIXELS[::-1]), masking=False)


def test_results_of_other_weights_under_the_same_name_are_refused(tmp_path):
    """A program's digest does not tell which weights it loads."""
    protocol = Protocol("published", (0.02,), masking=False)

    def evaluate_with(scale):
        of_weights = Classifier("mean", lambda images: scale * logits(images), "test")
        return evaluate_robustness([(of_weights, tmp_path, "x")], source(), protocol, 20)

    first = evaluate_with(1.0)
    assert evaluate_with(1.0001) == first  # Rounding.
    with pytest.raises(UserError, match=r"with other weights: .* Give another --name"):
        evaluate_with(2.0)
    (tmp_path / "x" / "answers.json").write_text("{}")
    with pytest.raises(UserError, match="holds no logits; move it away"):
        evaluate_with(1.0)


def test_results_of_weaker_attacks_are_not_continued(tmp_path):
    evaluated(tmp_path, source(), masking=False)
    path = tmp_path / "result" / "protocol.json"
    protocol = json.loads(path.read_text())
    del protocol["version_of_attacks"]
    path.write_text(json.dumps(protocol))
    with pytest.raises(UserError, match="differs in version_of_attacks: give another --name"):
        evaluated(tmp_path, source(), masking=False)


class Cheating:
    """An attack that leaves its ball."""

    name = "cheating"
    rounds = 1

    def __call__(self, logits_fn, images, labels, seeds, round_number=0):
        return tf.clip_by_value(images * -1.5, -1.0, 1.0)


class HalfSound(EvaluationProtocol):
    """A sound attack, and one that is not."""

    def attacks(self, epsilon, norm, num_classes):
        return [fgsm(epsilon, norm), Cheating()]


def test_results_of_sound_attacks_are_written_and_the_others_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(choices, "_registered", dict(choices._registered))
    choices.register("attacks/protocols", "half-sound", HalfSound())
    # Right where it is sure: elsewhere half of the labels, which are random, are wrong.
    sure = InMemorySource(
        np.repeat(LABELS * 200 + 20, 4).reshape(-1, 2, 2, 1).astype(np.uint8),
        LABELS,
        ("no", "yes"),
        2,
        ids=IDS,
    )
    protocol = Protocol("half-sound", (0.02, 0.04), masking=False)
    for _ in range(2):  # What is stored is judged anew, and comes to the same.
        with pytest.raises(VerificationError, match=r"mean at radius 0\.02: cheating left out"):
            evaluate_robustness([(CLASSIFIER, tmp_path, "result")], sure, protocol, 50)
        assert "| mean | 100.00% (" in capsys.readouterr().out
    record = json.loads((tmp_path / "result.json").read_text())
    assert [row["accuracy"] for row in record["radii"]] == [1.0, 1.0, 1.0]
    assert [row["fooled_by"] for row in record["radii"]] == [{}, {}, {}]
    assert len(record["warnings"]) == 2
    assert "Warning: radius 0.04: cheating left out: " in (tmp_path / "result.md").read_text()


def test_a_wrong_range_is_warned_of_before_the_attack_and_beside_its_result(tmp_path, capsys):
    levels = np.array([10, 60, 200, 250])
    labels = np.arange(400) % 4
    images = InMemorySource(
        (levels[labels][:, None, None, None] * np.ones([1, 2, 2, 1])).astype(np.uint8),
        labels,
        tuple("abcd"),
        2,
    )

    def of_bytes(pixels):
        return -tf.square(tf.reduce_mean(pixels, axis=[1, 2, 3])[:, None] - levels[None])

    protocol = Protocol("fgsm", (0.02,), masking=False)
    given = InputRange(0.0, 1.0)
    for expected, warned in ((InputRange(0.0, 255.0), False), (given, True)):
        classifier = Classifier(
            "it", lambda x, expected=expected: of_bytes(expected(x)), "test", input_range=expected
        )
        evaluate_robustness([(classifier, tmp_path, f"{warned}")], images, protocol, 100)
        before, _ = capsys.readouterr().out.split("radius 0.02 (2.55/255): ", 1)
        line = (
            "25.0% of 100 images correctly with pixels in [0, 1] and 100.0% with pixels in [0, 255]"
        )
        assert (line in before) == warned
        assert (line in (tmp_path / f"{warned}.md").read_text()) == warned
