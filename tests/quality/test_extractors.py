"""Feature extractors: what they compute, what they are called, and what is refused."""

import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from robgan_tf.errors import UserError
from robgan_tf.models import PreActResNet18, ResNetDiscriminator
from robgan_tf.quality.extractors import (
    FeatureExtractor,
    classifier_extractor,
    open_extractor,
)

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, [10, 8, 8, 3], np.uint8)


def write_python(folder, code):
    """Writes a module with a function `features`; returns its spec."""
    path = folder / "extractor.py"
    path.write_text(f"import numpy as np\ndef features(images):\n    {code}\n")
    return f"{path}:features"


def write_keras(path, size=8, channels=3, outputs="dict", seed=0):
    """Saves a convolutional network with 6 features and 4 logits; returns its path and it."""
    keras.utils.set_random_seed(seed)
    images = keras.Input([size, size, channels])
    hidden = keras.layers.Conv2D(6, 3, activation="tanh")(keras.layers.Rescaling(0.01)(images))
    features = keras.layers.GlobalAveragePooling2D()(hidden)
    logits = keras.layers.Dense(4)(features)
    both = {"dict": {"features": features, "logits": logits}, "list": [features, logits]}
    model = keras.Model(images, both.get(outputs, features))
    model.save(path) if path.suffix else model.export(path)
    return path, model


def softmax(logits):
    powers = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


# Models from files.


def with_pillow(channel, size):
    resized = Image.fromarray(channel.astype(np.float32)).resize([size, size], Image.BICUBIC)
    return np.clip(np.asarray(resized), 0.0, 255.0)


@pytest.mark.parametrize("size", [5, 21])
def test_resizing_is_that_of_pillow(size, tmp_path):
    model = keras.Sequential([keras.Input([size, size, 3]), keras.layers.Flatten()])
    model.save(tmp_path / "pixels.keras")
    extractor = open_extractor(str(tmp_path / "pixels.keras"), 8, 3)
    features, _ = extractor(IMAGES)
    expected = [
        np.stack([with_pillow(image[:, :, channel], size) for channel in range(3)], axis=-1)
        for image in IMAGES
    ]
    assert extractor.name == f"pixels-antialias{size}"
    np.testing.assert_allclose(features, np.reshape(expected, [len(IMAGES), -1]), atol=2e-3)


@pytest.mark.parametrize("outputs", ["dict", "list", "features"])
@pytest.mark.parametrize("name", ["my net.keras", "net.h5", "saved", "saved/3"])
def test_models_from_files(name, outputs, tmp_path):
    path, model = write_keras(tmp_path / name, outputs=outputs)
    extractor = open_extractor(str(path), 8, 3)
    plain = {"my net.keras": "my_net", "net.h5": "net", "saved": "saved", "saved/3": "saved_3"}
    assert extractor.name == f"{plain[name]}-antialias8"
    assert (extractor.dimensions, extractor.classes) == (6, None if outputs == "features" else 4)
    expected = model(IMAGES.astype(np.float32))
    if outputs == "features":
        expected = [expected]
    expected = list(expected.values() if outputs == "dict" else expected)
    features, probabilities = extractor(IMAGES)
    np.testing.assert_allclose(features, expected[0], atol=1e-5)
    if outputs == "features":
        assert probabilities is None
    else:
        np.testing.assert_allclose(probabilities, softmax(expected[1]), atol=1e-5)


def test_the_probe_tells_networks_apart(tmp_path):
    paths = [write_keras(tmp_path / f"{seed}.keras", seed=seed)[0] for seed in (0, 1)]
    first, second, again = (
        open_extractor(str(path), 8, 3).probe for path in (paths[0], paths[1], paths[0])
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == (3, 6) and np.abs(first - second).max() > 0.1 * np.abs(first).max()


def test_saved_model_of_integers(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)])
    def network(images):
        return {"features": tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])}

    tf.saved_model.save(module, tmp_path / "saved", signatures=network)
    extractor = open_extractor(str(tmp_path / "saved"), 8, 3)
    assert extractor.name == "saved-asis"
    np.testing.assert_allclose(extractor(IMAGES)[0], IMAGES.mean(axis=(1, 2)), rtol=1e-6)


