"""The network that evaluate quality and torch-fidelity are compared on, and what is asked first."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from robgan_tf.data.sources import InMemorySource
from robgan_tf.errors import UserError
from tests.data.helpers import random_pixels
from tools.benchmarks.options import Options
from tools.benchmarks.quality_peer import Commands
from tools.quality_peer.efficientnet_lite0 import EfficientNetLite0
from tools.quality_peer.folders import write_images


def test_the_network_is_that_of_its_weights(real_data):
    folder = real_data / "pretrained"
    weights = folder / "efficientnet_lite0_imagenet.npz"
    spec = importlib.util.spec_from_file_location("reference", folder / "efficientnet_lite0.py")
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    images = random_pixels(2, 32, 32, 3)
    ours = EfficientNetLite0(weights)(images)
    theirs = reference.EfficientNetLite0(weights)(images)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_images_are_written_by_class_in_order(tmp_path):
    pixels, labels = random_pixels(5, 4, 4, 3), np.array([0, 1, 0, 0, 1])
    write_images(InMemorySource(pixels, labels, ["a", "b"], 4), tmp_path / "real", at_once=2)
    for name, rows in (("a", labels == 0), ("b", labels == 1)):
        paths = sorted((tmp_path / "real" / name).iterdir())
        found = [np.asarray(Image.open(path)) for path in paths]
        np.testing.assert_array_equal(found, pixels[rows])


def test_what_it_needs_is_asked_for(tmp_path):
    with pytest.raises(UserError, match="--feature_weights"):
        Commands(tmp_path, "gin/cifar10.gin", Options(1, "data", "python"))
