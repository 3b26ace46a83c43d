"""Threads of operations: set in a process that has not used TensorFlow, and in no other."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from robgan_tf.training import threads

SETS = """
import os, tensorflow as tf
os.sched_getaffinity = lambda _: {0, 1}
from robgan_tf.training import threads
print(threads.no_choice(), tf.config.threading.get_intra_op_parallelism_threads())
threads.set_threads("tensorflow")
print(tf.config.threading.get_intra_op_parallelism_threads())
threads.set_threads("one_per_operation")
print(tf.config.threading.get_intra_op_parallelism_threads())
tf.constant(0.0)
threads.set_threads("one_per_operation")
threads.set_threads("tensorflow")
"""


def test_a_new_process(tmp_path):
    made = subprocess.run([sys.executable, "-c", SETS], capture_output=True, text=True, check=True)
    before = tf.config.threading.get_intra_op_parallelism_threads()
    *found, note = made.stdout.splitlines()[-4:]
    why_not = "there is a GPU" if tf.config.list_physical_devices("GPU") else None
    assert found == [f"{why_not} {before}", str(before), "1"]
    assert note.startswith("Note       threads = 'tensorflow' needs a new process")


def test_a_process_that_has_used_tensorflow_says_so_and_goes_on(capsys, monkeypatch):
    tf.constant(0.0).numpy()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert threads.no_choice()
    if tf.config.threading.get_intra_op_parallelism_threads() == 1:
        pytest.skip("operations have one thread in this process already")
    threads.set_threads("one_per_operation")
    assert "threads = 'one_per_operation' needs a new process" in capsys.readouterr().out
    assert tf.config.threading.get_intra_op_parallelism_threads() != 1


@pytest.mark.parametrize(
    ("cores", "workers", "why_not"),
    [({3}, 1, "this process has one core"), ({0, 1}, 2, "several workers"), ({0, 1}, 1, "None")],
)
def test_one_core_or_several_workers_leave_no_choice(cores, workers, why_not, monkeypatch):
    monkeypatch.setattr(threads, "_is_unused", lambda: True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [])
    hosts = ", ".join(f'"host:{number}"' for number in range(workers))
    task = '"task": {"type": "worker", "index": 0}'
    monkeypatch.setenv("TF_CONFIG", f'{{"cluster": {{"worker": [{hosts}]}}, {task}}}')
    assert why_not in str(threads.no_choice())
