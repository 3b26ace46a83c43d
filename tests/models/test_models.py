"""The networks: shapes, widths and parameter counts by hand, modes, names, gradients."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.keras_versions import variable_path
from robgan_tf.layers import spectral_normalization_layers
from robgan_tf.models import ResNetDiscriminator, ResNetGenerator

LABELS = tf.constant([0, 1, 2])


def latents(size=128):
    return tf.random.stateless_normal([3, size], [1, 2])


def images(resolution=32, channels=3):
    return tf.random.stateless_uniform([3, resolution, resolution, channels], [3, 4], -1.0, 1.0)


@pytest.mark.parametrize(
    ("resolution", "widths"),
    [
        *itertools.product((32, 64), ("official", "sngan")),
        *itertools.product((128,), ("official", "official_1000_classes")),
    ],
)
def test_every_row_of_the_table_gives_images_and_judgements(resolution, widths):
    generator = ResNetGenerator(resolution, 3, 5, base_width=2, widths=widths)
    discriminator = ResNetDiscriminator(resolution, 3, 5, base_width=2, widths=widths)
    fakes = generator(latents(), LABELS, training=True)
    assert fakes.shape == (3, resolution, resolution, 3)
    assert float(tf.reduce_max(tf.abs(fakes))) <= 1.0
    source, classes = discriminator(fakes)
    assert source.shape == (3,)
    assert classes.shape == (3, 5)


def test_one_channel_and_no_classes():
    generator = ResNetGenerator(32, 1, 0, base_width=2)
    discriminator = ResNetDiscriminator(32, 1, 0, base_width=2)
    fakes = generator(latents(), LABELS, training=False)
    assert fakes.shape == (3, 32, 32, 1)
    np.testing.assert_array_equal(fakes, generator(latents(), LABELS + 7, training=False))
    source, classes = discriminator(fakes)
    assert source.shape == (3,)
    assert classes is None


def trainable_parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_parameters_of_the_published_cifar_networks_by_hand():
    generator, discriminator = ResNetGenerator(), ResNetDiscriminator()
    generator.build()
    discriminator.build()

    def conv(size, inputs, outputs, bias):
        return size * size * inputs * outputs + bias * outputs

    def generator_block(inputs, outputs):
        normalizations = 2 * 10 * (inputs + outputs)
        convolutions = conv(3, inputs, outputs, 1) + conv(3, outputs, outputs, 1)
        shortcut = conv(1, inputs, outputs, 1) if inputs != outputs else 0
        return normalizations + convolutions + shortcut

    widths = [1024, 512, 256, 128, 64]
    expected = 128 * 16 * 1024 + 16 * 1024
    expected += sum(generator_block(*pair) for pair in itertools.pairwise(widths))
    expected += 2 * 64 + conv(3, 64, 3, 1)
    assert trainable_parameters(generator) == expected

    first = conv(3, 3, 128, 0) + conv(3, 128, 128, 0) + conv(1, 3, 128, 0)
    second = 2 * conv(3, 128, 128, 0) + conv(1, 128, 128, 0)
    rest = 2 * 2 * conv(3, 128, 128, 0)
    heads = 128 + 1 + 128 * 10 + 10
    assert trainable_parameters(discriminator) == first + second + rest + heads


@pytest.mark.parametrize("normalization", ["spectral", "batch", "none"])
def test_normalization_of_the_discriminator(normalization):
    discriminator = ResNetDiscriminator(base_width=4, normalization=normalization)
    discriminator.build()
    normalized = spectral_normalization_layers(discriminator)
    # Per block two 3x3 convolutions, in the first two blocks a shortcut, and two heads.
    assert len(normalized) == (12 if normalization == "spectral" else 0)
    averages = [v for v in discriminator.non_trainable_variables if "moving" in variable_path(v)]
    assert len(averages) == (2 * 7 if normalization == "batch" else 0)
    source, classes = discriminator(images(), training=True)
    assert np.isfinite(source).all() and np.isfinite(classes).all()


def test_discriminator_equals_its_recipe_written_out():
    """The first and second block and the heads, in plain operations on the same kernels."""
    model = ResNetDiscriminator(base_width=4, widths="1, 2", normalization="none", num_classes=5)
    x = images()
    source, classes = model(x)

    def conv(layer, values):
        return tf.nn.conv2d(values, tf.convert_to_tensor(layer.kernel), 1, "SAME")

    def pool(values):
        return tf.nn.avg_pool2d(values, 2, 2, "VALID")

    first, second = model.block_1, model.block_2
    hidden = pool(conv(first.convolution_2, tf.nn.relu(conv(first.convolution_1, x))))
    hidden += conv(first.shortcut, pool(x))
    inner = conv(second.convolution_1, tf.nn.relu(hidden))
    hidden = pool(conv(second.convolution_2, tf.nn.relu(inner))) + pool(
        conv(second.shortcut, hidden)
    )
    features = tf.reduce_sum(tf.nn.relu(hidden), axis=[1, 2])
    np.testing.assert_allclose(source, model.source_head(features)[:, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(classes, model.class_head(features), rtol=1e-4, atol=1e-4)


def test_generator_depends_on_the_label_only_through_its_class():
    generator = ResNetGenerator(base_width=4, num_classes=3)
    first = generator(latents(), LABELS, training=False)
    np.testing.assert_array_equal(first, generator(latents(), LABELS, training=False))
    generator.block_1.normalization_1.gamma.assign_add(
        tf.constant([[0.0], [0.5], [0.0]]) * tf.ones([3, 64])
    )
    second = generator(latents(), LABELS, training=False)
    changed = np.abs(first - second).max(axis=(1, 2, 3)) > 0
    np.testing.assert_array_equal(changed, [False, True, False])


def test_labels_that_are_no_classes_are_refused():
    generator = ResNetGenerator(base_width=4, num_classes=3)
    projecting = ResNetDiscriminator(num_classes=3, base_width=4, head="projection")
    in_graph = tf.function(lambda labels: generator(latents(), labels, training=False))
    expected = in_graph(tf.constant([0, 1, 2]))
    for wrong in (3, -1, 1000):
        labels = tf.constant([0, wrong, 2])
        message = rf"labels must be from 0 to 2, not {wrong} \(1 of 3"
        with pytest.raises(ValueError, match=message):
            generator(latents(), labels)
        with pytest.raises(ValueError, match=message):
            projecting(images(), labels)
        # A graph cannot refuse: what is of no class is no image.
        made = in_graph(labels).numpy()
        assert np.isnan(made[1]).all()
        np.testing.assert_allclose(made[[0, 2]], tf.gather(expected, [0, 2]), atol=1e-6)


def test_fakes_for_the_discriminator_do_not_move_averages():
    generator = ResNetGenerator(base_width=4)
    generator.build()
    before = [np.array(v) for v in generator.non_trainable_variables]
    generator(latents(), LABELS, training=True, update_statistics=False)
    for variable, value in zip(generator.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    generator(latents(), LABELS, training=True)
    assert any(
        not np.array_equal(variable, value)
        for variable, value in zip(generator.non_trainable_variables, before, strict=True)
    )


def test_variable_names_are_stable_and_unique():
    generator, discriminator = ResNetGenerator(base_width=4), ResNetDiscriminator(base_width=4)
    generator.build()
    discriminator.build()
    for model in (generator, discriminator):
        paths = [variable_path(variable) for variable in model.variables]
        assert len(set(paths)) == len(paths)
    assert "generator/block_1/normalization_1/gamma" in [
        variable_path(v) for v in generator.variables
    ]
    assert "discriminator/block_1/convolution_1/vector_u" in [
        variable_path(v) for v in discriminator.variables
    ]


def test_initial_kernels_have_glorot_limits():
    keras.utils.set_random_seed(1)
    model = ResNetDiscriminator(base_width=32, normalization="none")
    model.build()
    kernel = np.asarray(model.block_2.convolution_1.kernel)
    limit = np.sqrt(2) * np.sqrt(6 / (9 * 64 + 9 * 64))
    assert np.abs(kernel).max() == pytest.approx(limit, rel=1e-2)
    kernel = np.asarray(model.block_2.shortcut.kernel)
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / 128), rel=1e-2)


def test_batch_normalization_of_the_published_discriminator_by_hand():
    model = ResNetDiscriminator(base_width=4, normalization="batch", form="official_code")
    model.build()
    convolutions = 9 * 3 * 8 + 9 * 8 * 8 + 3 * 8 + 2 * 9 * 8 * 8 + 8 * 8 + 4 * 9 * 8 * 8
    # Two in each of four blocks, and one in each of the two shortcuts that are convolutions.
    normalizations = 10 * 2 * 8
    assert trainable_parameters(model) == convolutions + normalizations + 9 * 11
    averages = [v for v in model.non_trainable_variables if "moving" in variable_path(v)]
    assert len(averages) == 20


def test_the_first_weights_of_the_published_generator():
    keras.utils.set_random_seed(1)
    bound = np.sqrt(6 / (9 * 32 + 9 * 3))
    for form, gain in (("own", np.sqrt(2)), ("official_code", 1.0), ("sngan", 1.0)):
        model = ResNetGenerator(base_width=32, widths="1; 1, 1, 1", form=form)
        model.build()
        largest = np.abs(model.to_image.kernel).max()
        assert largest == pytest.approx(gain * bound, rel=0.05) and largest < gain * bound
        # PyTorch draws biases too.
        assert bool(np.any(model.dense.bias)) == (form == "official_code")
        assert np.abs(model.dense.bias).max() < 1 / np.sqrt(128)


def test_the_source_head_of_sn_gan_has_no_bias():
    model = ResNetDiscriminator(base_width=4, form="sngan", head="projection")
    model.build()
    assert [
        variable_path(v) for v in model.variables if variable_path(v).endswith("head/bias")
    ] == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNetGenerator(48), "has no widths 'official' for 48 px; there are"),
        (lambda: ResNetGenerator(32, widths="4; 4, 4"), "lead from 4 to 16 pixels, not to 32"),
        (lambda: ResNetGenerator(32, widths="4, 4, 4"), "should read like '4; 4, 2, 2'"),
        (lambda: ResNetGenerator(32, widths="4; x4, 4, 4"), "width 'x4'.* is not a positive"),
        (lambda: ResNetDiscriminator(36, widths="1, 1, 1"), "halve the size 3 times"),
        (lambda: ResNetGenerator(form="x"), "form 'x' does not exist; choose one of own, offi"),
        (lambda: ResNetDiscriminator(form="x"), "form 'x' does not exist; choose one of own, off"),
        (lambda: ResNetDiscriminator(32, widths="nope"), "has no widths 'nope'"),
        (
            lambda: ResNetDiscriminator(normalization="layer"),
            "choose one of spectral, keras_spectral, tfa_spectral, batch, none",
        ),
    ],
)
def test_refuses_what_does_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("normalization", ["spectral", "none"])
def test_projection_adds_the_product_of_features_and_embedding(normalization):
    model = ResNetDiscriminator(
        16, num_classes=3, base_width=4, widths="1, 2", normalization=normalization,
        head="projection",
    )  # fmt: skip
    model.build()
    images = tf.random.stateless_uniform([6, 16, 16, 3], [1, 2], -1.0, 1.0)
    labels = tf.constant([0, 1, 2, 2, 1, 0])
    logits, classes = model(images, labels)
    assert classes is None
    hidden = images
    for name in model.block_names:
        hidden = getattr(model, name)(hidden)
    features = tf.reduce_sum(tf.nn.relu(hidden), axis=[1, 2]).numpy()
    if normalization == "spectral":
        kernels = [layer.normalized_kernel() for layer in (model.source_head, model.projection)]
        bias = model.source_head.layer.bias
        assert np.linalg.svd(kernels[1], compute_uv=False)[0] == pytest.approx(1.0, abs=1e-4)
    else:
        kernels = [layer.kernel for layer in (model.source_head, model.projection)]
        bias = model.source_head.bias
    source, embedding = map(np.array, kernels)
    expected = features @ source[:, 0] + np.array(bias)
    expected += [features[n] @ embedding[:, label] for n, label in enumerate(labels.numpy())]
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_projection_needs_labels():
    model = ResNetDiscriminator(16, num_classes=3, base_width=4, widths="1", head="projection")
    model.build()
    with pytest.raises(ValueError, match="given labels"):
        model(tf.zeros([1, 16, 16, 3]))
