"""A stage that is timed before its run begins."""

from robgan_tf.stages.joint import JointStage
from tests import tiny
from tests.eager import eagerly


def test_steps_are_timed_and_nothing_is_written(tmp_path):
    run_dir = tmp_path / "run"
    stage = JointStage(tiny.config("train.distribution = 'single_device'"), str(run_dir))
    with eagerly():
        # Five steps, also of a run of four.
        assert 0.0 < stage.seconds_per_step(0.0) < 10.0
    assert not run_dir.exists()
