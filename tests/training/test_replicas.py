"""One replica and two make the same run: see replicas_in_float64.py."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def differences():
    """By training and normalization: of losses and variables, and of u between the replicas."""
    process = subprocess.run(
        [sys.executable, "-m", "tests.training.replicas_in_float64", "joint", "classifier"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    found = {}
    for line in process.stdout.splitlines():
        training, normalization, *numbers = line.split()
        found[training, normalization] = [float(number) for number in numbers]
    return found


@pytest.mark.parametrize("normalization", ["spectral", "batch"])
@pytest.mark.parametrize("training", ["joint", "classifier"])
def test_two_replicas_make_the_run_of_one(training, normalization, differences):
    difference, between_replicas = differences[training, normalization]
    assert difference < 1e-9
    assert between_replicas == 0.0
