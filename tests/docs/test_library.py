"""The guide to the library is a program that runs."""

import pathlib
import re
import shutil

import numpy as np
import pytest

from tests.eager import eagerly

ROOT = pathlib.Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "library.md"


def test_every_block_runs_in_order(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 5
    shutil.copytree(ROOT / "tests" / "tiny_run" / "joint", tmp_path / "runs" / "quickstart")
    monkeypatch.chdir(tmp_path)
    names = {}
    *others, training = blocks
    for block in others:
        exec(compile(block, PAGE.name, "exec"), names)
    # Two steps and 20 test images say as much as 20 and all, and so few need no compiling.
    for whole, shorter in (
        ("TrainSettings(steps=20,", "TrainSettings(steps=2,"),
        (
            "    attack=",
            "    final_evaluation=groups.FinalEvaluationSettings(images=20),\n    attack=",
        ),
    ):
        assert training.count(whole) == 1
        training = training.replace(whole, shorter)
    with eagerly():
        exec(compile(training, PAGE.name, "exec"), names)
    assert names["images"].shape == (16, 16, 16, 1)
    assert names["names"].shape == (2,)
    assert names["probabilities"].sum(axis=1) == pytest.approx(np.ones(16), abs=1e-5)
    expected = names["run"].classifier(names["images"])[1]
    np.testing.assert_array_equal(names["class_logits"], expected)
    assert 0.0 < np.abs(names["adversarial"] - names["images"]).max() <= 0.04 + 1e-6
    assert names["found"].robust <= names["found"].clean
    trained = names["robgan_tf"].load_run("runs/mine")
    assert (trained.step, trained.class_names) == (2, tuple("0123456789"))
    assert len(trained._finished.data().fingerprint) == 16


def test_training_without_gin_takes_ten_lines():
    block = PAGE.read_text().rpartition("```python\n")[2].partition("```")[0]
    call = block.partition("config = ")[2]
    assert len(call.splitlines()) <= 10
