"""Tests of the random changes to images."""

import numpy as np
import tensorflow as tf

from robgan_tf.data.augmentation import area_boxes, random_flip, random_pad_crop_flip
from tests.data.helpers import random_pixels

SEED = tf.constant([3, 4])


def test_flip_mirrors_about_half_of_the_images():
    images = random_pixels(200, 3, 4, 2)
    result = random_flip(tf.constant(images), SEED).numpy()
    same = (result == images).all(axis=(1, 2, 3))
    mirrored = (result == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert np.all(same ^ mirrored)
    assert 70 < mirrored.sum() < 130  # expected 100, standard deviation 7


def test_flipping_twice_restores():
    images = tf.constant(random_pixels(20, 3, 4, 2))
    np.testing.assert_array_equal(random_flip(random_flip(images, SEED), SEED), images)


def test_pad_crop_flip_shows_every_window_of_the_padded_image():
    image = random_pixels(5, 6, 2) | 1  # never black
    result = random_pad_crop_flip(tf.constant(np.stack([image] * 2000)), SEED).numpy()
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)])
    windows = [padded[y : y + 5, x : x + 6] for y in range(9) for x in range(9)]
    windows += [window[:, ::-1] for window in windows]
    expected = {window.tobytes() for window in windows}
    assert {shown.tobytes() for shown in result} == expected


def test_pad_crop_flip_draws_for_each_image():
    images = np.stack([random_pixels(8, 8, 3)] * 2)
    first, second = random_pad_crop_flip(tf.constant(images), SEED).numpy()
    assert np.any(first != second)


def test_area_boxes_are_squares_inside_the_image():
    boxes = area_boxes(SEED, 2000).numpy().astype(np.float64)
    heights, widths = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    np.testing.assert_allclose(heights, widths, atol=1e-6)
    assert boxes.min() >= 0 and boxes.max() <= 1
    areas = heights * widths
    assert 0.7999 <= areas.min() < 0.801 and 0.899 < areas.max() <= 0.9001
    np.testing.assert_allclose(areas.mean(), 0.85, atol=0.005)
    # The position is uniform over what the size leaves free, in both directions alike.
    places = boxes[:, :2] / (1 - heights[:, None])
    np.testing.assert_allclose(places.mean(axis=0), [0.5, 0.5], atol=0.03)
    assert abs(np.corrcoef(places.T)[0, 1]) < 0.1
