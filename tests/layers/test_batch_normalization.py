"""Batch normalization against numpy, in its three modes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.layers import BatchNormalization, ClassConditionalBatchNormalization

INPUTS = np.random.default_rng(0).normal(2.0, 3.0, [6, 4, 4, 5]).astype(np.float32)
LABELS = np.array([0, 2, 1, 2, 0, 0])


def normalized(mean, variance, epsilon=2e-5):
    return (INPUTS - mean) / np.sqrt(variance + epsilon)


def batch_moments():
    return INPUTS.mean((0, 1, 2)), INPUTS.var((0, 1, 2))


def test_training_uses_batch_statistics_and_moves_the_averages():
    layer = BatchNormalization()
    outputs = layer(INPUTS, training=True)
    np.testing.assert_allclose(outputs, normalized(*batch_moments()), atol=2e-5)
    mean, variance = batch_moments()
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-5)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_averages_of_the_unbiased_variance(kind):
    layer = BatchNormalization(momentum=0.1, unbiased=True, dtype=kind)
    layer(tf.constant(INPUTS, kind), training=True)
    unbiased = INPUTS.var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(layer.moving_variance, 0.1 + 0.9 * unbiased, rtol=1e-6)
    np.testing.assert_allclose(layer.moving_mean, 0.9 * INPUTS.mean((0, 1, 2)), rtol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16"])
def test_under_a_mixed_policy_statistics_are_full_precision(policy, kind):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        plain, conditional = BatchNormalization(), ClassConditionalBatchNormalization(3)
    finally:
        keras.mixed_precision.set_global_policy(before)
    inputs = tf.constant(INPUTS, kind)
    for outputs in (plain(inputs, training=True), conditional(inputs, LABELS, training=True)):
        assert outputs.dtype == kind
        np.testing.assert_allclose(
            tf.cast(outputs, tf.float32), normalized(*batch_moments()), atol=0.03
        )
    variables = (*plain.variables, *conditional.variables)
    assert {tf.as_dtype(variable.dtype) for variable in variables} == {tf.float32}


def test_training_without_update_leaves_the_averages():
    layer = BatchNormalization()
    outputs = layer(INPUTS, training=True, update_statistics=False)
    np.testing.assert_allclose(outputs, normalized(*batch_moments()), atol=2e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(5))
    np.testing.assert_array_equal(layer.moving_variance, np.ones(5))


def test_inference_uses_the_moving_averages():
    layer = BatchNormalization()
    layer.build(INPUTS.shape)
    layer.moving_mean.assign(np.arange(5.0))
    layer.moving_variance.assign(np.arange(1.0, 6.0))
    layer.gamma.assign(np.full(5, 2.0))
    layer.beta.assign(np.full(5, 3.0))
    expected = 2.0 * normalized(np.arange(5.0), np.arange(1.0, 6.0)) + 3.0
    np.testing.assert_allclose(layer(INPUTS, training=False), expected, rtol=1e-4, atol=1e-4)


def test_class_conditional_form_starts_as_plain_normalization():
    layer = ClassConditionalBatchNormalization(num_classes=3)
    outputs = layer(INPUTS, LABELS, training=True)
    np.testing.assert_allclose(outputs, normalized(*batch_moments()), atol=2e-5)


def layer_with_classes():
    """A layer with different gammas and betas, and these."""
    layer = ClassConditionalBatchNormalization(num_classes=3)
    layer.build(INPUTS.shape)
    tables = [np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32) for seed in (1, 2)]
    layer.gamma.assign(tables[0])
    layer.beta.assign(tables[1])
    return layer, *tables


@pytest.mark.parametrize("training", [True, False])
def test_one_hot_weights_are_the_same_as_labels(training):
    layer, *_ = layer_with_classes()
    one_hot = np.eye(3, dtype=np.float32)[LABELS]
    outputs = [layer(INPUTS, labels, training=training) for labels in (LABELS, one_hot)]
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("training", [True, False])
def test_weights_mix_gamma_and_beta_of_the_classes(training):
    layer, gamma, beta = layer_with_classes()
    weights = np.random.default_rng(3).dirichlet(np.ones(3), size=6).astype(np.float32)
    moments = batch_moments() if training else (np.zeros(5), np.ones(5))
    expected = np.empty(INPUTS.shape)
    for sample, shares in enumerate(weights):
        mixed_gamma = sum(share * row for share, row in zip(shares, gamma, strict=True))
        mixed_beta = sum(share * row for share, row in zip(shares, beta, strict=True))
        expected[sample] = normalized(*moments)[sample] * mixed_gamma + mixed_beta
    outputs = layer(INPUTS, weights, training=training, update_statistics=False)
    np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=5e-5)


@pytest.mark.parametrize("shape", [(6,), (6, 2), (6, 3, 1)])
def test_weights_of_another_shape_are_refused(shape):
    layer, *_ = layer_with_classes()
    with pytest.raises(ValueError, match=r"must be weights \[N, 3\]"):
        layer(INPUTS, np.ones(shape, np.float32))


def test_each_sample_takes_gamma_and_beta_of_its_class():
    layer = ClassConditionalBatchNormalization(num_classes=3)
    layer.build(INPUTS.shape)
    gamma = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    beta = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    outputs = layer(INPUTS, LABELS, training=True)
    plain = normalized(*batch_moments())
    for sample, label in enumerate(LABELS):
        expected = plain[sample] * gamma[label] + beta[label]
        np.testing.assert_allclose(outputs[sample], expected, atol=1e-4)


def test_gradients_match_finite_differences():
    layer = ClassConditionalBatchNormalization(num_classes=3, dtype="float64")
    inputs = tf.constant(INPUTS[:3, :2, :2, :2], tf.float64)
    labels = LABELS[:3]
    weights = tf.random.stateless_normal(inputs.shape, [1, 2], dtype=tf.float64)

    def loss(values):
        return tf.reduce_sum(weights * layer(values, labels, training=True) ** 3)

    theoretical, numerical = tf.test.compute_gradient(loss, [inputs], delta=1e-5)
    np.testing.assert_allclose(theoretical[0], numerical[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layer_class", [BatchNormalization, ClassConditionalBatchNormalization])
def test_the_fused_operation_computes_what_is_spelled_out(layer_class):
    """float64 is spelled out; float32, on one replica, is one operation of TensorFlow."""
    arguments = {"num_classes": 3} if layer_class is ClassConditionalBatchNormalization else {}
    more = {"labels": LABELS} if arguments else {}
    results = {}
    for kind in ("float32", "float64"):
        layer = layer_class(**arguments, dtype=kind)
        layer.build(INPUTS.shape)
        for seed, variable in enumerate((layer.gamma, layer.beta)):
            variable.assign(1.0 + np.random.default_rng(seed).random(variable.shape))

        @tf.function
        def compute(inputs, layer=layer):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                outputs = layer(inputs, training=True, **more)
                loss = tf.reduce_sum(tf.sin(outputs))
            sources = [inputs, layer.gamma, layer.beta]
            return [outputs, *tape.gradient(loss, sources)]

        graph = compute.get_concrete_function(tf.constant(INPUTS, kind)).graph
        fused = [x for x in graph.get_operations() if x.type == "FusedBatchNormV3"]
        assert bool(fused) == (kind == "float32")
        averages = [layer.moving_mean, layer.moving_variance]
        results[kind] = compute(tf.constant(INPUTS, kind)) + averages
    for fused, spelled_out in zip(*results.values(), strict=True):
        error = np.linalg.norm(fused - np.asarray(spelled_out, np.float32))
        assert error < 1e-5 * np.linalg.norm(spelled_out)


def test_a_float64_layer_takes_float32_images():
    outputs = BatchNormalization(dtype="float64")(INPUTS, training=True)
    np.testing.assert_allclose(outputs, normalized(*batch_moments()), atol=2e-5)


@pytest.mark.parametrize("layer_class", [BatchNormalization, ClassConditionalBatchNormalization])
def test_configuration_round_trip(layer_class):
    arguments = {"momentum": 0.7, "epsilon": 1e-3, "unbiased": True}
    if layer_class is ClassConditionalBatchNormalization:
        arguments["num_classes"] = 4
    copy = layer_class.from_config(layer_class(**arguments).get_config())
    assert {name: getattr(copy, name) for name in arguments} == arguments
