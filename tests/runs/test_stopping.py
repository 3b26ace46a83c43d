"""Signals and deadlines around a command and around training; without TensorFlow."""

import signal
import subprocess
import sys
import threading

import pytest

from robgan_tf.runs.stopping import StoppedError, StopRequest, interruptible, keeping, kept
from tests.in_process import ROOT

# A call that holds Python up for minutes, as a step of a large network may.
LONG_CALL = """
import hashlib, os, signal, threading, time
from robgan_tf.runs.stopping import interruptible
signals = {signals}
def send():
    for number in signals:
        time.sleep({pause})
        os.kill(os.getpid(), number)
threading.Thread(target=send).start()
with interruptible():
    hashlib.pbkdf2_hmac("sha256", b"", b"", {rounds})
    print("the call has ended", flush=True)
"""


def ended(**values):
    program = LONG_CALL.format(**values)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_ends_a_command_by_an_exception(number):
    before = signal.getsignal(number)
    with pytest.raises(StoppedError) as stopped, interruptible(), keeping("all of it"):
        with keeping("one file"):
            signal.raise_signal(number)
        raise AssertionError("went on")
    assert stopped.value.exit_status == 128 + number
    assert kept(stopped.value) == "one file"
    assert signal.getsignal(number) is before


def test_a_second_signal_leaves_at_once_within_a_call_that_python_waits_for():
    process = ended(signals=[15, 2], pause=0.2, rounds=10**9)
    assert process.returncode == 130
    assert process.stderr == "SIGINT again: left at once; what was saved before is safe\n"
    assert process.stdout == ""


SENT_TWICE = """
import os, signal, sys, time
from robgan_tf.runs.stopping import StopRequest, StoppedError, interruptible
def send(*pauses):
    for pause in pauses:
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGTERM)
with interruptible(), StopRequest() as stop:
    send(0, 0.01)
    time.sleep(0.2)
    print("saved", stop.is_due(), stop.reason)
try:
    with interruptible():
        try:
            send(0)
        finally:
            send(0.01)
            print("cleaned up")
except StoppedError:
    print("stopped", flush=True)
with interruptible(), StopRequest() as stop:
    send(0, 0.5)
    time.sleep(60)
"""


def test_a_signal_sent_to_a_process_and_to_its_group_is_one():
    process = subprocess.run(
        [sys.executable, "-c", SENT_TWICE], cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert process.stdout == "saved True SIGTERM\ncleaned up\nstopped\n"
    assert process.stderr == "SIGTERM again: left at once; what was saved before is safe\n"
    assert process.returncode == 143


def test_it_is_said_that_a_long_call_is_finished_first(monkeypatch):
    monkeypatch.setattr("robgan_tf.runs.stopping._PATIENCE_SECONDS", 0.0)
    said, waiting = [], threading.Event()

    def say(line):
        said.append(line)
        waiting.set()

    monkeypatch.setattr("robgan_tf.runs.stopping._say", say)
    with interruptible(), StopRequest() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert waiting.wait(10)
    assert stop.received == signal.SIGTERM
    assert said == ["SIGTERM: the call under way is finished first; another signal leaves at once"]


def test_training_goes_on_to_the_end_of_its_step():
    with interruptible(), StopRequest() as stop:
        assert not stop.is_due()
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_due() and stop.reason == "SIGTERM" and stop.exit_status == 143
    with pytest.raises(StoppedError), interruptible():
        with StopRequest() as stop:
            pass
        # Training has ended; what follows it does not wait for a step.
        signal.raise_signal(signal.SIGINT)


def test_time_is_up_before_a_step_as_long_as_the_longest_would_miss_the_deadline():
    now = iter([0.0, 3.0, 4.0, 5.0, 6.0, 7.0])
    stop = StopRequest(deadline=9.0, clock=lambda: next(now))
    assert [stop.is_due() for _ in range(5)] == [False, False, False, True, True]
    assert stop.exit_status == 75 and "--max_hours" in stop.reason


def test_in_another_thread_signals_are_left_alone():
    before, found = signal.getsignal(signal.SIGINT), []

    def other():
        with interruptible():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert found == [before]
