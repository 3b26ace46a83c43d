"""One replica and two make the same run: see replicas_in_float64.py."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("training", ["joint", "classifier"])
def test_two_replicas_make_the_run_of_one(training):
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.replicas_in_float64", training],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    differences = {}
    for line in process.stdout.splitlines():
        normalization, *numbers = line.split()
        differences[normalization] = [float(number) for number in numbers]
    assert set(differences) == {"spectral", "batch"}
    for difference, between_replicas in differences.values():
        assert difference < 1e-9
        assert between_replicas == 0.0
