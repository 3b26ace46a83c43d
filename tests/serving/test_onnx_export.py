"""ONNX models in ONNX Runtime, against the Keras models they were made of."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.models import PreActResNet18, ResNetDiscriminator, ResNetGenerator
from robgan_tf.serving import export_run
from robgan_tf.serving.classifier_signatures import (
    classifier_signatures,
    discriminator_signatures,
)
from robgan_tf.serving.export_run import export_parts
from robgan_tf.serving.exported_parts import ExportedPart
from robgan_tf.serving.generator_signatures import generator_signatures
from robgan_tf.serving.model_card import parameter_count
from robgan_tf.serving.onnx_export import converted, onnx_part

ROOT = pathlib.Path(__file__).parents[2]
NAMES = tuple("abcdefghij")
# Rounding: measured were up to 5e-5, at 128x128. A step of a byte image is 8e-3.
DIFFERENCE = 1e-4
MISSING = [name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
with_onnx = pytest.mark.skipif(
    bool(MISSING),
    reason=f"{' and '.join(MISSING)} not installed: pip install 'robgan_tf[onnx]'",
)


def of_any_variables(model):
    """Builds a model whose biases, averages and classes are not the 0 and 1 they start as."""
    keras.utils.set_random_seed(0)
    model.build()
    random = np.random.default_rng(0)
    for variable in model.variables:
        if variable.name in ("beta", "bias", "moving_mean"):
            variable.assign(random.normal(0.0, 0.3, variable.shape))
        elif variable.name in ("gamma", "moving_variance"):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    return model


def generator(**arguments):
    settings = {"base_width": 4, "widths": "2; 2, 1-, 1", "latent_size": 8, **arguments}
    return of_any_variables(ResNetGenerator(16, 3, 10, **settings))


def discriminator(**arguments):
    settings = {"base_width": 4, "widths": "1, 2, 2-", "normalization": "none", **arguments}
    return of_any_variables(ResNetDiscriminator(16, 3, 10, **settings))


def part_of(model, signatures, realness=None):
    return onnx_part(ExportedPart(model, signatures, "A model.", realness))


def in_onnx_runtime(model, inputs):
    """Outputs of the bytes of an ONNX model."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def assert_same(outputs, expected):
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        assert outputs[name].shape == value.shape and outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], value, rtol=0, atol=DIFFERENCE, err_msg=name)


def free_and_fixed_sizes(values):
    return {
        value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in values
    }


# From 64 channels on, the convolution to pixels is a 1x1 one and a sum of shifts.
GENERATORS = {
    "tiny": {},
    "to pixels of 64 channels": {"base_width": 64, "widths": "1; 1, 1"},
}


@with_onnx
@pytest.mark.parametrize("arguments", GENERATORS.values(), ids=GENERATORS)
def test_images_in_onnx_runtime_are_the_generators(arguments):
    model = generator(**arguments)
    converted_model = converted(part_of(model, generator_signatures(model)).signatures["generate"])
    graph = converted_model.graph
    assert free_and_fixed_sizes(graph.input) == {"latents": ["N", 8], "labels": ["N"]}
    assert free_and_fixed_sizes(graph.output) == {"images": ["N", 16, 16, 3]}
    for count in (1, 5):
        latents = np.random.default_rng(count).normal(size=[count, 8]).astype(np.float32)
        labels = np.arange(count, dtype=np.int64) * 2 + 1
        images = model(latents, labels.astype(np.int32), training=False).numpy()
        outputs = in_onnx_runtime(
            converted_model.SerializeToString(), {"latents": latents, "labels": labels}
        )
        assert_same(outputs, {"images": images})


CLASSIFIERS = {
    "discriminator": discriminator,
    "from pixels to 64 channels": lambda: discriminator(base_width=64, widths="1, 1"),
    "batch normalization": lambda: discriminator(normalization="batch", use_bias=True),
    "PreActResNet-18": lambda: of_any_variables(
        PreActResNet18(16, 3, 10, base_width=4, normalization="batch")
    ),
}


