"""Accuracy under attack and Lipschitz values of linear models, which have closed forms."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.evaluation import accuracy_under_attack, local_lipschitz_values


class LinearModel(tf.Module):
    """Two classes, split by the mean of the image at zero."""

    def __call__(self, images, training):
        assert training is False
        score = tf.reduce_mean(images, axis=[1, 2, 3])
        return None, tf.stack([-score, score], axis=1)

    def _flatten_layers(self):
        return []


def margins_and_labels():
    margins = np.array([0.3, -0.3, 0.05, -0.05, 0.15, 0.2], np.float32)
    labels = np.array([1, 0, 1, 0, 0, 1], np.int32)  # The fifth is wrong when clean.
    return margins, labels


@pytest.mark.parametrize("batch_size", [1, 4, 6])
@pytest.mark.parametrize(("epsilon", "expected"), [(0.0, 5), (0.1, 3), (0.25, 2), (0.5, 0)])
def test_accuracy_is_that_of_the_closed_form(batch_size, epsilon, expected):
    margins, labels = margins_and_labels()
    images = np.broadcast_to(margins[:, None, None, None], [6, 4, 4, 1])
    batches = [
        (images[start : start + batch_size], labels[start : start + batch_size])
        for start in range(0, 6, batch_size)
    ]
    attack = ProjectedGradientDescent(epsilon, 10, epsilon / 5)
    accuracy = accuracy_under_attack(LinearModel(), batches, attack)
    assert (accuracy.clean, accuracy.attacked, accuracy.images) == (5 / 6, expected / 6, 6)


def test_random_starts_do_not_depend_on_the_batch_size():
    images = np.random.default_rng(0).uniform(-0.3, 0.3, [40, 2, 2, 1]).astype(np.float32)
    labels = np.zeros(40, np.int32)
    attack = ProjectedGradientDescent(0.3, 1, 0.0, random_start=True)
    results = [
        accuracy_under_attack(
            LinearModel(),
            [(images[k : k + size], labels[k : k + size]) for k in range(0, 40, size)],
            attack,
            seed=5,
        )
        for size in (1, 8, 40)
    ]
    assert len({(result.clean, result.attacked, result.images) for result in results}) == 1
    assert 0 < results[0].attacked < 1
    for result in results:
        assert result.lipschitz == pytest.approx(results[0].lipschitz, rel=1e-6)


def test_no_images():
    with pytest.raises(ValueError, match="without images"):
        accuracy_under_attack(LinearModel(), [], ProjectedGradientDescent(0.1, 1, 0.1))


def test_lipschitz_value_of_a_quadratic():
    images = tf.random.stateless_normal([5, 3, 3, 2], [1, 2])
    values = local_lipschitz_values(lambda x: tf.reduce_sum(x**2, axis=[1, 2, 3]), images)
    expected = 2 * np.linalg.norm(images.numpy().reshape(5, -1), axis=1)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
