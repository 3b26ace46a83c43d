"""Shared fixtures."""

import os
import pathlib

import pytest

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported


@pytest.fixture(scope="session")
def real_data():
    """The folder of real test data named by ROBGAN_TEST_DATA; without it, the test skips."""
    folder = os.environ.get("ROBGAN_TEST_DATA")
    if not folder:
        pytest.skip("ROBGAN_TEST_DATA is not set")
    return pathlib.Path(folder)
