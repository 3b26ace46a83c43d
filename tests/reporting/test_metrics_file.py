import json
import math

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.reporting import MetricsFile, read_metrics


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_lines_are_readable_at_once_by_other_programs(tmp_path):
    path = tmp_path / "new" / "run" / "metrics.jsonl"
    metrics = MetricsFile(path)
    assert metrics.last_step == 0
    assert metrics.write(10, {"loss_D/real_source": 0.1, "images": 640})
    assert lines_of(path) == [{"step": 10, "loss_D/real_source": 0.1, "images": 640}]
    assert metrics.write(20, {"loss_D/real_source": -2.5})
    assert lines_of(path)[1] == {"step": 20, "loss_D/real_source": -2.5}
    assert metrics.last_step == 20
    assert read_metrics(path) == lines_of(path)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (np.int64(3), "3"),
        (tf.constant(3), "3"),
        (3.0, "3.0"),
        (np.float32(0.5), "0.5"),
        (tf.constant(0.5), "0.5"),
        (tf.Variable(0.5), "0.5"),
        (np.array(0.25), "0.25"),
        (tf.constant(0.5, tf.bfloat16), "0.5"),
        (np.uint8(255), "255"),
        (10**17 + 1, "100000000000000001"),
    ],
)
def test_numbers_of_all_libraries(tmp_path, value, text):
    MetricsFile(tmp_path / "m").write(1, {"value": value})
    assert (tmp_path / "m").read_text() == f'{{"step": 1, "value": {text}}}\n'


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float32("nan"), tf.constant(math.nan)]
)
def test_infinite_and_nan_are_refused_by_name_and_leave_no_trace(tmp_path, value):
    metrics = MetricsFile(tmp_path / "m")
    metrics.write(1, {"fid": 3.5})
    before = (tmp_path / "m").read_bytes()
    with pytest.raises(ValueError, match="'fid' must be finite"):
        metrics.write(2, {"good": 1.0, "fid": value})
    assert (tmp_path / "m").read_bytes() == before
    assert metrics.last_step == 1


@pytest.mark.parametrize(
    "value", ["3.5", None, True, np.bool_(True), b"3", [1.0, 2.0], np.zeros(2)]
)
def test_other_than_numbers_are_refused_by_name(tmp_path, value):
    with pytest.raises(TypeError, match="'fid' must be a number"):
        MetricsFile(tmp_path / "m").write(1, {"fid": value})


def test_bad_names_and_steps_are_refused(tmp_path):
    metrics = MetricsFile(tmp_path / "m")
    with pytest.raises(ValueError, match='"step"'):
        metrics.write(1, {"step": 2})
    with pytest.raises(ValueError, match="-1"):
        metrics.write(-1, {})
    with pytest.raises(TypeError):
        metrics.write(1.5, {})
    with pytest.raises(TypeError, match="name"):
        metrics.write(1, {7: 1.0})
    assert not (tmp_path / "m").exists()


def test_recomputed_steps_of_a_resumed_run_are_skipped(tmp_path):
    first = MetricsFile(tmp_path / "m")
    first.write(10, {"a": 1.0})
    first.write(20, {"a": 2.0})
    before = (tmp_path / "m").read_bytes()
    resumed = MetricsFile(tmp_path / "m")
    assert resumed.last_step == 20
    assert not resumed.write(10, {"a": 8.0})
    assert not resumed.write(20, {"a": 9.0})
    assert (tmp_path / "m").read_bytes() == before
    assert resumed.write(30, {"a": 3.0})
    # A line that was lost is written where it was.
    assert resumed.write(15, {"a": 1.5})
    assert not MetricsFile(tmp_path / "m").write(15, {"a": 1.5})
    assert [(line["step"], line["a"]) for line in lines_of(tmp_path / "m")] == [
        (10, 1.0),
        (15, 1.5),
        (20, 2.0),
        (30, 3.0),
    ]


def test_step_0_is_not_taken_for_one_already_written(tmp_path):
    metrics = MetricsFile(tmp_path / "m")
    assert metrics.write(0, {"fid": 300.0})
    assert not metrics.write(0, {"fid": 300.0})
    assert not MetricsFile(tmp_path / "m").write(0, {"fid": 300.0})


