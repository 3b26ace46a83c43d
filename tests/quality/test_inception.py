"""Networks of Inception as extractors: the graph of 2015, and Keras's."""

import hashlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.quality import inception
from robgan_tf.quality.extractors import open_extractor, opened
from tests.quality.test_extractors import IMAGES, softmax, with_pillow, write_keras

RANDOM = np.random.default_rng(0)
FILTERS = RANDOM.normal(0.0, 0.1, [9, 9, 3, 2048]).astype(np.float32)
MEAN = RANDOM.normal(0.0, 0.1, 2048).astype(np.float32)
WEIGHTS = RANDOM.normal(0.0, 0.1, [2048, 1008]).astype(np.float32)


def constant(graph, name, value):
    node = graph.node.add(name=name, op="Const")
    tensor = tf.make_tensor_proto(value)
    node.attr["dtype"].type = tensor.dtype
    node.attr["value"].tensor.CopyFrom(tensor)
    return name


def operation(graph, op, name, *inputs, **types):
    node = graph.node.add(name=name, op=op, input=inputs)
    node.attr["T"].type = tf.float32.as_datatype_enum
    for key, value in types.items():
        node.attr[key].type = value
    return node


def tiny_graph(entry):
    """A graph of one layer with the names, the operations and the batch of one of the original.

    Its batch normalization is an operation that was removed in version 9 of graphs, and every
    node carries its shape for a single image.
    """
    graph = tf.compat.v1.GraphDef()
    graph.versions.producer = 8
    if entry == "ExpandDims":
        with tf.Graph().as_default() as head:
            contents = tf.compat.v1.placeholder(tf.string, [], name="DecodeJpeg/contents")
            decoded = tf.raw_ops.DecodeJpeg(contents=contents, channels=3, name="DecodeJpeg")
            image = tf.expand_dims(tf.cast(decoded, tf.float32), 0, name="ExpandDims")
            resized = tf.raw_ops.ResizeBilinear(images=image, size=[299, 299])
            tf.multiply(tf.subtract(resized, 128.0, name="Sub"), 0.0078125, name="Mul")
        graph.node.extend(head.as_graph_def(add_shapes=True).node)
    else:
        placeholder = graph.node.add(name="Mul", op="Placeholder")
        placeholder.attr["dtype"].type = tf.float32.as_datatype_enum
    convolution = operation(graph, "Conv2D", "conv", "Mul", constant(graph, "filters", FILTERS))
    convolution.attr["strides"].list.i.extend([1, 45, 45, 1])
    convolution.attr["padding"].s = b"VALID"
    convolution.device = "/gpu:7"
    ones, zeros = np.ones(2048, np.float32), np.zeros(2048, np.float32)
    constants = {"mean": MEAN, "variance": 4 * ones, "beta": zeros, "gamma": ones}
    inputs = [constant(graph, name, value) for name, value in constants.items()]
    batchnorm = operation(
        graph, "BatchNormWithGlobalNormalization", "conv/batchnorm", "conv", *inputs
    )
    batchnorm.attr["variance_epsilon"].f = 0.0
    batchnorm.attr["scale_after_normalization"].b = False
    pool = operation(graph, "AvgPool", "pool_3", "conv/batchnorm")
    pool.attr["ksize"].list.i.extend([1, 7, 7, 1])
    pool.attr["strides"].list.i.extend([1, 1, 1, 1])
    pool.attr["padding"].s = b"VALID"
    pool.attr["_output_shapes"].list.shape.add().CopyFrom(
        tf.TensorShape([1, 1, 1, 2048]).as_proto()
    )
    shape = constant(graph, "pool_3/_reshape/shape", np.array([1, 2048], np.int32))
    operation(graph, "Reshape", "pool_3/_reshape", "pool_3", shape)
    weights = constant(graph, "softmax/weights", WEIGHTS)
    operation(graph, "MatMul", "softmax/logits/MatMul", "pool_3/_reshape", weights)
    return graph.SerializeToString()


def tiny_features(resized):
    scaled = (resized - 128.0) / 128.0
    return (tf.reduce_mean(tf.nn.conv2d(scaled, FILTERS, 45, "VALID"), [1, 2]) - MEAN) / 2.0


def resize_in_numpy(images):
    """Bilinear resizing of TensorFlow 1: pixel i of 299 shows i * size / 299 of the original."""
    size = images.shape[1]
    positions = np.arange(299) * size / 299
    low = np.floor(positions).astype(int)
    high, share = np.minimum(low + 1, size - 1), (positions - low)[:, None]
    images = images.astype(np.float64)
    rows = images[:, low] * (1 - share[:, None]) + images[:, high] * share[:, None]
    columns = rows[:, :, low] * (1 - share) + rows[:, :, high] * share
    return columns.astype(np.float32)


@pytest.fixture(params=["ExpandDims", "Mul", "callable", "signature"])
def tiny_inception(request, tmp_path):
    """Path of a tiny network of 2015, frozen as it was or without its input, or as SavedModel."""
    if request.param in ("ExpandDims", "Mul"):
        path = tmp_path / "graph.pb"
        path.write_bytes(tiny_graph(request.param))
        return path
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3])])
    def network(scaled):
        features = tiny_features(scaled * 128.0 + 128.0)
        return {"pool_3": features[:, None, None], "logits": features @ WEIGHTS}

    if request.param == "callable":
        module.__call__ = network
    tf.saved_model.save(module, tmp_path / "saved", signatures=network)
    return tmp_path / "saved"


