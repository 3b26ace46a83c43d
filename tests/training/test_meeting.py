"""Workers wait for one another within a bound, and hear signals meanwhile."""

import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from robgan_tf.cli.launcher import free_ports
from robgan_tf.errors import LostWorkerError, UserError
from robgan_tf.training.cluster import Workers
from robgan_tf.training.meeting import meet, seconds_of_environment
from tests.in_process import ROOT, run

TINY = ROOT / "tests" / "tiny_run" / "joint.gin"


def workers(count):
    addresses = tuple(f"127.0.0.1:{port}" for port in free_ports(count))
    return [Workers(index, count, addresses) for index in range(count)]


def test_all_go_once_the_last_has_come():
    one, two, three = workers(3)
    with ThreadPoolExecutor() as pool:
        early = [pool.submit(meet, each, 60.0) for each in (two, one)]
        with pytest.raises(TimeoutError):
            early[1].result(timeout=0.6)
        pool.submit(meet, three, 60.0).result()
        for each in early:
            each.result()


def test_one_that_left_again_is_waited_for_anew():
    one, two, three = workers(3)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(meet, one, 60.0)
        with pytest.raises(LostWorkerError, match="which waits for more"):
            meet(two, 0.5)
        last = pool.submit(meet, three, 60.0)
        with pytest.raises(TimeoutError):
            first.result(timeout=0.6)
        meet(two, 60.0)
        first.result()
        last.result()


def test_one_that_never_comes_is_named():
    one, two, _ = workers(3)
    with pytest.raises(LostWorkerError) as lost:
        meet(one, 0.3)
    assert str(lost.value).startswith(
        f"worker 0 waited 0.3 s for worker 1 ({one.addresses[1]}), which has not come, "
        f"worker 2 ({one.addresses[2]}), which has not come (ROBGAN_WORKER_TIMEOUT"
    )
    with pytest.raises(LostWorkerError, match=r"for worker 0 .* cannot be reached .*refused"):
        meet(two, 0.3)


def test_ports_and_addresses_that_cannot_be_used_are_refused():
    one, _ = workers(2)
    with (
        socket.create_server(("", int(one.addresses[0].rpartition(":")[2]))),
        pytest.raises(UserError, match=r"worker 0 \(.*its port cannot be used: Address already"),
    ):
        meet(one, 60.0)
    with pytest.raises(UserError, match=r"worker 1 \(b\), which is no host:port"):
        meet(Workers(1, 2, ("a:1", "b")), 1.0)


@pytest.fixture
def first_of_two(monkeypatch):
    config = {
        "cluster": {"worker": workers(2)[0].addresses},
        "task": {"type": "worker", "index": 0},
    }
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    monkeypatch.setattr("robgan_tf.training.distribution.check_unused", lambda: None)


def test_training_ends_with_status_6_where_a_worker_never_comes(
    first_of_two, monkeypatch, tmp_path
):
    monkeypatch.setenv("ROBGAN_WORKER_TIMEOUT", "0.5")
    done = run("train", f"--gin_file={TINY}", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 6
    assert done.stderr.startswith("stopped: worker 0 waited 0.5 s for worker 1 (127.0.0.1:")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_wait(first_of_two, tmp_path, number, status):
    killer = threading.Timer(1.0, os.kill, [os.getpid(), number])
    killer.start()
    done = run("train", f"--gin_file={TINY}", f"--run_dir={tmp_path / 'run'}")
    killer.join()
    assert done.returncode == status
    assert done.stderr.startswith(f"stopped by {number.name}")


def test_a_wait_that_is_no_number_is_refused(monkeypatch):
    for text in ("soon", "0", "nan"):
        monkeypatch.setenv("ROBGAN_WORKER_TIMEOUT", text)
        with pytest.raises(UserError, match=f"ROBGAN_WORKER_TIMEOUT={text}: a number of seconds"):
            seconds_of_environment()
