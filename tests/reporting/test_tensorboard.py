import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow.python.summary.summary_iterator import summary_iterator

from robgan_tf.reporting import TensorBoardWriter


def events(log_dir):
    accumulator = EventAccumulator(str(log_dir), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def test_scalars_read_back_before_closing(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.scalars(10, {"loss_D/real_source": 0.5, "fid": tf.constant(30.25)})
    writer.scalars(20, {"loss_D/real_source": 0.25})
    read = events(tmp_path)
    assert sorted(read.Tags()["tensors"]) == ["fid", "loss_D/real_source"]
    losses = [
        (e.step, float(tf.make_ndarray(e.tensor_proto))) for e in read.Tensors("loss_D/real_source")
    ]
    assert losses == [(10, 0.5), (20, 0.25)]
    assert [float(tf.make_ndarray(e.tensor_proto)) for e in read.Tensors("fid")] == [30.25]
    writer.close()


def test_image_reads_back_before_closing(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)
    writer = TensorBoardWriter(tmp_path)
    writer.image("samples", 30, picture)
    (event,) = events(tmp_path).Tensors("samples")
    width, height, encoded = tf.make_ndarray(event.tensor_proto)
    assert (event.step, width, height) == (30, b"20", b"12")
    with Image.open(io.BytesIO(encoded)) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)
    writer.close()


def test_text_reads_back_before_closing(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.text("settings", 0, "| a | b |\n|---|---|\n| 1 | é |")
    (event,) = events(tmp_path).Tensors("settings")
    assert event.step == 0
    assert tf.make_ndarray(event.tensor_proto).item().decode() == "| a | b |\n|---|---|\n| 1 | é |"
    writer.close()


def points(log_dir):
    """Every (tag, step) of every event in the files of a folder, one after another."""
    return [
        (value.tag, event.step)
        for path in sorted(log_dir.iterdir())
        for event in summary_iterator(str(path))
        for value in event.summary.value
    ]


def session(log_dir, start_step, last_step, said=None):
    """A session of a run, as the training loop writes it; killed after its last step."""
    writer = TensorBoardWriter(log_dir, start_step, print if said is None else said.append)
    writer.text_once("configuration", start_step, "| steps | 9 |")
    for step in range(start_step + 1, last_step + 1):
        writer.scalars(step, {"a": step, "b": -step})
        if step % 2 == 0:
            writer.text("alarm", step, "the same each time")
            writer.image("samples", step, np.full([4, 5, 3], step, np.uint8))
    return writer


def expected(last_step):
    kinds = ["a", "b", "alarm", "samples"]
    rest = [(k, s) for s in range(1, last_step + 1) for k in kinds[: 4 if s % 2 == 0 else 2]]
    return [("configuration", 0), *rest]


def test_sessions_of_a_run_share_a_file_and_no_point_is_twice(tmp_path):
    for start_step, last_step in ((0, 5), (3, 4), (3, 8), (8, 8), (6, 9)):
        session(tmp_path, start_step, last_step)
    assert len(list(tmp_path.iterdir())) == 1
    assert points(tmp_path) == expected(9)
    values = [float(tf.make_ndarray(e.tensor_proto)) for e in events(tmp_path).Tensors("b")]
    assert values == [-step for step in range(1, 10)]


def test_a_point_that_was_lost_between_others_is_written(tmp_path):
    writer = session(tmp_path, 0, 2)
    writer.scalars(4, {"a": 4})
    session(tmp_path, 2, 4)
    assert sorted(points(tmp_path)) == sorted(expected(4))


def test_a_kill_at_any_byte_loses_the_event_being_written_alone(tmp_path):
    session(tmp_path / "whole", 0, 3)
    (whole,) = (tmp_path / "whole").iterdir()
    content = whole.read_bytes()
    for size in range(0, len(content) + 1, 13):
        for zeros in (0, 40):
            folder = tmp_path / f"{size}_{zeros}"
            folder.mkdir()
            (folder / whole.name).write_bytes(content[:size] + b"\0" * zeros)
            said = []
            session(folder, 0, 4, said)
            assert (len(list(folder.iterdir())), said) == (1, [])
            assert points(folder) == expected(4)


def test_a_file_that_is_damaged_is_left_and_another_begun(tmp_path):
    session(tmp_path, 0, 2)
    (old,) = tmp_path.iterdir()
    damaged = bytearray(old.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 20] = b"?" * 20
    damaged += b"?" * 1000
    old.write_bytes(damaged)
    said = []
    session(tmp_path, 0, 2, said)
    assert old.read_bytes() == damaged and "is damaged from byte" in said[0]
    (new,) = set(tmp_path.iterdir()) - {old}
    found = [value.tag for e in summary_iterator(str(new)) for value in e.summary.value]
    assert {"a", "b", "alarm", "samples"} <= set(found)


def test_files_of_an_earlier_version_are_kept_and_the_last_one_goes_on(tmp_path):
    for step in (1, 2):
        writer = tf.summary.create_file_writer(str(tmp_path), filename_suffix=f".{step}")
        with writer.as_default(step):
            tf.summary.text("configuration", "| steps | 9 |", step=0)
            tf.summary.scalar("a", float(step))
        writer.close()
    first, last = sorted(tmp_path.iterdir())
    before = first.read_bytes(), last.read_bytes()
    session(tmp_path, 0, 3)
    assert first.read_bytes() == before[0] and last.read_bytes().startswith(before[1])
    assert sorted(tmp_path.iterdir()) == [first, last]
    found = [point for point in points(tmp_path) if point[0] in ("a", "b")]
    assert sorted(found) == [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("b", 2), ("b", 3)]


def test_another_configuration_is_shown_too(tmp_path):
    for text in ("one", "one", "two", "two"):
        TensorBoardWriter(tmp_path, 5).text_once("configuration", 5, text)
    shown = [
        tf.make_ndarray(e.tensor_proto).item() for e in events(tmp_path).Tensors("configuration")
    ]
    assert shown == [b"one", b"two"]


def test_a_writer_holds_no_more_memory_after_many_points(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    for step in range(100):
        writer.scalars(step, {"a": step})
    assert not writer._points


def test_writing_after_closing_is_an_error(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.scalars(1, {"a": 1.0})


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_wrong_pictures_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="uint8"):
        TensorBoardWriter(tmp_path).image("samples", 1, wrong)


def test_the_package_imports_without_tensorflow():
    code = "import sys, robgan_tf.reporting; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
