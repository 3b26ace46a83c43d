"""A PyTorch module under attack, against the Keras model of the same weights."""

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf

torch = pytest.importorskip("torch", reason="pip install 'robgan_tf[torch]'")

from robgan_tf.adapters.pytorch import PyTorchClassifier  # noqa: E402
from robgan_tf.robustness.own_gradient import relative_error  # noqa: E402
from robgan_tf.robustness.subjects import foreign_classifier  # noqa: E402

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, [40, 8, 8, 3]).astype(np.float32)
KERNEL = RANDOM.normal(0.0, 0.3, [3, 3, 3, 8]).astype(np.float32)
HEAD = RANDOM.normal(0.0, 0.3, [8, 4]).astype(np.float32)


def in_tensorflow(images):
    hidden = tf.nn.relu(tf.nn.conv2d(images, KERNEL, 1, "SAME"))
    return tf.reduce_sum(hidden, axis=[1, 2]) @ HEAD


LABELS = np.asarray(in_tensorflow(IMAGES)).argmax(axis=1)


class Network(torch.nn.Module):
    """The same network, with dropout and statistics that only training mode would show."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.convolution.weight.data = torch.from_numpy(KERNEL.transpose(3, 2, 0, 1).copy())
        self.dropout = torch.nn.Dropout(0.5)
        self.head = torch.nn.Linear(8, 4, bias=False)
        self.head.weight.data = torch.from_numpy(HEAD.T.copy())

    def forward(self, images):
        assert images.is_contiguous(memory_format=torch.channels_last)
        hidden = torch.relu(self.convolution(images)).sum(dim=(2, 3))
        return self.head(self.dropout(hidden))


def test_verdicts_are_those_of_the_same_weights_in_tensorflow():
    expected = robgan_tf.robust_accuracy(in_tensorflow, IMAGES, LABELS, 0.25)
    assert 0.0 < expected.robust < 1.0
    # As it is, or as the adapter that is made of it.
    for model in (Network(), PyTorchClassifier(Network(), threads=1)):
        found = robgan_tf.robust_accuracy(model, IMAGES, LABELS, 0.25)
        np.testing.assert_array_equal(found.fooled_by, expected.fooled_by)


def test_it_is_frozen_in_evaluation_mode_and_its_gradient_is_its_own():
    network = Network()
    model = PyTorchClassifier(network)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    classifier = foreign_classifier(model, "torch", "test")
    assert relative_error(classifier.logits, IMAGES) < 0.03
    # Right without the logits before it, and after those of other images.
    upstream = np.ones([40, 4], np.float32)
    first = model.input_gradient(IMAGES, upstream)
    model.logits(IMAGES[::-1].copy())
    np.testing.assert_array_equal(model.input_gradient(IMAGES, upstream), first)


def test_weights_are_part_of_what_identifies_it():
    other = Network()
    other.head.weight.data[0, 0] += 1.0
    one, same, another = (PyTorchClassifier(x).identity for x in (Network(), Network(), other))
    assert one == same != another
    assert foreign_classifier(Network(), "a", "file").source == f"file {one}"


class Pair(Network):
    def forward(self, images):
        return super().forward(images), images


class Constant(torch.nn.Module):
    def forward(self, images):
        return images.detach().sum(dim=(2, 3))


def test_outputs_that_are_no_logits():
    with pytest.raises(robgan_tf.UserError, match="Pair gives a tuple; one tensor of logits"):
        robgan_tf.robust_accuracy(Pair(), IMAGES, LABELS, 0.05)
    ones = np.ones_like(IMAGES)
    assert not PyTorchClassifier(Constant()).input_gradient(ones, ones[:, 0, 0]).any()
