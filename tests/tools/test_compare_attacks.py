"""The comparison with Foolbox and ART: what is copied, compared and refused.

The libraries themselves take part where ROBGAN_PYTORCH_PYTHON names an interpreter that has them.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.losses.adversarial import class_loss
from robgan_tf.models import PreActResNet18, ResNetDiscriminator
from robgan_tf.robustness.subjects import discriminator_classifier
from robgan_tf.robustness.verification import VerificationError
from robgan_tf.stages.finished import FinishedRun
from tests import tiny
from tools import compare_attacks
from tools.attack_comparison.cases import cases
from tools.attack_comparison.measuring import EQUAL_PIXELS, compare
from tools.attack_comparison.pytorch_copy import kernels, same_logits
from tools.attack_comparison.report import ART, FOOLBOX, targets
from tools.attack_comparison.subject import BATCH_SIZE, Subject, in_float32

ROOT = pathlib.Path(__file__).parents[2]
EPSILON = 0.1


def discriminator(**options):
    keras.utils.set_random_seed(0)
    options = {"normalization": "none", "base_width": 4, "widths": "1, 2-, 2", **options}
    model = ResNetDiscriminator(16, 1, 10, **options)
    model.build()
    return model


@pytest.fixture(scope="module")
def subject():
    """More than a batch of noise images, the labels being what D says of most of them."""
    model = discriminator()
    images = np.random.default_rng(0).uniform(-1, 1, [BATCH_SIZE + 5, 16, 16, 1])
    images = images.astype(np.float32)
    labels = np.argmax(model(images)[1], axis=1)
    labels[::7] = (labels[::7] + 1) % 10
    return Subject(discriminator_classifier(model, "tiny", "no run"), images, labels)


@pytest.fixture(scope="module")
def attacks(subject):
    """The attacks that are compared, each compiled once."""
    return [
        dataclasses.replace(case, runner=mock.Mock(return_value=case.runner(subject)))
        for case in cases(EPSILON, 3, 5)
    ]


class Library:
    """Stands in for the process of the libraries: answers what a function makes of ours."""

    def __init__(self, subject, runs, change):
        self._runs = runs
        self._change = change
        self.requests = []

    def attack(self, request):
        self.requests.append(request)
        run = self._runs[request["attack"]]
        adversarial, correct = run(slice(request["rows"][0], request["rows"][-1] + 1))
        return (*self._change(np.array(adversarial), np.array(correct)), 10.0, 20.0)


def library(subject, attacks, change=lambda adversarial, correct: (adversarial, correct)):
    runs = {case.request["attack"]: case.runner(subject) for case in attacks[1:]}
    return Library(subject, runs, change)


def test_kernels_are_those_that_calls_use():
    model = discriminator(normalization="spectral", use_bias=True)
    values = kernels(model)
    assert list(values["resample"]) == [True, False, True]
    assert values["block_1/convolution_1:normalized"].shape == (3, 3, 1, 4)
    assert values["block_1/convolution_1:bias"].shape == (4,)
    assert values["class_head:bias"].shape == (10,)
    assert "block_2/shortcut:normalized" in values
    for name, value in values.items():
        if name.endswith(":normalized"):
            largest = np.linalg.norm(value.reshape(-1, value.shape[-1]), ord=2)
            assert largest == pytest.approx(1.0, rel=1e-3), name


def test_kernels_without_normalization_are_the_variables():
    model = discriminator()
    values = kernels(model)
    np.testing.assert_array_equal(
        values["block_3/convolution_2:normalized"], model.block_3.convolution_2.kernel
    )
    assert not any(name.endswith("convolution_1:bias") for name in values)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: discriminator(normalization="batch"), "knows no batch normalization"),
        (lambda: PreActResNet18(16, 1, 10), "this run's classifier is another network"),
    ],
)
def test_networks_without_a_copy_are_refused(model, message):
    with pytest.raises(UserError, match=message):
        kernels(model())


def test_precision_of_the_run_is_replaced_in_a_copy():
    config = tiny.config("train.precision = 'bfloat16'")
    run = FinishedRun("runs/x", config, "checkpoints/step-4")
    assert in_float32(run).config.train.precision == "float32"
    assert run.config.train.precision == "bfloat16"


def test_logits_must_agree():
    logits = np.linspace(-50.0, 20.0, 12).reshape(3, 4)
    differences = same_logits(logits, {"as_called": logits, "tuned": logits + 0.004})
    assert differences == {"as_called": 0.0, "tuned": pytest.approx(0.004 / 50)}
    for wrong in (logits + 0.006, np.where(logits > 10, np.nan, logits)):
        with pytest.raises(UserError, match="the logits of the PyTorch copy"):
            same_logits(logits, {"tuned": wrong})


def test_fgsm_by_hand(subject, attacks):
    fgsm = attacks[1]
    adversarial, correct = fgsm.runner(subject)(slice(0, 20))
    images = tf.constant(subject.images[:20])
    with tf.GradientTape() as tape:
        tape.watch(images)
        losses = class_loss(subject.classifier.logits(images), subject.labels[:20])
    expected = np.clip(images + EPSILON * np.sign(tape.gradient(losses, images)), -1, 1)
    equal = np.abs(adversarial - expected) <= EQUAL_PIXELS
    assert equal.mean() > 0.999
    predictions = np.argmax(subject.classifier.logits(adversarial), axis=1)
    np.testing.assert_array_equal(correct, predictions == subject.labels[:20])


def test_a_library_that_does_the_same_is_equal(subject, attacks):
    twin = library(subject, attacks)
    for case in attacks[1:]:
        rows = compare(case, subject, twin, EPSILON)
        assert [row["form"] for row in rows] == ["as_called", "tuned"]
        for row in rows:
            assert row["points"] == 0.0
            assert row["equal_pixels"] == 1.0
            assert 0.0 < row["accuracy"]["ours"] < 1.0
            assert row["seconds"]["library"] == 20.0
            assert row["processor_seconds"]["library"] == 40.0
            assert row["speed_of_totals"] == pytest.approx(20.0 / row["seconds"]["ours"])
    # Both forms on every batch, in turn.
    assert [request["form"] for request in twin.requests[:4]] == 2 * ["as_called", "tuned"]
    assert [request["rows"][-1] for request in twin.requests[:4]] == 2 * [99] + 2 * [104]


def test_both_sides_get_the_same_numbers():
    pgd, fgsm, auto_pgd, square = (case.request for case in cases(0.05, 30, 70))
    assert (pgd["steps"], pgd["step_size"]) == (20, 0.01)
    assert (fgsm["steps"], fgsm["step_size"]) == (1, 0.05)
    assert (auto_pgd["attack"], auto_pgd["steps"]) == ("auto_pgd", 30)
    assert (square["iterations"], square["initial_share"]) == (70, 0.8)


def test_differences_are_measured(subject, attacks):
    def weaker(adversarial, correct):
        # One pixel of the first image of each batch, towards where it came from.
        original = subject.images[0 if len(adversarial) == BATCH_SIZE else BATCH_SIZE]
        moved = adversarial[0] - original
        place = np.unravel_index(np.argmax(np.abs(moved)), moved.shape)
        adversarial[0][place] -= np.sign(moved[place]) * 0.001
        return adversarial, correct

    (row, _) = compare(attacks[1], subject, library(subject, attacks, weaker), EPSILON)
    assert row["equal_pixels"] == pytest.approx(1.0 - 2 / (105 * 16 * 16))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images, correct: (images, ~correct), "is said to"),
        (lambda images, correct: (images * 0.5, correct), "is farther than 0.1"),
    ],
)
def test_a_library_that_errs_is_found_out(subject, attacks, change, message):
    with pytest.raises(VerificationError, match=message):
        compare(attacks[1], subject, library(subject, attacks, change), EPSILON)


def row(attack="Square", library=ART, points=0.0, equal=0.5, speed=6.0, by_processor_time=6.0):
    return {
        "attack": attack,
        "library": library,
        "form": "tuned",
        "points": points,
        "equal_pixels": equal,
        "speed": speed,
        "speed_by_processor_time": by_processor_time,
    }


@pytest.mark.parametrize(
    ("measured", "met"),
    [
        (row("PGD-20", FOOLBOX, points=0.3), [True]),
        (row("PGD-20", FOOLBOX, points=-0.4), [False]),
        (row("FGSM", FOOLBOX, equal=0.9989), [False]),
        (row("FGSM", FOOLBOX, equal=0.9990), [True]),
        (row(points=-1.0), [True, True]),
        (row(points=1.1), [False, True]),
        (row(speed=4.9), [True, False]),
        (row(by_processor_time=4.9), [True, False]),
    ],
)
def test_targets(measured, met):
    assert [check["met"] for check in targets([measured])] == met


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--epsilon=0", "--epsilon=0: give a radius above 0"),
        ("--epsilon=3", "epsilon = 3.0 is above 2"),
        ("--queries=0", "--queries=0: give at least 1"),
        ("--output=no/such/x.json", "--output=no/such/x.json: there is no such directory"),
        ("--images=20", "holds no run"),
    ],
)
def test_bad_input_is_refused_before_anything_is_loaded(flag, message, tmp_path):
    with pytest.raises(UserError, match=message):
        compare_attacks.main([f"--run_dir={tmp_path}", "--pytorch_python=python", flag])


def run(module, *arguments):
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def in_bfloat16(tmp_path_factory):
    """A run long enough for D to classify some images, in bfloat16."""
    folder = tmp_path_factory.mktemp("runs")
    gin_file = folder / "tiny.gin"
    extra = (
        "train.steps = 150",
        "discriminator_optimizer.learning_rate = 0.005",
        "final_evaluation.images = 0",
        "train.precision = 'bfloat16'",
    )
    gin_file.write_text("\n".join([*tiny.BINDINGS, *extra]) + "\n")
    process = run("robgan_tf.train", f"--gin_file={gin_file}", f"--run_dir={folder / 'run'}")
    assert process.returncode == 0, process.stderr
    return folder / "run"


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("/no/such/python", "--pytorch_python=/no/such/python: No such file or directory"),
        # An interpreter without the libraries.
        (None, "needs the packages of tools/requirements-pytorch.txt (ModuleNotFoundError"),
    ],
)
def test_an_interpreter_that_will_not_do_is_one_line(
    python, reason, trained, tmp_path, monkeypatch
):
    # They cannot be set any more in this process.
    for name in ("intra", "inter"):
        setter = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(tf.config.threading, setter, lambda threads: None)
    if python is None:
        (tmp_path / "torch.py").write_text("raise ModuleNotFoundError\n")
        python = sys.executable
    with pytest.raises(UserError) as error:
        compare_attacks.main([f"--run_dir={trained}", f"--pytorch_python={python}", "--images=20"])
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def pytorch_python():
    """The interpreter that has the libraries; without it, the test skips."""
    python = os.environ.get("ROBGAN_PYTORCH_PYTHON")
    if not python:
        pytest.skip("ROBGAN_PYTORCH_PYTHON is not set")
    return python


def test_the_whole_comparison(pytorch_python, in_bfloat16, tmp_path):
    output = tmp_path / "comparison.json"
    process = run(
        "tools.compare_attacks",
        f"--run_dir={in_bfloat16}", f"--pytorch_python={pytorch_python}", "--images=20",
        "--epsilon=0.1",
        "--auto_pgd_steps=20", "--queries=50", "--threads=1", f"--output={output}",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    record = json.loads(output.read_text())
    assert record["images"] == 20
    assert record["checkpoint_step"] == 150
    # Otherwise there is nothing to attack.
    assert record["clean_accuracy"] > 0.1
    assert {"torch", "foolbox", "adversarial-robustness-toolbox"} <= {*record["versions"]}
    assert max(record["largest_logit_difference"].values()) < 1e-5
    assert len(record["rows"]) == 8
    for found in record["rows"]:
        assert f"{found['accuracy']['library']:.2%}" in process.stdout
        accuracies = found["accuracy"]
        if found["library"] == FOOLBOX:
            assert accuracies["ours"] == accuracies["library"]
            assert found["equal_pixels"] > 0.95
        else:
            # At most two of 20 images.
            assert accuracies["ours"] == pytest.approx(accuracies["library"], abs=0.1)


def test_subjects_are_attacked_in_batches_that_cover_them(subject):
    few = dataclasses.replace(subject, images=subject.images[:3], labels=subject.labels[:3])
    assert few.batches == [slice(0, 3)]
    assert subject.batches == [slice(0, BATCH_SIZE), slice(BATCH_SIZE, BATCH_SIZE + 5)]
