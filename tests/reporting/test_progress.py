import io
import re

import pytest

from robgan_tf.reporting import Progress


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run_steps(progress, clock, first, last, seconds):
    for step in range(first, last + 1):
        clock.now += seconds
        progress.advance(step)


def plain(total=4000, start=0, images=64):
    clock, stream = Clock(), io.StringIO()
    return Progress(total, start, images, stream, clock), clock, stream


def test_plain_line():
    progress, clock, stream = plain()
    run_steps(progress, clock, 1, 500, 0.1)
    assert stream.getvalue() == ""
    progress.report(500, {"D loss": 1.234, "G loss": 0.98712})
    assert stream.getvalue() == (
        "  12.5 %  step 500/4000  640.0 images/s  ETA 0:05:50  D loss 1.234  G loss 0.9871\n"
    )


def test_the_first_step_is_not_measured():
    progress, clock, stream = plain(total=11)
    clock.now += 600  # tracing and compiling
    progress.advance(1)
    progress.report(1, {"D loss": 2.0})
    assert progress.images_per_second is None
    assert stream.getvalue() == "   9.1 %  step 1/11  D loss 2\n"
    run_steps(progress, clock, 2, 6, 2)
    progress.report(6, {})
    assert progress.images_per_second == pytest.approx(32)
    assert stream.getvalue().splitlines()[1] == "  54.5 %  step 6/11  32.0 images/s  ETA 10 s"


def test_speed_is_that_of_the_last_interval_and_time_left_of_recent_ones():
    progress, clock, stream = plain(total=1000, images=1)
    progress.advance(1)
    step = 1
    for seconds in [100, 1, 1, 1, 1, 3]:  # the first interval falls out of the recent five
        run_steps(progress, clock, step + 1, step + 10, seconds)
        step += 10
        progress.report(step, {})
    assert progress.images_per_second == pytest.approx(1 / 3)
    seconds_left = (1000 - 61) * (4 * 10 + 30) / 50
    assert seconds_left == pytest.approx(1314.6)
    assert stream.getvalue().splitlines()[-1].endswith("ETA 0:21:55")


def test_pauses_are_left_out():
    progress, clock, _ = plain()
    progress.advance(1)
    run_steps(progress, clock, 2, 5, 1)
    with progress.paused():
        clock.now += 500
        with progress.paused():
            clock.now += 500
        clock.now += 500
    run_steps(progress, clock, 6, 9, 1)
    progress.report(9, {})
    assert progress.images_per_second == pytest.approx(64)


def test_a_report_inside_a_pause_counts_only_the_work_before_it():
    progress, clock, _ = plain()
    progress.advance(1)
    run_steps(progress, clock, 2, 5, 1)
    with progress.paused():
        clock.now += 500
        progress.report(5, {})
        clock.now += 500
    assert progress.images_per_second == pytest.approx(64)
    run_steps(progress, clock, 6, 9, 2)
    progress.report(9, {})
    assert progress.images_per_second == pytest.approx(32)


def test_an_error_in_a_pause_passes_and_ends_the_pause():
    progress, clock, _ = plain()
    progress.advance(1)
    with pytest.raises(KeyError), progress.paused():
        clock.now += 500
        raise KeyError
    run_steps(progress, clock, 2, 5, 1)
    progress.report(5, {})
    assert progress.images_per_second == pytest.approx(64)


def test_a_resumed_run_measures_only_its_own_steps():
    progress, clock, stream = plain(total=1000, start=900)
    clock.now += 60
    progress.advance(901)
    run_steps(progress, clock, 902, 950, 0.5)
    progress.report(950, {})
    assert stream.getvalue() == "  95.0 %  step 950/1000  128.0 images/s  ETA 25 s\n"


def test_plain_messages_and_close():
    progress, _, stream = plain()
    progress.message("saved a checkpoint")
    progress.close()
    assert stream.getvalue() == "saved a checkpoint\n"


def test_standard_output_is_the_default(capsys):
    Progress(10, 0, 1).message("hello")
    assert capsys.readouterr().out == "hello\n"


def test_bar_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "40")
    clock, stream = Clock(), Terminal()
    progress = Progress(4000, 100, 64, stream, clock)
    assert "step 100/4000" in stream.getvalue()
    progress.advance(101)
    run_steps(progress, clock, 102, 500, 0.1)
    progress.report(500, {"D loss": 1.234, "G loss": 0.987})
    last_frame = re.split(r"[\r\n]", stream.getvalue())[-1]
    assert re.fullmatch(
        r" 12\.5 % \|.{10,}\| step 500/4000, "
        r"640\.0 images/s  ETA 0:05:50  D loss 1\.234  G loss 0\.987 *",
        last_frame,
    )
    assert "\n" not in stream.getvalue()
    progress.message("saved a checkpoint")
    assert re.search(r"(^|[\r\n]) *\rsaved a checkpoint\n", stream.getvalue())
    assert "step 500/4000" in stream.getvalue().split("saved a checkpoint\n")[1]  # drawn again
    progress.close()
    assert stream.getvalue().endswith("\n")


def test_the_time_left_on_the_bar_falls_between_reports(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "40")
    clock, stream = Clock(), Terminal()
    progress = Progress(30, 0, 1, stream, clock)
    run_steps(progress, clock, 1, 11, 1)
    progress.report(11, {"D loss": 1.0})
    assert "ETA 19 s" in stream.getvalue()
    run_steps(progress, clock, 12, 20, 1)
    progress.close()
    assert "step 20/30, 1.0 images/s  ETA 10 s  D loss 1" in stream.getvalue()


@pytest.mark.parametrize("arguments", [(0, 0, 1), (10, 11, 1), (10, -1, 1), (10, 0, 0)])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        Progress(*arguments)
