"""The wrappers that normalize spectrally, on one D: forward value, gradient, sigma at inference.

    python -m tools.compare_wrappers RECORD.json

D has 16 channels as unit and random kernels, its u the leading singular vectors. Each wrapper
gets the same kernels and u. Of each wrapper, against this package's: the largest difference of the
logits; the gradient of D's hinge loss with respect to the kernels (length, cosine, its product
with the kernel); and the largest singular value of the kernels that inference uses after one update
of Adam. On the stack of TensorFlow Addons its wrapper is among them.
"""

import argparse
import json
import pathlib
from typing import Any

import robgan_tf.cli.start  # noqa: F401  its environment settings, before TensorFlow is imported

# isort: split
import keras
import numpy as np
import tensorflow as tf

from robgan_tf.keras_versions import IS_KERAS_2
from robgan_tf.layers import hold_normalized_kernels, spectral_normalization_layers
from robgan_tf.models import ResNetDiscriminator
from robgan_tf.training.adam import Adam

WRAPPERS = ("spectral", "keras_spectral", *(("tfa_spectral",) if IS_KERAS_2 else ()))


def main() -> None:
    """Measures, prints and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("record", type=pathlib.Path)
    record = parser.parse_args().record
    found = {"tensorflow": tf.__version__, "keras": keras.__version__, "wrappers": {}}
    first = None
    for wrapper in WRAPPERS:
        measured = _measured(wrapper)
        first = first or measured
        found["wrappers"][wrapper] = _beside(measured, first)
        print(wrapper, json.dumps(found["wrappers"][wrapper]), flush=True)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(found, indent=1) + "\n")


def _discriminator(wrapper: str) -> ResNetDiscriminator:
    """D with the same kernels and u for each wrapper."""
    model = ResNetDiscriminator(
        base_width=16, widths="1, 2, 2-, 2-", normalization=wrapper, power_iterations=1
    )
    model.build()
    for number, layer in enumerate(spectral_normalization_layers(model)):
        random = np.random.default_rng(number)
        shape = tuple(layer.layer.kernel.shape)
        kernel = random.normal(size=shape, scale=0.05).astype(np.float32)
        leading = np.linalg.svd(kernel.reshape(-1, shape[-1]), full_matrices=False)[2][0]
        layer.layer.kernel.assign(kernel)
        layer.vector_u.assign(leading.reshape(tuple(layer.vector_u.shape)))
    return model


def _measured(wrapper: str) -> dict[str, Any]:
    model = _discriminator(wrapper)
    kernels = [layer.layer.kernel for layer in spectral_normalization_layers(model)]
    before = [np.array(kernel) for kernel in kernels]
    images = tf.random.stateless_uniform([64, 32, 32, 3], [0, 1], -1.0, 1.0)
    with tf.GradientTape() as tape, hold_normalized_kernels(model, advance=True):
        logits, class_logits = model(images, training=True)
        loss = tf.reduce_mean(tf.nn.relu(1.0 - logits)) + tf.reduce_mean(class_logits[:, 0])
    variables = model.trainable_variables
    gradients = tape.gradient(loss, variables)
    of = {id(variable): gradient for variable, gradient in zip(variables, gradients, strict=True)}
    of_kernels = [np.array(of[id(kernel)]) for kernel in kernels]
    optimizer = Adam(2e-4, 0.0, 0.9)
    optimizer.build(variables)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    inference = [_largest(layer.normalized_kernel()) for layer in _layers(model)]
    return {
        "logits": np.concatenate([np.array(logits)[:, None], np.array(class_logits)], axis=1),
        "gradient": np.concatenate([gradient.ravel() for gradient in of_kernels]),
        "along": float(sum(np.sum(g * w) for g, w in zip(of_kernels, before, strict=True))),
        "inference": inference,
    }


def _layers(model: ResNetDiscriminator) -> list[Any]:
    return list(spectral_normalization_layers(model))


def _largest(kernel: tf.Tensor) -> float:
    matrix = np.array(kernel, np.float64).reshape(-1, kernel.shape[-1])
    return float(np.linalg.svd(matrix, compute_uv=False)[0])


def _beside(measured: dict[str, Any], first: dict[str, Any]) -> dict[str, float]:
    one, other = measured["gradient"], first["gradient"]
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    return {
        "largest_difference_of_logits": float(np.abs(measured["logits"] - first["logits"]).max()),
        "gradient_length": lengths[0],
        "gradient_cosine_with_ours": float(one @ other) / (lengths[0] * lengths[1]),
        "gradient_times_kernel": measured["along"],
        "smallest_sigma_at_inference": min(measured["inference"]),
        "largest_sigma_at_inference": max(measured["inference"]),
    }


if __name__ == "__main__":
    main()
