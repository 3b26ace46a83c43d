"""A stage that is timed before its run begins."""

import tensorflow as tf

from robgan_tf.stages.joint import JointStage
from tests import tiny
from tests.eager import eagerly


def test_steps_are_timed_and_nothing_is_written(tmp_path, capsys):
    tf.constant(0.0).numpy()
    run_dir = tmp_path / "run"
    bindings = ("train.distribution = 'single_device'", "train.threads = 'one_per_operation'")
    stage = JointStage(tiny.config(*bindings), str(run_dir))
    # A stage sets its threads up, for which this process is too old.
    assert "threads = 'one_per_operation' needs a new process" in capsys.readouterr().out
    with eagerly():
        # Five steps, also of a run of four.
        assert 0.0 < stage.seconds_per_step(0.0) < 10.0
    assert not run_dir.exists()
