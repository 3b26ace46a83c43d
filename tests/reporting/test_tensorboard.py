import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

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


def test_a_later_session_adds_a_file(tmp_path):
    first = TensorBoardWriter(tmp_path / "logs")
    first.scalars(1, {"a": 1.0})
    first.close()
    (old,) = (tmp_path / "logs").iterdir()
    before = old.read_bytes()
    second = TensorBoardWriter(tmp_path / "logs")
    second.scalars(2, {"a": 2.0})
    second.flush()
    second.close()
    assert len(list((tmp_path / "logs").iterdir())) == 2
    assert old.read_bytes() == before


def test_writing_after_closing_is_an_error(tmp_path):
    writer = TensorBoardWriter(tmp_path)
    writer.close()
    with pytest.raises(RuntimeError, match="closed"):
        writer.scalars(1, {"a": 1.0})


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8)])
def test_wrong_pictures_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="uint8"):
        TensorBoardWriter(tmp_path).image("samples", 1, wrong)


def test_the_package_imports_without_tensorflow():
    code = "import sys, robgan_tf.reporting; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
