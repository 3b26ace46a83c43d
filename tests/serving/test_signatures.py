"""What exported models answer, against the networks themselves."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from robgan_tf.latents import truncated_normal
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator
from robgan_tf.reporting import png
from robgan_tf.serving.classifier_signatures import classifier_signatures
from robgan_tf.serving.exported_parts import build_part
from robgan_tf.serving.generator_signatures import generator_signatures
from tests import tiny

NAMES = tuple("abcdefghij")


def discriminator(normalization="spectral", **arguments):
    keras.utils.set_random_seed(0)
    model = ResNetDiscriminator(
        16, 3, 10, base_width=4, widths="1, 2", normalization=normalization, **arguments
    )
    model.build()
    return model


def images(count=3, seed=1):
    return tf.random.stateless_uniform([count, 16, 16, 3], [seed, 2], -1.0, 1.0)


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def classifier():
    return classifier_signatures(discriminator("none"), NAMES, tf.sigmoid)


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(0)
    model = ResNetGenerator(16, 3, 10, base_width=4, widths="2; 2, 1", latent_size=8)
    model.build()
    return model, generator_signatures(model)


def test_classify_is_the_network(classifier):
    model = discriminator("none")
    source, logits = model(images())
    answer = classifier["classify"](images())
    np.testing.assert_allclose(answer["logits"], logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(answer["realness"], 1.0 / (1.0 + np.exp(-source)), rtol=1e-5)
    exponentials = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-5)
    order = np.argsort(-expected, axis=1)[:, :5]
    names = [[name.decode() for name in row] for row in answer["top_classes"].numpy()]
    assert names == [[NAMES[index] for index in row] for row in order]


def test_bytes_pixels_and_floats_are_one_and_the_same(classifier):
    batch = pixels(4, 16, 16, 3)
    encoded = tf.constant([png(image) for image in batch])
    of_floats = classifier["classify"](batch.astype(np.float32) / 127.5 - 1.0)
    for answer in (classifier["classify_uint8"](batch), classifier["classify_bytes"](encoded)):
        np.testing.assert_allclose(answer["logits"], of_floats["logits"], rtol=1e-5, atol=1e-6)


def test_an_image_does_not_depend_on_the_others_of_its_request(generator):
    _, signatures = generator
    labels, seeds = tf.constant([3, 3, 7], tf.int64), tf.constant([5, 6, 5], tf.int64)
    truncation = tf.constant([2.0, 2.0, 0.5])
    together = signatures["sample"](labels, seeds, truncation)
    for k in range(3):
        alone = signatures["sample"](*(x[k : k + 1] for x in (labels, seeds, truncation)))
        np.testing.assert_allclose(together["images"][k], alone["images"][0], rtol=1e-4, atol=1e-5)
    assert np.abs(together["images"][0] - together["images"][1]).max() > 0.01
    expected = np.round((np.array(together["images"]) + 1.0) * 127.5)
    assert np.abs(together["images_uint8"].numpy() - expected).max() <= 1


def test_sample_is_generate_with_its_latents(generator):
    model, signatures = generator
    labels, seeds = tf.constant([1, 2], tf.int64), tf.constant([8, 9], tf.int64)
    truncation = tf.constant([1.0, 10.0])
    latents = truncated_normal(seeds, truncation, model.latent_size)
    one = signatures["generate"](latents, labels)["images"]
    two = signatures["sample"](labels, seeds, truncation)["images"]
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    expected = model(latents, tf.cast(labels, tf.int32), training=False)
    np.testing.assert_allclose(one, expected, rtol=1e-5, atol=1e-6)


@tf.function(autograph=False)
def latents_within(bound):
    return truncated_normal(tf.range(200, dtype=tf.int64), tf.fill([200], bound), 50)


@pytest.mark.parametrize("bound", [0.5, 2.0, 10.0])
def test_latents_have_the_truncated_normal_distribution(bound):
    drawn = np.ravel(latents_within(tf.constant(bound)))
    assert np.isfinite(drawn).all() and np.abs(drawn).max() <= bound
    distribution = scipy.stats.truncnorm(-bound, bound)
    assert scipy.stats.kstest(drawn, distribution.cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("signature", "arguments", "message"),
    [
        ("classify", [np.full([1, 16, 16, 3], np.nan, np.float32)], r"in \[-1, 1\]"),
        ("classify", [np.full([1, 16, 16, 3], 255.0, np.float32)], "use the uint8 signature"),
        ("classify", [np.zeros([0, 16, 16, 3], np.float32)], "at least one image"),
        ("classify_uint8", [np.zeros([10_000, 2, 2, 3], np.uint8)], "at most 1024 images"),
        ("classify_uint8", [np.zeros([1, 0, 2, 3], np.uint8)], "without pixels"),
        ("classify_bytes", [np.array([png(pixels(8, 8, 3))[:60]])], "PNG"),
        ("classify_bytes", [np.array([b"text"])], "Unknown image file format"),
    ],
)
def test_malformed_images_are_invalid_arguments(classifier, signature, arguments, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        classifier[signature](*map(tf.constant, arguments))


@pytest.mark.parametrize(
    ("signature", "arguments", "message"),
    [
        ("generate", [np.zeros([1, 8], np.float32), np.array([10])], "labels must be from 0 to 9"),
        ("generate", [np.zeros([1, 8], np.float32), np.array([-1])], "labels must be from 0 to 9"),
        ("generate", [np.full([1, 8], np.inf, np.float32), np.array([1])], "infinite or NaN"),
        ("generate", [np.zeros([2, 8], np.float32), np.array([1])], "have the same length"),
        ("sample", [np.zeros(10_000, int), np.zeros(10_000, int), np.ones(10_000, np.float32)],
         "at most 1024 images"),
        ("sample", [np.array([1]), np.array([1]), np.array([0.0], np.float32)], "must be above 0"),
        ("sample", [np.array([1]), np.array([1]), np.array([np.nan], np.float32)], "above 0"),
    ],
)  # fmt: skip
def test_malformed_requests_for_images_are_invalid_arguments(
    generator, signature, arguments, message
):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        generator[1][signature](*map(tf.constant, arguments))


def ancestors(operation):
    """All operations that must have run before one does."""
    found, waiting = set(), [operation]
    while waiting:
        one = waiting.pop()
        for earlier in [*(tensor.op for tensor in one.inputs), *one.control_inputs]:
            if earlier not in found:
                found.add(earlier)
                waiting.append(earlier)
    return found


@pytest.mark.parametrize("name", ["classify", "classify_uint8", "generate", "sample"])
def test_every_check_comes_before_the_network(classifier, generator, name):
    """Beside it, the network's own error might come first, or a large request take the memory."""
    signatures = {**classifier, **generator[1]}
    graph = signatures[name].get_concrete_function().graph
    operations = graph.get_operations()
    checks = {op for op in operations if op.type == "Assert" or op.name.endswith("/AssertGuard")}
    # The resizing of images and the network are functions of their own.
    guarded = [op for op in operations if op.type.endswith("PartitionedCall")]
    assert len(checks) >= 3
    assert len(guarded) == (2 if name == "classify_uint8" else 1)
    for op in guarded:
        assert checks <= ancestors(op)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("bce", lambda logits: 1.0 / (1.0 + np.exp(-logits))),
        ("hinge", lambda logits: np.clip(0.5 + 0.5 * logits, 0.0, 1.0)),
        ("wasserstein", None),
    ],
)
def test_realness_is_that_of_the_loss_that_d_was_trained_with(source, expected):
    model = discriminator("none")
    run = SimpleNamespace(
        is_joint=True,
        path="run",
        config=tiny.config(f"AdversarialLoss.source = '{source}'"),
        load_classifier=lambda precision: SimpleNamespace(folded=lambda: model),
    )
    for name, signature in (("classifier", "classify"), ("discriminator", "discriminate")):
        part = build_part(run, name, NAMES)
        answer = part.signatures[signature](images())
        if expected is None:
            assert "realness" not in answer
        else:
            logits = model(images(), training=False)[0].numpy()
            np.testing.assert_allclose(answer["realness"], expected(logits), rtol=1e-4)
