"""Generated images for the classifier: from a generator, an exported one, stored ones."""

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.errors import UserError
from robgan_tf.stages.generated_stream import (
    load_exported_generator,
    stream_of_generator,
    stream_of_stored,
)
from tests.data.helpers import numbered_source


class LabelledNoise(tf.Module):
    """Images whose first pixel is the label, the others the mean of z; export as a user would."""

    def __init__(self, side=4):
        super().__init__()
        self.side = side
        self.scale = tf.Variable(0.1)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 3], tf.float32, "latents"),
            tf.TensorSpec([None], tf.int64, "labels"),
        ]
    )
    def generate(self, latents, labels):
        label = tf.cast(labels, tf.float32)[:, None, None, None] / 10.0
        mean = self.scale * tf.reduce_mean(latents, axis=1)[:, None, None, None]
        return {"images": label + mean + tf.zeros([1, self.side, self.side, 1])}


@pytest.fixture
def exported(tmp_path):
    module = LabelledNoise()
    tf.saved_model.save(module, str(tmp_path), signatures={"generate": module.generate})
    return tmp_path


def taken(stream, count):
    return [tuple(np.array(part) for part in next(stream)) for _ in range(count)]


def test_a_generator_gives_new_images_each_step_and_the_same_again(exported):
    generate, latent_size = load_exported_generator(exported, 4, 1, 10)
    arguments = {"count": 50, "seed": 3}
    stream = stream_of_generator(generate, latent_size, 10, start_step=0, **arguments)
    whole = taken(stream, 4)
    later = taken(stream_of_generator(generate, latent_size, 10, start_step=2, **arguments), 2)
    for one, two in zip(whole[2:], later, strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    images, labels = whole[0]
    assert images.shape == (50, 4, 4, 1) and np.abs(images).max() <= 1.0
    assert set(np.concatenate([batch[1] for batch in whole])) == set(range(10))
    # The image belongs to its label: z adds at most a few tenths of 0.1.
    assert np.abs(images[:, 0, 0, 0] - np.minimum(labels / 10.0, 1.0)).max() < 0.35
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_stored_images_are_seen_once_an_epoch_and_continue_exactly():
    source = numbered_source(12)
    arguments = {"count": 4, "seed": 0, "augmentation": "none", "dequantize": False}
    whole = taken(stream_of_stored(source, start_step=0, **arguments), 6)
    values = [round(float(x[0, 0, 0] + 1.0) * 127.5) for images, _ in whole for x in images]
    assert sorted(values[:12]) == sorted(values[12:]) == list(range(12))
    assert values[:12] != values[12:]
    labels = [int(label) for _, batch in whole for label in batch]
    assert labels == [value % 3 for value in values]
    later = taken(stream_of_stored(source, start_step=4, **arguments), 2)
    for one, two in zip(whole[4:], later, strict=True):
        np.testing.assert_array_equal(one[0], two[0])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((8, 1), r"float32 \[4, 4, 1\] images|gives float32 images \[4, 4, 1\]"),
        ((4, 3), "are needed"),
    ],
)
def test_an_exported_generator_of_other_images_is_refused(exported, shape, message):
    with pytest.raises(UserError, match=message):
        load_exported_generator(exported, *shape, 10)


def test_other_saved_models_are_refused(tmp_path):
    module = LabelledNoise()
    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"sample": module.generate})
    with pytest.raises(UserError, match="has no signature `generate`: sample"):
        load_exported_generator(tmp_path / "other", 4, 1, 10)
    with pytest.raises(UserError, match="cannot be loaded"):
        load_exported_generator(tmp_path / "nowhere", 4, 1, 10)
