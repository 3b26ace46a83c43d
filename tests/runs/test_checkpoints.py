"""Checkpoints: what is restored, what is kept, and what a damaged one says."""

import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from robgan_tf.errors import UserError
from robgan_tf.runs.best_checkpoint import BestCheckpoint
from robgan_tf.runs.checkpoints import Checkpoints, checkpoint_of_step, load_weights
from tests.in_process import ROOT


def model(value, units=3):
    layer = keras.layers.Dense(units, kernel_initializer=keras.initializers.Constant(value))
    layer.build((None, 2))
    return layer


def saved(directory, steps=(1,), keep=2):
    checkpoints = Checkpoints(directory, {"model": model(7.0)}, keep)
    for step in steps:
        checkpoints.save(step)
    return checkpoints


def test_restores_values_and_step(tmp_path):
    saved(tmp_path, steps=(5,))
    fresh = model(0.0)
    assert Checkpoints(tmp_path, {"model": fresh}, 2).restore_latest() == 5
    np.testing.assert_array_equal(fresh.kernel, np.full([2, 3], 7.0))


def test_keeps_the_newest(tmp_path):
    saved(tmp_path, steps=(1, 2, 3))
    assert sorted(path.stem for path in tmp_path.glob("*.index")) == ["step-2", "step-3"]


def test_saving_a_step_twice_writes_once(tmp_path):
    checkpoints = saved(tmp_path, steps=(3,))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert checkpoints.save(3) == checkpoints.latest
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_nothing_saved_is_step_0(tmp_path):
    assert Checkpoints(tmp_path, {"model": model(1.0)}, 2).restore_latest() == 0


def test_other_model(tmp_path):
    saved(tmp_path, steps=(4,))
    with pytest.raises(UserError, match="step-4 cannot be restored"):
        Checkpoints(tmp_path, {"model": model(0.0, units=5)}, 2).restore_latest()


def test_load_weights(tmp_path):
    saved(tmp_path, steps=(4,))
    fresh = model(0.0)
    path = checkpoint_of_step(tmp_path)
    assert path.endswith("step-4")
    load_weights(path, {"model": fresh})
    np.testing.assert_array_equal(fresh.kernel, np.full([2, 3], 7.0))
    with pytest.raises(UserError, match="does not fit"):
        load_weights(path, {"model": model(0.0, units=5)})
    with pytest.raises(UserError, match="there is no checkpoint under"):
        checkpoint_of_step(tmp_path / "nowhere")


def test_checkpoint_of_a_step(tmp_path):
    saved(tmp_path, steps=(4, 8))
    assert checkpoint_of_step(tmp_path, "4").endswith("step-4")
    with pytest.raises(UserError, match=r"no checkpoint of step 5 under .*: 4, 8 kept"):
        checkpoint_of_step(tmp_path, "5")


def test_the_best_is_kept_and_a_resumed_run_knows_it(tmp_path):
    def run(values, restore):
        layer = model(0.0)
        best = BestCheckpoint(tmp_path / "best", {"model": layer})
        checkpoints = Checkpoints(tmp_path / "newest", {"model": layer, **best.objects()}, 2)
        start = checkpoints.restore_latest() if restore else 0
        for step, value in enumerate(values, start=start + 1):
            layer.kernel.assign(np.full([2, 3], float(step)))
            best.offer(value, step)
        return best, checkpoints, step

    best, checkpoints, step = run([0.3, 0.5, 0.5, None, 0.4], restore=False)
    assert (float(best.value), int(best.step)) == (0.5, 2)
    checkpoints.save(step)
    best, _, _ = run([0.45, 0.6], restore=True)
    assert (float(best.value), int(best.step)) == (0.6, 7)
    kept = model(0.0)
    load_weights(checkpoint_of_step(tmp_path / "best"), {"model": kept})
    np.testing.assert_array_equal(kept.kernel, np.full([2, 3], 7.0))
    assert len(list((tmp_path / "best").glob("*.index"))) == 1


def test_a_worse_model_after_resuming_does_not_replace_the_best(tmp_path):
    layer = model(0.0)
    best = BestCheckpoint(tmp_path / "best", {"model": layer})
    checkpoints = Checkpoints(tmp_path / "newest", {"model": layer, **best.objects()}, 2)
    best.offer(0.5, 1)
    checkpoints.save(1)
    again = BestCheckpoint(tmp_path / "best", {"model": layer})
    Checkpoints(tmp_path / "newest", {"model": layer, **again.objects()}, 2).restore_latest()
    again.offer(0.4, 2)
    assert checkpoint_of_step(tmp_path / "best").endswith("step-1")


# In a process of its own: what TensorFlow has to say it says when models are deleted.
MISMATCHED = """
import sys
import keras
from robgan_tf.errors import UserError
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.runs.checkpoints import Checkpoints, load_weights

def discriminator(width):
    model = ResNetDiscriminator(16, 1, 3, base_width=width, widths="1, 2")
    model.build()
    return model

Checkpoints(sys.argv[1], {"model": discriminator(4)}, 1).save(1)
try:
    load_weights(sys.argv[1] + "/step-1", {"model": discriminator(8)})
except UserError as error:
    print(error, file=sys.stderr)
"""


@pytest.mark.slow
def test_weights_of_another_width_are_one_line_of_error(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", MISMATCHED, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True,
    )  # fmt: skip
    # Besides what TensorFlow says when it starts.
    lines = [x for x in ended.stderr.splitlines() if re.search("checkpoint|Value in|Detecting", x)]
    assert len(lines) == 1, ended.stderr
    assert "does not fit this run's models" in lines[0]
