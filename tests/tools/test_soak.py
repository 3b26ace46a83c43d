"""The checks of the soak, on processes that are really killed and write the files of a run."""

import os
import pathlib
import random
import signal
import time

import pytest

from robgan_tf.files import remove_left_overs
from robgan_tf.reporting import MetricsFile
from robgan_tf.runs.checkpoint_folder import CheckpointFolder
from tools.soaking import moments
from tools.soaking.chain import allowed_loss, run_chain
from tools.soaking.stage import CHECKPOINT_EVERY, KEEP, forked


class FilesAlone:
    """A stage of training without training: the records and checkpoints of a run, by its code."""

    command = "files"

    def __init__(self, folder, steps, status=0):
        self.folder, self.steps, self._status = folder, steps, status

    def log(self, run_dir):
        return self.folder / f"{run_dir.name}.log"

    def start(self, run_dir):
        return forked(lambda: self._train(run_dir), self.log(run_dir))

    def _train(self, run_dir):
        folder = CheckpointFolder(run_dir / "checkpoints")
        remove_left_overs(run_dir)
        folder.remove_left_overs()
        begun, faults = folder.newest_whole()
        assert not faults, faults
        folder.thin(KEEP, 0.0, begun or 0)
        metrics = MetricsFile(run_dir / "metrics.jsonl")
        for step in range((begun or 0) + 1, self.steps + 1):
            time.sleep(0.004)
            metrics.write(step, {"loss": 1.0 / step})
            if step % CHECKPOINT_EVERY == 0:
                with folder.aside(step) as prefix:
                    for ending in ("index", "data-00000-of-00001"):
                        pathlib.Path(f"{prefix}.{ending}").write_text(f"{ending} of {step}" * 100)
                    folder.publish(step)
                folder.thin(KEEP, 0.0, step)
        return self._status


def drawn(seed, count):
    generator = random.Random(seed)
    return iter([moments.drawn(generator, 0.3, 0.02) for _ in range(count)])


def names(run_dir):
    return {path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*") if path.is_file()}


def test_killed_at_random_moments_a_run_leaves_what_one_leaves_that_was_not(tmp_path):
    stage = FilesAlone(tmp_path, 60)
    straight = run_chain(stage, tmp_path / "straight", iter(()))
    killed = run_chain(stage, tmp_path / "killed", drawn(0, 20))
    assert (straight.problems, killed.problems) == ([], [])
    assert len(killed.stops) >= 5 and killed.continued == len(killed.stops)
    assert killed.most_steps_lost <= allowed_loss() and not killed.unreadable
    assert names(tmp_path / "killed") == names(tmp_path / "straight")
    metrics = [(tmp_path / run / "metrics.jsonl").read_bytes() for run in ("killed", "straight")]
    assert metrics[0] == metrics[1]


def test_killed_inside_of_the_very_first_save_a_run_goes_on(tmp_path):
    stage = FilesAlone(tmp_path, CHECKPOINT_EVERY)
    for run in range(6):
        moment = moments.inside_a_save(0.001 * run)
        chain = run_chain(stage, tmp_path / f"run_{run}", iter([("the first save", moment)]))
        assert not chain.problems and not chain.unreadable, chain
        assert chain.continued == len(chain.stops)
        assert names(tmp_path / f"run_{run}") == names(tmp_path / "run_0")


def test_a_session_that_fails_is_told(tmp_path):
    chain = run_chain(FilesAlone(tmp_path, 2, status=3), tmp_path / "x", iter(()))
    assert chain.problems == [f"status 3 after '', see {tmp_path / 'x.log'}"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stop_is_counted_and_an_end_is_not(tmp_path, number):
    stage = FilesAlone(tmp_path, 6)
    # Nobody handles SIGTERM here, so that the process ends by it.
    chain = run_chain(stage, tmp_path / "run", iter([("late", moments.after_seconds(9.0))]), number)
    assert (chain.stops, chain.continued, chain.problems) == ([], 0, [])


def test_a_copy_that_fails_says_why(tmp_path):
    _, status = os.waitpid(forked(lambda: 1 // 0, tmp_path / "log"), 0)
    assert os.waitstatus_to_exitcode(status) == 70
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()
