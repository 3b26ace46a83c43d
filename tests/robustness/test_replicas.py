"""Batches spread over devices: the same verdicts, digit for digit, whatever their number."""

import subprocess
import sys

import numpy as np
import pytest

from robgan_tf.robustness.replicas import spread

# Devices are set up once in a process.
PROGRAM = """
import dataclasses
import numpy as np, tensorflow as tf, keras
from robgan_tf.quality.extractors.extractor import FeatureExtractor
from robgan_tf.attacks.auto_pgd import AutoPGD
from robgan_tf.attacks.square import SquareSearch
from robgan_tf.robustness.compiled import CompiledClassifier
from robgan_tf.robustness.evaluation import RobustnessEvaluation
from robgan_tf.robustness.subjects import Classifier
from robgan_tf.training.distribution import replica_devices

devices = replica_devices(2, "--replicas")
keras.utils.set_random_seed(1)
model = keras.Sequential([
    keras.layers.Input([8, 8, 3]),
    keras.layers.Conv2D(6, 3, activation="relu"),
    keras.layers.Flatten(),
    keras.layers.Dense(5),
])
images = np.random.default_rng(0).uniform(-1, 1, [1003, 8, 8, 3]).astype(np.float32)
classifier = Classifier("x", lambda x: 20.0 * model(x, training=False), "x")
labels = np.argmax(classifier.logits(images), axis=1)
labels[::7] = (labels[::7] + 1) % 5
attacks = [AutoPGD(0.004, 5), AutoPGD(0.01, 5), SquareSearch(0.1, 20)]
found = []
for names in (None, devices):
    compiled = CompiledClassifier(classifier, images.shape[1:], names)
    assert compiled.devices == len(names or [0])
    evaluation = RobustnessEvaluation(compiled, attacks, batch_size=100)
    outcome = evaluation.run(images, labels)
    found.append((outcome, outcome.parts(["apgd-cross_entropy", "square"]), evaluation.gradients))
(one, parts, counts), (two, parts_of_two, counts_of_two) = found
np.testing.assert_array_equal(one.fooled_by, two.fooled_by)
np.testing.assert_array_equal(one.adversarial, two.adversarial)
assert parts == parts_of_two and counts == counts_of_two
assert all(0 < part["fooled"] < part["images"] for part in parts), parts
print(devices, parts)

pixels = np.random.default_rng(1).integers(0, 256, [1003, 8, 8, 3]).astype(np.uint8)
call = tf.function(
    lambda x: model(tf.cast(x, tf.float32) / 255.0),
    input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8)],
)
of_one = FeatureExtractor("x", call, 5, None, (8, 8, 3), "x", np.zeros([1, 5], np.float32))
features = [dataclasses.replace(of_one, devices=names)(pixels)[0] for names in ((), devices)]
assert features[0].shape == (1003, 5) and features[0].std() > 0
np.testing.assert_array_equal(*features)
"""


def test_1003_images_on_two_replicas_give_the_same_counts_and_features():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_batch_is_computed_once_and_an_error_ends_it():
    batches = [np.arange(3 * i, 3 * i + 3) for i in range(40)]

    def of(sign):
        return lambda batch: sign * int(batch.sum())

    found = {int(batch[0]): abs(result) for batch, _, result in spread(batches, [of(1), of(-1)])}
    assert found == {int(batch[0]): int(batch.sum()) for batch in batches}

    def fails(batch):
        if batch[0] == 30:
            raise ValueError("30")
        return 0

    with pytest.raises(ValueError, match="30"):
        list(spread(batches, [fails, fails]))
