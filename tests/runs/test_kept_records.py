"""Whether records tell of a checkpoint that is not there, and what they have lost."""

import json
import types

import pytest

from robgan_tf.errors import UserError
from robgan_tf.runs.kept_records import (
    lost_lines,
    refuse_change_of_the_past,
    refuse_to_begin_over,
)


def run_with(path, steps=(), changes=()):
    metrics = path / "metrics.jsonl"
    metrics.write_text("".join(json.dumps({"step": step}) + "\n" for step in steps))
    return types.SimpleNamespace(
        path=path,
        metrics_path=metrics,
        checkpoints_path=path / "checkpoints",
        changes=changes,
    )


@pytest.mark.parametrize(
    ("lines", "up_to", "expected"),
    [
        ((), 4, []),
        ((), 12, [5, 10]),
        ((5, 10), 12, []),
        ((5, 15), 17, [10]),
        # A run of 7 steps, which has a line at its end, continued.
        ((5, 7), 12, [10]),
        # The last of 23 steps has a line of its own.
        ((5, 10, 15, 20), 23, [23]),
        ((5, 10, 15, 20, 23), 23, []),
    ],
)
def test_lines_that_are_lost(tmp_path, lines, up_to, expected):
    run = run_with(tmp_path, lines)
    assert lost_lines(run.metrics_path, 5, 23, up_to) == expected
    run.metrics_path.unlink()
    assert lost_lines(run.metrics_path, 50, 1000, 120) == [50, 100]


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins_again(tmp_path):
    run = run_with(tmp_path, (5, 10))
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "step_00000010.png").write_bytes(b"")
    (tmp_path / "samples" / "step_of_mine.png").write_bytes(b"")
    refuse_to_begin_over(run, checkpoint_every=10)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (lambda path: run_with(path, (5, 10, 11)), "records up to step 11 and no checkpoint"),
        (lambda path: (path / "samples/step_00000015.png").touch(), "records up to step 15 and no"),
        (lambda path: (path / "evaluations/step_00000010.json").touch(), "up to step 10 and no"),
    ],
)
def test_a_run_that_has_recorded_more_has_lost_its_checkpoints(tmp_path, record, line):
    run = run_with(tmp_path, (5, 10))
    for folder in ("samples", "evaluations"):
        (tmp_path / folder).mkdir()
    record(tmp_path)
    with pytest.raises(UserError, match=line):
        refuse_to_begin_over(run, checkpoint_every=10)


@pytest.mark.parametrize(
    "later",
    ["samples/step_00000011.png", "checkpoints/step-11.index", "best_checkpoint/step-11.index"],
)
def test_a_change_is_refused_where_anything_of_a_later_step_would_stay(tmp_path, later):
    run = run_with(tmp_path, (5, 10), changes=("train.rate",))
    for name in ("checkpoints/step-10.index", "checkpoints/notes-20.index"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    refuse_change_of_the_past(run, 10)
    (tmp_path / later).parent.mkdir(exist_ok=True)
    (tmp_path / later).touch()
    with pytest.raises(UserError, match="records up to step 11, made without this change of train"):
        refuse_change_of_the_past(run, 10)
