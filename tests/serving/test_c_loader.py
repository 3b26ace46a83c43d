"""Calls through TensorFlow's C API, against the same functions called in Python."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from robgan_tf.keras_versions import IS_KERAS_2
from tests.serving import example_model
from tools.serving_c.c_loader import TensorInfo, read_signatures

ROOT = pathlib.Path(__file__).parents[2]
INVALID_ARGUMENT, FAILED_PRECONDITION = 3, 9

ARGUMENTS = {
    "affine": {"x": np.array([[1, -2, 0.5], [3, 0, 1e-3]], np.float32)},
    "types": {
        "double": np.array([0.1, 1e-9, 3.0]),
        "int": np.array([-5, 2**30], np.int32),
        "long": np.array([-1, 7], np.int64),
        "pixel": np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1),
        "flag": np.array([True, False]),
    },
    # Short strings lie within a TF_TString, long ones outside it.
    "strings": {"text": np.array([b"", b"short", b"\x00\xff" * 500], object)},
    "counted": {"count": np.array(3, np.int32)},
    "logarithm": {"x": np.array([0.0, -1.0, 2.5, np.inf], np.float32)},
}

# Run where there is no TensorFlow of Python: wrong calls, each followed by a good one.
WRONG_CALLS = """
import json, sys
import numpy as np
from tools.serving_c.c_loader import LoadedModel, TensorFlowError

good = {"x": np.ones([2, 3], np.float32)}
wrong = {
    "type": ("affine", {"x": np.ones([2, 3])}),
    "rank": ("affine", {"x": np.ones([3], np.float32)}),
    "width": ("affine", {"x": np.ones([2, 4], np.float32)}),
    "missing": ("affine", {}),
    "extra": ("affine", {**good, "y": np.ones([1])}),
    "assertion": ("counted", {"count": np.array(9, np.int32)}),
    "proto": ("affine", {"x": b"not a TensorProto"}),
    "signature": ("nothing", good),
}
found = {}
with LoadedModel(sys.argv[1]) as model:
    for name, call in wrong.items():
        try:
            model.run(*call)
        except TensorFlowError as error:
            found[name] = [error.code, error.message]
        assert model.run("affine", good)["y"].shape == (2, 2)
assert "tensorflow" not in sys.modules
print(json.dumps(found))
"""


def python(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def c_loader(*arguments):
    return python("-m", "tools.serving_c.c_loader", *arguments)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    return folder, example_model.save(folder)


def test_values_are_those_of_python(example, tmp_path):
    folder, module = example
    calls = []
    for name, arguments in ARGUMENTS.items():
        np.savez(tmp_path / f"{name}.npz", **arguments)
        calls += [name, tmp_path / f"{name}.npz", tmp_path / f"{name}_out.npz"]
    process = c_loader(folder, *calls)
    assert process.returncode == 0, process.stderr
    for name, arguments in ARGUMENTS.items():
        expected = getattr(module, name)(**{key: tf.constant(a) for key, a in arguments.items()})
        with np.load(tmp_path / f"{name}_out.npz", allow_pickle=True) as found:
            assert set(found) == set(expected)
            for key, value in expected.items():
                assert found[key].dtype == value.numpy().dtype
                if value.dtype == tf.string:
                    assert found[key].tolist() == value.numpy().tolist()
                else:
                    np.testing.assert_allclose(found[key], value, rtol=1e-6, atol=1e-6)


def test_signatures(example):
    process = c_loader(example[0])
    assert process.returncode == 0, process.stderr
    signatures = json.loads(process.stdout)
    assert set(signatures) == {"serving_default", *example_model.NAMES}
    assert signatures["counted"]["inputs"] == {"count": ["counted_count:0", "int32", []]}
    found = {name: info[1:] for name, info in signatures["types"]["outputs"].items()}
    assert found == {
        "double": ["float64", [None]],
        "int": ["int32", [None]],
        "long": ["int64", [None]],
        "pixel": ["uint8", [None, 2, 2, 1]],
        "flag": ["bool", [None]],
    }


def test_signatures_are_read_from_any_message():
    message = meta_graph_pb2.MetaGraphDef()
    message.meta_info_def.tensorflow_version = "2.21.0"
    signature = message.signature_def["s"]
    signature.inputs["open"].CopyFrom(
        meta_graph_pb2.TensorInfo(name="a:1", dtype=7, tensor_shape={"unknown_rank": True})
    )
    signature.inputs["wide"].CopyFrom(
        meta_graph_pb2.TensorInfo(
            name="b:0", dtype=14, tensor_shape={"dim": [{"size": -1}, {"size": 0}, {"size": 300}]}
        )
    )
    message.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "NoOp"
    (found,) = read_signatures(message.SerializeToString()).values()
    assert found.outputs == {}
    assert found.inputs == {
        "open": TensorInfo("a:1", "string", None),
        "wide": TensorInfo("b:0", "14", (None, 0, 300)),
    }


def test_wrong_calls_raise_the_status_and_leave_the_model_usable(example):
    process = python("-c", WRONG_CALLS, example[0])
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    codes = {name: code for name, (code, _) in found.items()}
    names = ["type", "rank", "width", "missing", "extra", "assertion", "proto"]
    assert codes == {**dict.fromkeys(names, INVALID_ARGUMENT), "signature": FAILED_PRECONDITION}
    assert "Expects arg[0] to be float but double is provided" in found["type"][1]
    assert "count must be below 4" in found["assertion"][1]


def test_what_only_python_loads_fails(tmp_path):
    """A Module that holds a model of Keras 3: it loads, and its variables are not there."""
    example_model.save_keras_in_module(tmp_path / "model")
    x = np.ones([1, 3], np.float32)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert loaded.signatures["serving_default"](x=tf.constant(x))["output_0"].shape == (1, 2)
    np.savez(tmp_path / "in.npz", x=x)
    process = c_loader(
        tmp_path / "model", "serving_default", tmp_path / "in.npz", tmp_path / "out.npz"
    )
    if IS_KERAS_2:  # It tracks its variables as TensorFlow does.
        assert process.returncode == 0
        return
    assert process.returncode == 1
    error = json.loads(process.stdout)
    assert error["code"] == FAILED_PRECONDITION
    assert "Could not find variable" in error["message"]


def test_no_model(tmp_path):
    process = c_loader(tmp_path)
    assert process.returncode == 1
    assert "Could not find SavedModel" in json.loads(process.stdout)["message"]
