"""Shared fixtures."""

import gc
import importlib.metadata
import os
import pathlib
import random
import shutil

import numpy as np
import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the machine: more threads than cores would only wait for each other.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported
from tests import in_process
from tests.skipped_on_keras_2 import REASONS
from tests.slow_modules import SECONDS

# Asked so, a file that needs no TensorFlow does not wait for it.
IS_KERAS_2 = importlib.metadata.version("keras").startswith("2.")
TINY_RUN = pathlib.Path(__file__).parent / "tiny_run"


def pytest_collection_modifyitems(items):
    """Begins with the files that take longest, so that no worker is left with one of them alone."""

    def seconds(item):
        return SECONDS.get(item.path.relative_to(item.config.rootpath).as_posix(), 0)

    for item in items:
        path = item.path.relative_to(item.config.rootpath).as_posix()
        if IS_KERAS_2:
            reason = REASONS.get(path) or REASONS.get(f"{path}::{item.originalname}")
            if reason:
                item.add_marker(pytest.mark.skip(reason=f"on Keras 2: {reason}"))
        if seconds(item):
            item.add_marker(pytest.mark.slow)
    items.sort(key=seconds, reverse=True)


def pytest_collection_finish():
    """Looks for unreachable objects less often: tracing makes many, nearly all of which stay."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Weights that a test does not seed are the same each time: Keras draws seeds from `random`."""
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real test data named by ROBGAN_TEST_DATA; without it, the test skips."""
    folder = os.environ.get("ROBGAN_TEST_DATA")
    if not folder:
        pytest.skip("ROBGAN_TEST_DATA is not set")
    return pathlib.Path(folder)


@pytest.fixture
def in_float64():
    """Models that are built in the test compute in float64."""
    import keras

    def use(kind):
        keras.backend.set_floatx(kind)
        keras.mixed_precision.set_global_policy(kind)

    before = keras.backend.floatx()
    use("float64")
    yield
    use(before)


@pytest.fixture
def eagerly():
    """Nothing is compiled in this test: see tests/eager.py."""
    from tests.eager import eagerly

    with eagerly():
        yield


@pytest.fixture(scope="module")
def kept_classifiers():
    """Evaluations of equal weights are of one compilation: see tests/kept_steps.py."""
    from tests import kept_steps

    with pytest.MonkeyPatch.context() as patched:
        kept_steps.keep_attacked_classifiers(patched)
        yield


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of joint training (tests/tiny_run) that all may read; who changes one takes a copy."""
    return shutil.copytree(TINY_RUN / "joint", tmp_path_factory.mktemp("runs") / "joint")


@pytest.fixture(scope="session")
def tuned(tmp_path_factory):
    """Its classifier, fine-tuned; shared likewise."""
    return shutil.copytree(TINY_RUN / "tuned", tmp_path_factory.mktemp("runs") / "tuned")


@pytest.fixture(scope="session")
def export_ended(trained, tmp_path_factory):
    """Where its models have been exported to, and how the command ended."""
    folder = tmp_path_factory.mktemp("exported")
    ended = in_process.run("export", f"--run_dir={trained}", f"--export_dir={folder}")
    assert ended.returncode == 0, ended.stderr
    return folder, ended


@pytest.fixture(scope="session")
def exported(export_ended):
    """The folder of its models, each exported as version 1; shared likewise."""
    return export_ended[0]