def test_channels(tmp_path):
    grey = IMAGES[:, :, :, :1]
    colour, _ = write_keras(tmp_path / "colour.keras")
    repeated = open_extractor(str(colour), 8, 1)(grey)[0]
    np.testing.assert_array_equal(
        repeated, open_extractor(str(colour), 8, 3)(np.repeat(grey, 3, axis=-1))[0]
    )
    one, _ = write_keras(tmp_path / "one.keras", channels=1)
    with pytest.raises(UserError, match="needs images of 1 channels, and these have 3"):
        open_extractor(str(one), 8, 3)


def test_results_do_not_depend_on_the_batch_size(tmp_path):
    path, _ = write_keras(tmp_path / "model.keras", size=11)
    extractor = open_extractor(str(path), 8, 3)
    features, probabilities = extractor(IMAGES)
    for batch_size in (1, 3, 10):
        again = extractor(IMAGES, batch_size)
        np.testing.assert_allclose(again[0], features, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(again[1], probabilities, rtol=1e-5, atol=1e-6)
    assert extractor(IMAGES[:0])[0].shape == (0, 6)


def test_model_files_that_are_refused(tmp_path):
    flat = keras.Sequential([keras.Input([48]), keras.layers.Dense(2)])
    flat.save(tmp_path / "flat.keras")
    oblong = keras.Sequential([keras.Input([4, 8, 3]), keras.layers.Flatten()])
    oblong.save(tmp_path / "oblong.keras")
    pixels = keras.Sequential([keras.Input([8, 8, 3]), keras.layers.Conv2D(2, 3)])
    pixels.save(tmp_path / "pixels.keras")
    two = [keras.Input([8, 8, 3]), keras.Input([8, 8, 3])]
    keras.Model(two, keras.layers.Add()(two)).save(tmp_path / "two.keras")
    (tmp_path / "text.keras").write_text("nothing")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "nowhere": "does not exist; give pixels, inception2015:PATH",
        "flat.keras": "takes inputs of shape 48; square images",
        "oblong.keras": "takes inputs of shape 4 x 8 x 3; square images",
        "pixels.keras": r"features of shape \(3, 6, 6, 2\) for 3 images; .*: pool them",
        "two.keras": "takes several inputs",
        "text.keras": "cannot be loaded",
        "empty": "cannot be loaded",
    }.items():
        with pytest.raises(UserError, match=message) as refused:
            open_extractor(str(tmp_path / name), 8, 3)
        assert "\n" not in str(refused.value)


# Python functions.


