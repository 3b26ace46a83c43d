"""ONNX files under black-box attacks, against the Keras model that they were made of."""

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf.errors import UserError
from robgan_tf.robustness.pixel_range import InputRange
from robgan_tf.robustness.subject_files import open_classifier
from tests.adapters.test_numpy_functions import square

onnx = pytest.importorskip("onnx", reason="pip install 'robgan_tf[onnx]'")
pytest.importorskip("onnxruntime", reason="pip install 'robgan_tf[onnx]'")

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(0.0, 0.3, [5, 3, 8, 8]).astype(np.float32)  # of images 8 x 8
IMAGES = RANDOM.uniform(-1, 1, [30, 8, 8, 3]).astype(np.float32)


def in_tensorflow(images):
    return tf.einsum("nhwc,kchw->nk", images, KERNEL)


LABELS = np.asarray(in_tensorflow(IMAGES)).argmax(axis=1)


def write(path, layout="NCHW", batch="N", outputs=("scores",)):
    kernel = KERNEL if layout == "NCHW" else KERNEL.transpose(0, 2, 3, 1)
    matrix = onnx.numpy_helper.from_array(kernel.reshape(5, -1).T.copy(), "matrix")
    shape = [batch, 3, 8, 8] if layout == "NCHW" else [batch, 8, 8, 3]
    node = onnx.helper.make_node
    nodes = [node("Flatten", ["x"], ["flat"])]
    nodes += [node("MatMul", ["flat", "matrix"], [name]) for name in outputs]
    kind = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "linear",
        [onnx.helper.make_tensor_value_info("x", kind, shape)],
        [onnx.helper.make_tensor_value_info(name, kind, [batch, 5]) for name in outputs],
        [matrix],
    )
    opset = onnx.helper.make_opsetid("", 15)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"layout": "NHWC"},
        {"batch": 7},
        {"outputs": ("other", "logits")},
    ],
    ids=["NCHW", "NHWC", "batches of 7", "two outputs"],
)
def test_logits_are_those_of_tensorflow(form, tmp_path, capsys):
    path = write(tmp_path / "model.onnx", **form)
    classifier = open_classifier(path, InputRange(0.0, 1.0))
    expected = in_tensorflow((IMAGES + 1.0) / 2.0)
    np.testing.assert_allclose(classifier.logits(IMAGES), expected, rtol=1e-4, atol=1e-4)
    assert f"model.onnx takes images as {form.get('layout', 'NCHW')}" in capsys.readouterr().out


def test_square_finds_what_it_finds_in_tensorflow(tmp_path):
    classifier = open_classifier(write(tmp_path / "model.onnx"), InputRange())
    found = square(classifier.logits, IMAGES, LABELS)
    np.testing.assert_allclose(found, square(in_tensorflow, IMAGES, LABELS), atol=1e-6)
    assert (np.asarray(in_tensorflow(found)).argmax(axis=1) != LABELS).any()


def test_what_is_refused(tmp_path):
    whole = write(tmp_path / "model.onnx")
    (tmp_path / "garbage.onnx").write_bytes(b"nothing")
    for path, images, protocol, message in (
        (whole, IMAGES, "published", "model.onnx cannot be differentiated, as .*'square'"),
        (whole, IMAGES[:, :3], "square", r"takes inputs of shape \['N', 3, 8, 8\]; images are"),
        (tmp_path / "garbage.onnx", IMAGES, "square", "garbage.onnx cannot be loaded"),
        (
            write(tmp_path / "two.onnx", outputs=("a", "b")),
            IMAGES,
            "square",
            "gives a, b; one output, or one called logits",
        ),
    ):
        with pytest.raises(UserError, match=message) as error:
            robgan_tf.robust_accuracy(path, images, LABELS, 0.1, protocol=protocol)
        assert "\n" not in str(error.value)
