"""Tests of the TensorFlow Datasets source."""

import shutil
import time

import numpy as np
import psutil
import pytest
import tensorflow_datasets as tfds

from robgan_tf.data import evaluation_batches, load_image_data
from robgan_tf.data.sources import LazySource
from tests.data.helpers import random_pixels, user_error

PIXELS = random_pixels(20, 10, 14, 3)


class TinyPhotos(tfds.core.GeneratorBasedBuilder):
    """Twenty pictures of 14x10 pixels in four classes, in memory."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["a", "b", "c", "d"]),
            "places": tfds.features.Sequence(tfds.features.Scalar(np.int64)),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {
            "train": self._generate_examples(range(16)),
            "test": self._generate_examples(range(16, 20)),
        }

    def _generate_examples(self, numbers):
        for k in numbers:
            yield k, {"image": PIXELS[k], "label": k % 4, "places": [k] * (k % 3)}


@pytest.fixture(scope="module")
def tiny_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    TinyPhotos(data_dir=folder).download_and_prepare()
    return str(folder)


def load_tiny(tiny_dir, name="tiny_photos", **changes):
    settings = {"resolution": 10, "channels": 3, "num_classes": 4, "data_dir": tiny_dir} | changes
    return load_image_data(name, **settings)


def everything(source):
    return source.fetch(np.arange(len(source)))


def test_centre_squares_in_one_fixed_order(tiny_dir):
    data = load_tiny(tiny_dir)
    # The test split is loaded when it is needed.
    assert isinstance(data.test, LazySource) and data.test._loaded is None
    assert len(data.test) == 4 and data.test._loaded is None
    list(evaluation_batches(data.test, 3))
    assert data.test._loaded is not None
    assert data.class_names == ("a", "b", "c", "d")
    for source, numbers in ((data.train, range(16)), (data.test, range(16, 20))):
        squares = {PIXELS[k, :, 2:12].tobytes(): k for k in numbers}
        seen = [squares[image.tobytes()] for image in everything(source)]
        assert sorted(seen) == list(numbers)
        assert source.labels.tolist() == [k % 4 for k in seen]
    np.testing.assert_array_equal(everything(load_tiny(tiny_dir).train), everything(data.train))


def test_validation_does_not_depend_on_augmentation_or_version(tiny_dir):
    plain = load_tiny(tiny_dir, resolution=8, validation_examples=8)
    crops = load_tiny(tiny_dir, resolution=8, validation_examples=8, augmentation="area_crop_flip")
    versioned = load_tiny(tiny_dir, "tiny_photos:1.0.0", resolution=8, validation_examples=8)
    for other in (crops, versioned):
        assert len(other.validation) == 8
        np.testing.assert_array_equal(everything(other.validation), everything(plain.validation))
        np.testing.assert_array_equal(other.validation.labels, plain.validation.labels)
        np.testing.assert_array_equal(other.train.labels, plain.train.labels)
    assert np.bincount(plain.validation.labels).tolist() == [2, 2, 2, 2]


def test_resize_is_antialiased(tiny_dir):
    """Halving averages: random pixels lose more than a third of their spread."""
    small = everything(load_tiny(tiny_dir, resolution=5).train)
    assert small.shape == (16, 5, 5, 3)
    assert small.std() < 0.65 * PIXELS.std()


def test_mismatches(tiny_dir):
    with user_error("has 4 classes, but data.num_classes is 10: set data.num_classes to 4"):
        load_tiny(tiny_dir, num_classes=10)
    with user_error("have 3 channels, but data.channels is 1: set data.channels to 3"):
        load_tiny(tiny_dir, channels=1)
    with user_error("no split 'validation': it has .*train"):
        load_tiny(tiny_dir, test_split="validation")


def test_too_little_memory(tiny_dir, monkeypatch):
    class Memory:
        available = 7000  # bytes; 20 images of 300 bytes need 6000

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    with user_error("needs 0.0 GB of memory .* more than 70% .* image_folder"):
        load_tiny(tiny_dir)
    Memory.available = 9000
    load_tiny(tiny_dir)


def test_damaged_records(tiny_dir, tmp_path):
    copy = shutil.copytree(tiny_dir, tmp_path / "copy")
    (record,) = copy.glob("tiny_photos/1.0.0/*train.tfrecord*")
    data = bytearray(record.read_bytes())
    data[len(data) // 2] ^= 255
    record.write_bytes(data)
    with user_error("tiny_photos in .* is damaged, split 'train' .*DataLossError"):
        load_tiny(str(copy))


def test_unknown_dataset(tmp_path):
    with user_error(
        r"unknown dataset 'cifar11' \(did you mean .*cifar10.*\): give digits, image_folder"
    ):
        load_tiny(str(tmp_path), "cifar11")
    with user_error("unknown dataset 'qqqqqqqq': give digits"):
        load_tiny(str(tmp_path), "qqqqqqqq")
    with user_error("cannot open the dataset 'cifar10:9.9.9': .*3.0.2"):
        load_tiny(str(tmp_path), "cifar10:9.9.9")
    with user_error("cannot open the dataset 'a b:'"):
        load_tiny(str(tmp_path), "a b:")


def test_dataset_without_labels(tmp_path):
    class Unlabelled(TinyPhotos, skip_registration=True):
        def _info(self):
            features = {"image": tfds.features.Image(shape=(None, None, 3))}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _generate_examples(self, numbers):
            for k in numbers:
                yield k, {"image": PIXELS[k]}

    Unlabelled(data_dir=tmp_path).download_and_prepare()
    with user_error("dataset unlabelled has no feature 'label' .it has image."):
        load_tiny(str(tmp_path), "unlabelled")


def test_not_prepared_fails_quickly(tmp_path, monkeypatch):
    """Without a network; the proxy makes sure that none is reached."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    start = time.monotonic()
    with user_error(
        f"the dataset cifar10 is not prepared in {tmp_path}/cifar10/3.0.2, and downloading it "
        r"failed \(.*\): pass --data_dir \(or set TFDS_DATA_DIR"
    ):
        load_tiny(str(tmp_path), "cifar10", num_classes=10)
    assert time.monotonic() - start < 10


def test_nothing_is_printed(tiny_dir, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    capfd.readouterr()
    load_tiny(tiny_dir, validation_examples=4)
    with user_error("not prepared"):
        load_tiny(str(tmp_path), "cifar10", num_classes=10)
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == ""


def test_cifar10(real_data):
    data = load_image_data(
        "cifar10",
        resolution=32,
        channels=3,
        num_classes=10,
        data_dir=str(real_data / "tfds"),
        validation_examples=1000,
    )
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    assert data.class_names == tuple(names.split())
    assert np.bincount(data.train.labels).tolist() == [4900] * 10
    assert np.bincount(data.validation.labels).tolist() == [100] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10
    train = np.concatenate([everything(data.train), everything(data.validation)])
    assert train.shape == (50000, 32, 32, 3)
    means = train.mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
    means = everything(data.test).mean(axis=(0, 1, 2)) / 255
    np.testing.assert_allclose(means, [0.4942, 0.4851, 0.4504], atol=5e-5)
    # The first records; none of them is held out with split seed 0.
    first = [data.class_names[label] for label in data.train.labels[:4]]
    assert first == ["horse", "ship", "deer", "deer"]