def test_python_function(tmp_path):
    spec = write_python(tmp_path, "return images.mean((1, 2)), images[:, 0, 0] / 100.0")
    extractor = open_extractor(spec, 8, 3)
    features, probabilities = extractor(IMAGES, batch_size=4)
    assert extractor.name == "callable-extractor-features-asis"
    assert features.dtype == probabilities.dtype == np.float32
    np.testing.assert_allclose(features, IMAGES.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(probabilities, softmax(IMAGES[:, 0, 0] / 100.0), rtol=1e-5)


def test_a_python_function_may_import_what_is_beside_it(tmp_path):
    (tmp_path / "beside_the_extractor.py").write_text(
        "def mean(images):\n    return images.mean((1, 2))\n"
    )
    spec = write_python(tmp_path, "import beside_the_extractor as b; return b.mean(images)")
    assert open_extractor(spec, 8, 3).dimensions == 3


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("return images", r"features of shape \(3, 8, 8, 3\) for 3 images; \[N, d\] is needed"),
        ("return images[:, 0, 0, 0]", r"features of shape \(3,\) for 3 images"),
        ("return images[:2, 0, 0]", r"features of shape \(2, 3\) for 3 images"),
        ("return images[:, 0, 0], images[:, 0]", r"logits of shape \(3, 8, 3\) .* \[N, classes\]"),
        ("return images[:, 0, 0] / np.zeros(3)", "infinite or NaN features"),
        ("return images[:, 0, 0], np.full([3, 2], np.nan)", "infinite or NaN logits"),
        ("return images[:, 0, 0], np.full([3, 2], 0.5)", "gives probabilities for logits"),
        ("return images[:, 0, 0], 1, 2", "gives 3 outputs"),
        ("return {'a': images, 'b': images}", "gives a, b; features and logits are needed"),
        ("return [[1.0], [1.0, 2.0]], 1", "fails on images of shape 8 x 8 x 3: ValueError"),
        ("raise SystemExit(3)", "fails on images of shape 8 x 8 x 3: SystemExit: 3"),
        ("return unknown", "fails on images of shape 8 x 8 x 3: NameError"),
        ("pass", r"features of shape \(\) for 3 images"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_that_are_refused(code, message, tmp_path):
    with pytest.raises(UserError, match=message) as refused:
        open_extractor(write_python(tmp_path, code), 8, 3)
    assert "\n" not in str(refused.value)


def test_python_files_that_are_refused(tmp_path):
    spec = write_python(tmp_path, "return images")
    broken = tmp_path / "broken.py"
    broken.write_text("import a_module_that_does_not_exist\n")
    leaving = tmp_path / "leaving.py"
    leaving.write_text("raise SystemExit('bye')\n")
    for given, message in {
        spec.replace(":features", ""): "which function",
        spec.replace("features", "other"): "has no function other",
        spec.replace("features", "__name__"): "has no function __name__",
        f"{tmp_path}/nowhere.py:features": "does not exist",
        f"{broken}:features": "cannot be imported: ModuleNotFoundError: No module",
        f"{leaving}:features": "cannot be imported: SystemExit: bye",
        "inception2015:": "which file",
        "inception2016:graph.pb": "does not exist; give pixels, inception2015:PATH",
    }.items():
        with pytest.raises(UserError, match=message):
            open_extractor(given, 8, 3)


def test_what_changes_later_is_refused(tmp_path):
    spec = write_python(tmp_path, "return np.zeros([len(images), 1 + images.any()])")
    extractor = open_extractor(spec, 8, 3)
    with pytest.raises(UserError, match="gave 2 features and None logits at first and 1 and None"):
        extractor(np.zeros([1, 8, 8, 3], np.uint8))


# Features that are not of the image alone.


@pytest.mark.parametrize(
    ("code", "when"),
    [
        ("return x - x.mean(axis=0)", "beside other images"),
        ("return x / x.std(axis=0).clip(1.0)", "beside other images"),
        ("return x, (x - x.mean(axis=0)) / 9.0", "beside other images"),
        ("return x * (1.0 + 0.1 * (len(x) == 1))", "alone in its batch"),
        ("return x / np.sum(x @ x.T == np.diag(x @ x.T), axis=1)[:, None]", "beside copies"),
        ("return np.random.default_rng().normal(size=x.shape)", "when it is called again"),
        (
            "return x * np.random.default_rng().uniform(0.9, 1.1, x.shape)",
            "when it is called again",
        ),
        ("features.calls = getattr(features, 'calls', 0) + 1; return x * features.calls", "again"),
    ],
)
def test_functions_of_more_than_the_image(code, when, tmp_path):
    spec = write_python(tmp_path, f"x = images.mean((1, 2)); {code}")
    with pytest.raises(UserError, match=f"features-asis says something else .* {when}.*: it chang"):
        open_extractor(spec, 8, 3)


@pytest.mark.parametrize(
    ("make", "when"),
    [
        (keras.layers.BatchNormalization, "beside other images|alone"),
        (lambda: keras.layers.Dropout(0.1), "when it is called again"),
        (lambda: keras.layers.GaussianNoise(1.0), "when it is called again"),
    ],
)
def test_networks_in_training_mode(make, when, tmp_path):
    images = keras.Input([8, 8, 3])
    pooled = keras.layers.AveragePooling2D(2)(keras.layers.Rescaling(0.1)(images))
    features = keras.layers.Flatten()(make()(pooled, training=True))
    keras.Model(images, features).export(tmp_path / "saved")
    with pytest.raises(UserError, match=f"says something else of the same image ({when})"):
        open_extractor(str(tmp_path / "saved"), 8, 3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rounding_is_not_taken_for_a_dependence(precision):
    keras.utils.set_random_seed(1)
    model = PreActResNet18(32, 3, 10, 32, normalization="batch", precision=precision)
    model.build()
    assert classifier_extractor(model, "preact").classes == 10


def test_equal_features_of_all_images_are_let_through(tmp_path):
    spec = write_python(tmp_path, "return np.full([len(images), 2], 7.0)")
    assert open_extractor(spec, 8, 3).dimensions == 2


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / np.float32(255.0), "opened for uint8 images of shape 8 x 8 x 3; these are float"),
        (IMAGES[0], "these are uint8 of shape 8 x 3"),
        (IMAGES[:, :4], "these are uint8 of shape 4 x 8 x 3"),
        (IMAGES[..., :1], "these are uint8 of shape 8 x 8 x 1"),
    ],
)
def test_images_that_are_refused(images, message):
    extractor = FeatureExtractor(
        "means", lambda x: x.mean((1, 2)), 3, None, (8, 8, 3), "", np.zeros([3, 3])
    )
    with pytest.raises(UserError, match=message):
        extractor(images)


