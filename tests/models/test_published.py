"""The published forms of the networks against the numbers that the published code computed."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.models import PreActResNet18, ResNetDiscriminator, ResNetGenerator
from tests.published import (
    Published,
    channels_first,
    channels_last,
    golden,
    largest_difference,
    projection_weights,
    wave,
)

TOLERANCE = 1e-9
D = {"num_classes": 10, "form": "official_code"}
BATCH = {**D, "normalization": "batch"}
NONE = {**D, "normalization": "none"}
LARGE = {"widths": "official_1000_classes"}
DISCRIMINATORS = {
    "D_32_bn": {"resolution": 32, "base_width": 4, **BATCH},
    "D_128_bn": {"resolution": 128, "base_width": 2, **LARGE, **BATCH},
    "D_32": {"resolution": 32, "base_width": 4, **NONE},
    "D_64": {"resolution": 64, "base_width": 4, **NONE},
    "D_128": {"resolution": 128, "base_width": 2, **NONE},
}
GENERATORS = {
    "G_32": {"resolution": 32, "base_width": 4},
    "G_64": {"resolution": 64, "base_width": 4},
    "G_128": {"resolution": 128, "base_width": 2},
    "G_128_imagenet": {"resolution": 128, "base_width": 2, **LARGE},
}


def outputs_of_discriminator(model, images, training):
    source, classes = model(images, training=training)
    return {"source": source, "class": classes}, [(source, 0.1), (classes, 0.5)]


def outputs_of_generator(model, latents, training):
    labels = tf.constant([(3 * n + 1) % 10 for n in range(3)])
    images = model(latents, labels, training=training)
    return {"images": images}, [(tf.transpose(images, [0, 3, 1, 2]), 0.1)]


def in_their_axes(values):
    values = np.asarray(values)
    return channels_first(values) if values.ndim == 4 else values


def differences(published, case, mode, outputs_of, first, input_name):
    """{key: largest difference} of every number that the file has of a mode."""
    stored, model = golden(case), published.model
    names = [name for name in published.shapes if _has(stored, f"{mode}.gradient.{name}")]
    variables = [published.variable(name) for name in names]
    with tf.GradientTape() as tape:
        tape.watch(first)
        outputs, terms = outputs_of(model, first, mode == "train")
        projected = sum(
            tf.reduce_sum(values * projection_weights(values.shape, phase))
            for values, phase in terms
        )
    of_first, *gradients = tape.gradient(projected, [first, *variables])
    found = {f"{mode}.{key}": in_their_axes(value) for key, value in outputs.items()}
    found[f"{mode}.projection"] = projected
    found[f"{mode}.gradient.{input_name}"] = in_their_axes(of_first)
    for name, gradient in zip(names, gradients, strict=True):
        found[f"{mode}.gradient.{name}"] = published.to_theirs(name, gradient)
    for name in published.shapes:
        if f"{mode}.after.{name}" in stored:
            found[f"{mode}.after.{name}"] = published.variable(name)
    keys = {key.removesuffix(".stride") for key in stored if key.startswith(f"{mode}.")}
    keys = {key for key in keys if not key.endswith((".samples", ".sums", "tracked", ".pooled"))}
    assert keys == set(found)
    return {key: largest_difference(stored, key, *found_at(key, found)) for key in found}


def found_at(key, found):
    # A bias before batch normalization has a gradient of rounding error alone.
    no_gradient = key.startswith("train.gradient.block") and key.endswith(
        ("c1.bias", "c2.bias", "c_sc.bias")
    )
    return found[key], no_gradient


def _has(stored, key):
    return key in stored or f"{key}.stride" in stored


def of_discriminator(case, mode, **options):
    model = ResNetDiscriminator(**{**DISCRIMINATORS[case], **options})
    model.build()
    published = Published(model, case, "discriminator")
    images = tf.constant(channels_last(wave(3, 3, model.resolution, model.resolution)))
    return differences(published, case, mode, outputs_of_discriminator, images, "images")


def of_generator(case, mode, form="official_code"):
    model = ResNetGenerator(num_classes=10, form=form, **GENERATORS[case])
    model.build()
    published = Published(model, case, "generator")
    latents = tf.constant(1.5 * wave(3, model.latent_size))
    return differences(published, case, mode, outputs_of_generator, latents, "latents")


def of_preact(form="official_code"):
    model = PreActResNet18(form=form)
    model.build()
    published = Published(model, "PreActResNet18", "discriminator")
    images = tf.constant(channels_last(wave(2, 3, 32, 32)))
    found = differences(
        published, "PreActResNet18", "eval", outputs_of_discriminator, images, "images"
    )
    stored = golden("PreActResNet18")
    pooled = largest_difference(stored, "eval.pooled", model.features(images))
    return {**found, "eval.pooled": pooled}


@pytest.mark.parametrize(
    ("case", "mode"),
    [(case, "eval") for case in DISCRIMINATORS] + [("D_32_bn", "train"), ("D_128_bn", "train")],
)
def test_the_published_discriminator(case, mode, in_float64):
    found = of_discriminator(case, mode)
    assert max(found.values()) <= TOLERANCE, found


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("case", GENERATORS)
def test_the_published_generator(case, mode, in_float64):
    found = of_generator(case, mode)
    assert max(found.values()) <= TOLERANCE, found


def test_the_published_preact_resnet18(in_float64):
    found = of_preact()
    assert max(found.values()) <= TOLERANCE, found
