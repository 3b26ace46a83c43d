"""The run that version 0.1.0 made (tests/tiny_run): loaded, continued, evaluated, sampled."""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks.protocol import make_attacks
from robgan_tf.data import load_image_data, scale_images
from robgan_tf.quality.generated_set import generated_set
from robgan_tf.reporting import read_metrics
from robgan_tf.reporting.former_names import present_names
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import discriminator_classifier
from robgan_tf.stages.finetune import FinetuneStage
from robgan_tf.stages.finished import open_run
from robgan_tf.stages.joint import JointStage

TINY_RUN = pathlib.Path(__file__).parents[1] / "tiny_run"
EXPECTED = json.loads((TINY_RUN / "expected.json").read_text())


def on_the_same_machine():
    """Whether the numbers were made with the same kernels, so that every digit must agree.

    They were made on one thread, as the workers of the suite are: several add up in any order.
    """
    if os.environ.get("TF_NUM_INTRAOP_THREADS") != "1":
        return False
    processor = pathlib.Path("/proc/cpuinfo")
    if not processor.exists() or tf.config.list_physical_devices("GPU"):
        return False
    flags = next((x for x in processor.open() if x.startswith("flags")), "").partition(":")[2]
    here = {
        "tensorflow": tf.__version__,
        "processor_flags": hashlib.sha256(" ".join(sorted(flags.split())).encode()).hexdigest()[
            :16
        ],
    }
    return here == EXPECTED["machine"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Copies of both runs; a run that is continued is written to."""
    folder = tmp_path_factory.mktemp("old")
    for name in ("joint", "tuned"):
        shutil.copytree(TINY_RUN / name, folder / name)
    return folder


def longer(config, steps):
    stage = dataclasses.replace(config.stage, steps=steps)
    return dataclasses.replace(config, **{config.stage.gin_name: stage})


@pytest.mark.parametrize("name", ["joint", "tuned"])
def test_it_is_continued_to_the_same_losses(name, runs, tmp_path):
    run_dir = tmp_path / name
    shutil.copytree(runs / name, run_dir)
    expected = present_names(EXPECTED["resumed"][name])
    config = longer(open_run(run_dir).config, expected["step"])
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, reading="served"))
    if name == "joint":
        stage = JointStage(config, str(run_dir))
    else:
        stage = FinetuneStage(config, str(run_dir), gan=open_run(runs / "joint"))
    assert stage.train() is None
    found = read_metrics(run_dir / "metrics.jsonl")[-1]
    assert set(expected) <= set(found)
    # The command that began it does not say how images were read then, and it goes on so.
    assert json.loads((run_dir / "config.json").read_text())["data.reading"] == "pillow"
    assert open_run(run_dir).config.data.reading == "pillow"
    # On any machine: Adam updates a variable in one operation now, and rounds otherwise.
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-3, abs=1e-3), key
    # The forms it was made with, and the version of them.
    stored = json.loads((run_dir / "config.json").read_text())
    assert stored["numerics"] == 1
    networks = ("ResNetGenerator.form", "ResNetDiscriminator.form", "PreActResNet18.form")
    assert {stored[network] for network in networks if network in stored} == {"own"}
    optimizers = {name: x for name, x in stored.items() if "optimizer.epsilon" in name}
    assert set(optimizers.values()) == {1e-7, "uncorrected"}
    accuracy = json.loads((run_dir / f"evaluations/step_{expected['step']:08d}.json").read_text())
    assert accuracy == pytest.approx(EXPECTED["final_accuracy_when_resumed"][name], abs=0.02)


@pytest.mark.parametrize("name", ["joint", "tuned"])
def test_it_withstands_the_same_attacks(name, runs):
    expected = EXPECTED["published_protocol"][name]
    run = open_run(runs / name)
    test = load_image_data(**run.config.data.loading(None)).test
    count = len(expected["clean_predictions"])
    images = scale_images(tf.constant(test.fetch(np.arange(count)))).numpy()
    classifier = discriminator_classifier(run.load_classifier(), name, "")
    attacks = make_attacks("published", 0.02, "linf", 10)
    outcome = RobustnessEvaluation(CompiledClassifier(classifier, images.shape[1:]), attacks).run(
        images, test.labels[:count]
    )
    allowed = 0 if on_the_same_machine() else 2
    assert np.sum(outcome.predictions != expected["clean_predictions"]) <= allowed
    assert np.sum(outcome.fooled_by != expected["fooled_by_0.02"]) <= allowed
    accuracies = [outcome.clean_correct.mean(), outcome.survived.mean()]
    rows = [row["accuracy"] for row in expected["radii"]]
    np.testing.assert_allclose(accuracies, rows, atol=allowed / count)


def test_its_generator_makes_the_same_images(runs):
    generator = open_run(runs / "joint").load_generator()
    with np.load(TINY_RUN / "samples.npz") as expected:
        ((images, labels),) = generated_set(generator, 20, 0, 100, None)
        np.testing.assert_array_equal(labels, expected["label"])
        apart = np.abs(images.astype(int) - expected["image"])
    assert apart.max() <= (0 if on_the_same_machine() else 1)


def test_its_best_checkpoint_is_found(runs):
    best = open_run(runs / "tuned", "best")
    assert best.step == 100
    assert best.load_classifier().num_classes == 10


def test_it_is_small():
    assert sum(path.stat().st_size for path in TINY_RUN.rglob("*") if path.is_file()) <= 200_000