def test_a_kill_at_any_byte_loses_only_the_line_being_written(tmp_path):
    whole = b'{"step": 1, "a": 1.5}\n{"step": 2, "\\u00e9": 2.5}\n'
    first_line = whole.index(b"\n") + 1
    for size in range(first_line, len(whole) + 1):
        path = tmp_path / f"{size}.jsonl"
        path.write_bytes(whole[:size])
        read_before = read_metrics(path)
        assert path.read_bytes() == whole[:size]  # reading changes nothing
        metrics = MetricsFile(path)
        complete = size >= len(whole) - 1  # only the newline may be missing
        assert path.read_bytes() == (whole if complete else whole[:first_line])
        assert metrics.last_step == (2 if complete else 1)
        assert read_metrics(path) == read_before
        assert metrics.write(3, {"a": 3.5})
        assert [line["step"] for line in lines_of(path)] == ([1, 2, 3] if complete else [1, 3])


@pytest.mark.parametrize("zeros", [1, 4096])
def test_zeros_of_a_power_cut_are_no_lines(tmp_path, zeros):
    whole = b'{"step": 1, "a": 1.5}\n{"step": 2, "a": 2.5}\n'
    for size in range(len(whole) - 30, len(whole) + 1):
        path = tmp_path / f"{size}.jsonl"
        path.write_bytes(whole[:size] + b"\0" * zeros)
        read_before = read_metrics(path)
        said = []
        MetricsFile(path, said.append).write(2, {"a": 2.5})
        assert [line["step"] for line in read_before] in ([1], [1, 2], [])
        assert path.read_bytes() == whole[-22:] if not read_before else whole
        assert not said and [entry for entry in tmp_path.iterdir() if "damaged" in entry.name] == []
    # A version before may have written on after them.
    path.write_bytes(whole[:22] + b"\0" * zeros + whole[22:])
    assert MetricsFile(path).last_step == 2
    assert path.read_bytes().count(b"\n") == 2


BAD = [
    (b'{"step": 1}\n{"step": 2, "a\n{"step": 3}\n', 2, [1, 3]),
    (b'{"step": 1}\n{"step": 2, "a": 1\n', 2, [1]),  # ends with a line break: no kill did that
    (b'{"step": 1}\n\n{"step": 3}\n', 2, [1, 3]),
    (b'{"a": 1}\n', 1, []),
    (b'{"step": 1.5}\n', 1, []),
    (b"[1]\n", 1, []),
    (b"[" * 10000 + b"\n", 1, []),
    (b'{"step": 1}\n\xff\xfe\n', 2, [1]),
    (b'{"step": 5}\n{"step": 5, "a": 1}\n', 2, [5]),
    (b'{"step": 5}\n{"step": 6}\n{"step": 4}', 3, [5, 6]),
    (b'{"step": 5}\n{"step": 5000}\n{"step": 6}\n{"step": 7}\n', 2, [5, 6, 7]),
    (b'{"step": 1}\nsome notes of mine', 2, [1]),
    (b"\x89PNG", 1, []),
    (b'{"step": 1}\nbroken\n{"step": 3, "a', 2, [1]),
]


@pytest.mark.parametrize(("content", "line", "left"), BAD)
def test_a_reader_names_a_damaged_line_and_leaves_the_file_alone(tmp_path, content, line, left):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"metrics\.jsonl, line {line}: .*; training on mends it"):
        read_metrics(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("content", "line", "left"), BAD)
def test_training_on_moves_damaged_lines_aside_and_keeps_the_others(tmp_path, content, line, left):
    path, said = tmp_path / "metrics.jsonl", []
    path.write_bytes(content)
    metrics = MetricsFile(path, said.append)
    assert [record["step"] for record in lines_of(path)] == left
    assert len(said) == 1 and f"(line {line}: " in said[0] and "metrics.damaged.jsonl" in said[0]
    kept = path.read_bytes() + (tmp_path / "metrics.damaged.jsonl").read_bytes()
    # Nothing is lost but a line that a kill cut short.
    wanted = content.removesuffix(b'{"step": 3, "a').split(b"\n")
    assert sorted(filter(None, kept.split(b"\n"))) == sorted(filter(None, wanted))
    assert metrics.write(9000, {"a": 1.0})
    assert MetricsFile(path, said.append).last_step == 9000 and len(said) == 1


def test_reading_a_missing_file_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"nothing\.jsonl"):
        read_metrics(tmp_path / "nothing.jsonl")


def test_opening_an_empty_file(tmp_path):
    (tmp_path / "m").write_bytes(b"")
    assert MetricsFile(tmp_path / "m").last_step == 0
    assert read_metrics(tmp_path / "m") == []
