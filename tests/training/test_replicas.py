"""One replica and two make the same run: see replicas_in_float64.py."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("training", ["joint", "classifier"])
@pytest.mark.parametrize("normalization", ["spectral", "batch"])
def test_two_replicas_make_the_run_of_one(training, normalization):
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.replicas_in_float64", training, normalization],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    difference, between_replicas = (float(value) for value in process.stdout.split())
    assert difference < 1e-9
    assert between_replicas == 0.0
