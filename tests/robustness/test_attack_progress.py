"""What is told of an evaluation while it goes on: images, queries, the time left."""

import io
import types

import numpy as np

from robgan_tf.robustness.attack_progress import AttackProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def attack(name, rounds=1, queries=10):
    return types.SimpleNamespace(name=name, rounds=rounds, queries=queries)


FIRST, SECOND = attack("first"), attack("second", 2, 5)


def told(stream, radii=2):
    """Two attacks at one of two radii: 100 images, of which each round fools 20."""
    clock, asked = Clock(), [0]
    progress = AttackProgress(radii, lambda: asked[0], stream, clock)
    progress.ends()  # Of clean predictions nothing is said.
    progress.begin_radius("radius 0.02", [FIRST, SECOND])
    waiting = 100
    for given in (FIRST, SECOND):
        for number in range(given.rounds):
            progress.begins(given, number, waiting)
            for _ in range(4):
                clock.now += 10.0
                asked[0] += waiting // 4 * given.queries
                progress.done(np.arange(waiting // 4), 5)
            waiting -= 20
            progress.ends()
    progress.message("the end" + progress.time_left)
    progress.close()
    return stream.getvalue()


def test_a_log_has_a_line_an_attack_and_a_few_within_one_that_takes_long():
    lines = told(io.StringIO()).splitlines()
    assert lines == [
        # 0.4 s an image: 25 are left, and 85 that withstand so far meet the second twice, for half
        # as much, 44 s. At the next radius the first gets 100 again, 74 s.
        "  radius 0.02: first, 75/100 images, 750 queries, ETA 0:01:58",
        "  radius 0.02: first 100 -> 80 images, 1,000 queries, 40 s, ETA 0:01:44",
        "  radius 0.02: second, round 1 of 2, 60/80 images, 300 queries, ETA 0:02:35",
        "  radius 0.02: second, round 2 of 2, 30/60 images, 550 queries, ETA 0:02:13",
        "  radius 0.02: second 80 -> 40 images, 700 queries, 0:01:20, ETA 0:02:00",
        "  the end, ETA 0:02:00",
    ]


def test_after_the_last_radius_no_time_is_left_to_tell():
    assert told(io.StringIO(), radii=1).splitlines()[-1] == "  the end"


def test_a_terminal_has_a_bar():
    text = told(Terminal())
    assert "radius 0.02: second, round 2 of 2, 60/60 images, 700 queries, ETA 0:02:00" in text
    assert "first 100 -> 80 images, 1,000 queries" in text
    assert " 50.0 % |" in text  # 120 s of 240 s