@with_onnx
@pytest.mark.parametrize("build", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_logits_in_onnx_runtime_are_the_classifiers(build):
    model = build()
    part = part_of(model, classifier_signatures(model, NAMES, tf.sigmoid), tf.sigmoid)
    converted_model = converted(part.signatures["classify"])
    assert free_and_fixed_sizes(converted_model.graph.input) == {"images": ["N", 16, 16, 3]}
    for count in (1, 5):
        images = np.random.default_rng(count).uniform(-1.0, 1.0, [count, 16, 16, 3])
        images = images.astype(np.float32)
        source_logits, logits = model(images, training=False)
        expected = {
            "logits": logits.numpy(),
            "probabilities": tf.nn.softmax(logits).numpy(),
            "realness": tf.sigmoid(source_logits).numpy(),
        }
        assert_same(
            in_onnx_runtime(converted_model.SerializeToString(), {"images": images}), expected
        )


@with_onnx
def test_what_is_written_is_one_model_and_its_card(tmp_path, monkeypatch):
    model = discriminator()
    part = ExportedPart(model, discriminator_signatures(model, tf.sigmoid), "A model.", tf.sigmoid)
    monkeypatch.setattr(export_run, "read_evaluations", lambda run: {})
    monkeypatch.setattr(export_run, "build_part", lambda run, name, class_names: part)
    monkeypatch.setattr(
        export_run, "model_card",
        lambda run, name, part, class_names, measured: {
            "name": name, "description": part.description, "made_by": "a test", "run": "a run",
            "parameters": parameter_count(part.model), "resolution": 16, "channels": 3,
            "class_names": class_names, "signatures": {}, "measured": measured,
        },
    )  # fmt: skip
    for version in ("1", "2"):
        paths = export_parts(
            SimpleNamespace(is_joint=False), NAMES, tmp_path, ["discriminator"], file_format="onnx"
        )
        path = tmp_path / "discriminator_onnx" / version
        assert paths == {"discriminator": path}
        names = {entry.name for entry in path.iterdir()}
        assert names == {"model.onnx", "model_card.json", "model_card.md"}
    # A server of SavedModels that watches <base>/<part> finds no version without one.
    assert [entry.name for entry in tmp_path.iterdir()] == ["discriminator_onnx"]
    assert "does not check" in json.loads((path / "model_card.json").read_text())["description"]
    images = np.random.default_rng(0).uniform(-1.0, 1.0, [5, 16, 16, 3]).astype(np.float32)
    source_logits, class_logits = model(images, training=False)
    expected = {
        "source_logits": source_logits.numpy(),
        "realness": tf.sigmoid(source_logits).numpy(),
        "class_logits": class_logits.numpy(),
    }
    written = (path / "model.onnx").read_bytes()
    assert_same(in_onnx_runtime(written, {"images": images}), expected)
    # Up to 16/9 where a 3x3 kernel became a 4x4 one; and not one weight twice.
    assert 4 * parameter_count(model) < len(written) < 4 * 16 / 9 * parameter_count(model) + 10_000


def test_a_part_keeps_one_signature_without_checks_or_names():
    model = discriminator()
    for realness in (None, tf.sigmoid):
        part = part_of(model, classifier_signatures(model, NAMES, realness), realness)
        ((name, function),) = part.signatures.items()
        concrete = function.get_concrete_function()
        kept = {"logits", "probabilities"} | ({"realness"} if realness else set())
        assert name == "classify" and set(concrete.structured_outputs) == kept
        assert not [x.type for x in concrete.graph.get_operations() if "Assert" in x.type]
    assert part.description.startswith("A model. ONNX")


def test_without_tf2onnx_one_line_says_what_to_install(tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    # Found before an installed one: the test is the same everywhere.
    (hidden / "tf2onnx.py").write_text("raise ModuleNotFoundError(\"No module named 'tf2onnx'\")\n")
    process = subprocess.run(
        [sys.executable, "-m", "robgan_tf.export", f"--run_dir={tmp_path}", "--format=onnx",
         f"--export_dir={tmp_path / 'exports'}"],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(hidden)},
    )  # fmt: skip
    assert process.returncode == 2 and "Traceback" not in process.stderr
    assert "pip install 'robgan_tf[onnx]'" in process.stderr.splitlines()[-1]
    assert not (tmp_path / "exports").exists()
