"""When things happen in the training loop."""

import pytest

from robgan_tf.runs.loop import Rhythm


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [(7, 3, [3, 6, 7]), (6, 3, [3, 6]), (2, 3, []), (3, 3, [3]), (4, 0, [])],
)
def test_evaluations_come_regularly_and_at_the_end_but_not_in_a_short_look(steps, every, expected):
    rhythm = Rhythm(steps, 1, 1, 1)
    assert [step for step in range(1, steps + 1) if rhythm.evaluation_due(every, step)] == expected