def test_inception_2015_resizes_as_it_did(tiny_inception):
    extractor = open_extractor(f"inception2015:{tiny_inception}", 8, 3)
    expected = tiny_features(resize_in_numpy(IMAGES)).numpy()
    features, probabilities = extractor(IMAGES, batch_size=4)
    assert (extractor.dimensions, extractor.classes) == (2048, 1008)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(probabilities, softmax(expected @ WEIGHTS), atol=1e-6)


def test_only_the_original_is_called_inception_2015(tmp_path, monkeypatch):
    path = tmp_path / "graph.pb"
    path.write_bytes(tiny_graph("ExpandDims"))
    other = open_extractor(f"inception2015:{path}", 8, 3)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "GRAPH_SHA256", digest)
    original = open_extractor(f"inception2015:{path}", 8, 3)
    assert other.name == "inception2015-unverified-tf1resize"
    assert original.name == "inception2015-tf1resize"
    assert original.source == f"graph.pb {digest[:16]}"


def test_what_is_no_inception_graph_is_refused(tmp_path):
    graph = tf.compat.v1.GraphDef()
    constant(graph, "ExpandDims", 1.0)
    (tmp_path / "other.pb").write_bytes(graph.SerializeToString())
    (tmp_path / "text.pb").write_text("not a graph")
    (tmp_path / "empty").mkdir()
    tf.saved_model.save(tf.Module(), tmp_path / "without_signature")
    for name, message in {
        "nowhere.pb": "does not exist; robgan-tf download_inception fetches",
        "other.pb": "has no pool_3, softmax/logits/MatMul",
        "text.pb": "is not a frozen graph",
        "empty": "cannot be loaded",
        "without_signature": "has no signature serving_default",
    }.items():
        with pytest.raises(UserError, match=message):
            open_extractor(f"inception2015:{tmp_path / name}", 8, 3)


# The compiled form: that of the small one below.
def test_keras_inception(tmp_path, monkeypatch, eagerly):
    keras.utils.set_random_seed(0)
    options = {
        "include_top": True,
        "weights": None,
        "input_shape": (299, 299, 3),
        "pooling": "avg",
        "classifier_activation": None,
    }
    network = keras.applications.InceptionV3(**options)
    path = tmp_path / "inception.weights.h5"
    network.save_weights(path)
    stored = network.get_weights()

    def built_once(**given):
        """The network with other weights: it takes seconds to build."""
        assert given == options
        network.set_weights([np.zeros_like(values) for values in stored])
        return network

    monkeypatch.setattr(keras.applications, "InceptionV3", built_once)
    # Five calls more of a large network; of small ones: tests/quality/test_extractors.py.
    monkeypatch.setattr(opened, "check_steadiness", lambda extractor: None)
    extractor = open_extractor(f"keras_inceptionv3:{path}", 8, 1)
    assert extractor.name == "keras-inceptionv3-antialias299"
    assert (extractor.dimensions, extractor.classes) == (2048, 1000)
    grey = IMAGES[:2, :, :, :1]
    features, probabilities = extractor(grey)
    resized = np.stack([with_pillow(image[:, :, 0], 299) for image in grey])
    logits = network(np.repeat(resized[..., None], 3, axis=-1) / 127.5 - 1.0, training=False)
    np.testing.assert_allclose(probabilities, softmax(logits), atol=1e-5)
    last = network.get_layer("predictions")
    np.testing.assert_allclose(last(features), logits, atol=1e-4)


def small_inception(include_top, input_shape, pooling, classifier_activation=None, weights=None):
    """In place of keras.applications.InceptionV3, which takes seconds to build."""
    images = keras.Input(input_shape)
    hidden = keras.layers.AveragePooling2D(100)(images)
    hidden = keras.layers.Conv2D(3, 1)(hidden)
    if not include_top:
        return keras.Model(images, keras.layers.GlobalAveragePooling2D()(hidden))
    features = keras.layers.GlobalAveragePooling2D(name="avg_pool")(hidden)
    return keras.Model(images, keras.layers.Dense(7, name="predictions")(features))


@pytest.mark.parametrize("has_top", [True, False])
@pytest.mark.parametrize("name", ["inception.weights.h5", "model.h5"])
def test_keras_inception_with_and_without_the_last_layer(name, has_top, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", small_inception)
    model = small_inception(has_top, (299, 299, 3), "avg")
    (model.save_weights if "weights" in name else model.save)(tmp_path / name)
    extractor = open_extractor(f"keras_inceptionv3:{tmp_path / name}", 8, 3)
    assert (extractor.dimensions, extractor.classes) == (3, 7 if has_top else None)


def test_keras_inception_of_other_files(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.applications, "InceptionV3", small_inception)
    path, _ = write_keras(tmp_path / "model.h5")
    (tmp_path / "text.h5").write_text("nothing")
    batch_normalization = keras.Sequential([keras.Input([4]), keras.layers.BatchNormalization()])
    batch_normalization.save_weights(tmp_path / "other.weights.h5")
    for given, message in {
        path: "does not hold weights",
        tmp_path / "text.h5": "does not hold weights",
        tmp_path / "other.weights.h5": "does not hold weights",
        tmp_path / "nowhere.h5": "do not exist",
    }.items():
        with pytest.raises(UserError, match=message) as refused:
            open_extractor(f"keras_inceptionv3:{given}", 8, 3)
        assert "\n" not in str(refused.value)