# Classifiers of this package.


def classifier(kind, normalization, num_classes=10):
    keras.utils.set_random_seed(0)
    if kind == "preact":
        model = PreActResNet18(8, 3, 10, base_width=4, normalization=normalization)
    else:
        model = ResNetDiscriminator(
            8, 3, num_classes, base_width=4, widths="1, 2-, 2", normalization=normalization
        )
    model.build()
    for weight in model.non_trainable_variables:
        # Moving averages that are not 0 and 1, so that leaving a normalization out would show.
        if "moving" in weight.name or "mean" in weight.name or "variance" in weight.name:
            weight.assign(weight + 0.3)
    return model


@pytest.mark.parametrize(
    ("kind", "normalization"),
    [("d", "spectral"), ("d", "batch"), ("d", "none"), ("preact", "batch"), ("preact", "none")],
)
def test_heads_of_a_classifier_give_its_outputs_from_the_features(kind, normalization):
    model = classifier(kind, normalization)
    extractor = classifier_extractor(model, "run/d", source="run at step 5")
    features, probabilities = extractor(IMAGES, batch_size=4)
    source_logits, class_logits = model(IMAGES / np.float32(127.5) - 1.0, training=False)
    assert extractor.name == "run_d-antialias8"
    assert extractor.source == "run at step 5"
    assert np.std(features, axis=0).max() > 0.0
    np.testing.assert_allclose(
        model.source_head(features, training=False)[:, 0], source_logits, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(probabilities, softmax(class_logits), rtol=1e-4, atol=1e-5)


def test_classifier_without_classes_and_of_other_images():
    model = classifier("d", "none", num_classes=0)
    extractor = classifier_extractor(model, "d", resolution=16, channels=1)
    features, probabilities = extractor(np.zeros([2, 16, 16, 1], np.uint8))
    assert extractor.classes is None and probabilities is None
    black = classifier_extractor(model, "d")(np.zeros([2, 8, 8, 3], np.uint8))[0]
    np.testing.assert_allclose(features, black, rtol=1e-5, atol=1e-5)


# A network with real weights.


def test_efficientnet_as_a_function(real_data, tmp_path):
    folder = real_data / "pretrained"
    path = tmp_path / "efficientnet.py"
    path.write_text(
        f"import sys\nsys.path.insert(0, {str(folder)!r})\n"
        "from efficientnet_lite0 import EfficientNetLite0\n"
        f"features = EfficientNetLite0({str(folder / 'efficientnet_lite0_imagenet.npz')!r})\n"
    )
    rows = (folder / "imagenet_classes.txt").read_text().splitlines()
    labels = {row.split("\t")[1]: int(row.split("\t")[0]) for row in rows}
    files = sorted((real_data / "imagenet143_sample" / "train").glob("*/*_sample.jpg"))[::18]
    images = np.stack([np.asarray(Image.open(file).resize([224, 224])) for file in files])
    extractor = open_extractor(f"{path}:features", 224, 3)
    sys.path.remove(str(folder))
    features, probabilities = extractor(images, batch_size=3)
    assert extractor.name == "callable-efficientnet-features-asis"
    assert (features.shape, probabilities.shape) == ((8, 1280), (8, 1000))
    np.testing.assert_allclose(features, extractor(images)[0], rtol=1e-5, atol=1e-5)
    right = np.argmax(probabilities, axis=1) == [labels[file.parent.name] for file in files]
    assert right.mean() >= 0.5


@pytest.mark.parametrize(("side", "channels", "kept"), [(32, 3, 8), (16, 1, 8), (20, 3, 20)])
def test_pixels_are_means_of_squares(side, channels, kept):
    images = np.random.default_rng(3).integers(0, 256, [5, side, side, channels], np.uint8)
    extractor = open_extractor("pixels", side, channels)
    assert extractor.name == f"pixels-area{kept}"
    features, probabilities = extractor(images)
    assert probabilities is None
    step = side // kept
    squares = images.reshape(5, kept, step, kept, step, channels).mean(axis=(2, 4))
    np.testing.assert_allclose(features, (squares / 127.5 - 1.0).reshape(5, -1), atol=1e-5)
