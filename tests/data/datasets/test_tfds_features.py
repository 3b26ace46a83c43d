"""Data sets of TensorFlow Datasets whose features are not the usual ones."""

import json

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from robgan_tf.data import load_image_data
from robgan_tf.data.overlap import overlap_warning
from robgan_tf.data.sources import ImageSource
from tests.data.helpers import random_pixels, user_error

RGBA = random_pixels(12, 6, 6, 4)
GRAY = random_pixels(12, 6, 6, 1, seed=1)
FLOATS = RGBA[0, ..., :3].astype(np.float32)
IDS = [f"{number:02d}".encode() + b"\xff\xe9" for number in range(12)]


@pytest.fixture
def prepare(tmp_path):
    """Prepares a data set of 9 training and 3 test images; returns a function that loads it."""

    def prepare(features, example):
        class Odd(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self, features=tfds.features.FeaturesDict(features)
                )

            def _split_generators(self, dl_manager):
                splits = {"train": range(9), "test": range(9, 12)}
                return {name: self._generate_examples(k) for name, k in splits.items()}

            def _generate_examples(self, numbers):
                for number in numbers:
                    yield number, example(number)

        Odd(data_dir=tmp_path).download_and_prepare()

        def load(**changes):
            settings = {"resolution": 6, "channels": 3, "num_classes": 3} | changes
            return load_image_data("odd", data_dir=str(tmp_path), **settings)

        return load

    return prepare


LABEL = tfds.features.ClassLabel(num_classes=3)


def everything(source: ImageSource):
    return source.fetch(np.arange(len(source)))


def as_set(images):
    return {image.tobytes() for image in images}


def over_white(rgba):
    """By the definition of the over operator, rounded."""
    alpha = rgba[..., 3:] / 255.0
    return rgba[..., :3] * alpha + 255.0 * (1.0 - alpha)


def test_rgba_is_laid_over_white(prepare):
    load = prepare(
        {"image": tfds.features.Image(shape=(6, 6, 4), encoding_format="png"), "label": LABEL},
        lambda k: {"image": RGBA[k], "label": k % 3},
    )
    test = load().test
    order = [
        int(np.abs(over_white(RGBA[9:]) - image).max(axis=(1, 2, 3)).argmin()) for image in
        everything(test)
    ]  # fmt: skip
    assert sorted(order) == [0, 1, 2]
    assert np.abs(everything(test) - over_white(RGBA[9:][order])).max() <= 1.0
    assert test.labels.tolist() == [(9 + k) % 3 for k in order]
    assert load(channels=1).test.fetch([0]).shape == (1, 6, 6, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_unknown_shape_are_converted(prepare, channels):
    """Gray, RGB and RGBA images in one data set."""
    pixels = [GRAY[0].repeat(3, -1), *RGBA[1:, ..., :3]]
    load = prepare(
        {"image": tfds.features.Image(shape=(None, None, None)), "label": LABEL},
        lambda k: {"image": GRAY[k] if k == 9 else pixels[k], "label": k % 3},
    )
    found = as_set(everything(load(channels=channels).test))
    gray = GRAY[9].repeat(channels, -1)
    mode = "L" if channels == 1 else "RGB"
    colours = [np.asarray(Image.fromarray(pixels[k]).convert(mode)) for k in (10, 11)]
    assert found == as_set([gray, *colours])


def test_tensors_are_images_too(prepare):
    load = prepare(
        {"image": tfds.features.Tensor(shape=(6, 6, 1), dtype=np.uint8), "label": LABEL},
        lambda k: {"image": GRAY[k], "label": k % 3},
    )
    assert as_set(everything(load(channels=1).test)) == as_set(GRAY[9:])
    assert load(channels=1, resolution=4).test.fetch([0]).shape == (1, 4, 4, 1)
    with user_error("have 1 channels, but data.channels is 3: set data.channels to 1"):
        load()


@pytest.mark.parametrize(
    ("image", "value", "message"),
    [
        (tfds.features.Tensor(shape=(6, 6, 4), dtype=np.uint8), RGBA[0],
         "have 4 channels, and 1 or 3 are needed: choose another dataset"),
        (tfds.features.Tensor(shape=(6, 6), dtype=np.uint8), GRAY[0, ..., 0],
         r"have the shape \[6, 6\], and \[height, width, channels\] is needed"),
        (tfds.features.Tensor(shape=(6, 6, 3), dtype=np.float32), FLOATS,
         "are float32, not uint8"),
        (tfds.features.Sequence(tfds.features.Image(shape=(6, 6, 3))), [RGBA[0, ..., :3]],
         "the 'image' of the dataset odd is a Sequence, and one image is needed"),
        (tfds.features.Text(), "a picture", "the 'image' of the dataset odd is a Text"),
    ],
)  # fmt: skip
def test_what_is_no_8_bit_image_is_refused(prepare, image, value, message):
    load = prepare({"image": image, "label": LABEL}, lambda k: {"image": value, "label": 0})
    with user_error(message):
        load()


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        (tfds.features.Sequence(LABEL), [1, 2], "is a Sequence, and one class label for each"),
        (tfds.features.Scalar(np.int64), 1, "is a Scalar, and one class label for each"),
    ],
)
def test_what_is_no_class_label_is_refused(prepare, label, value, message):
    load = prepare(
        {"image": tfds.features.Image(shape=(6, 6, 1)), "label": label},
        lambda k: {"image": GRAY[k], "label": value},
    )
    with user_error(f"the 'label' of the dataset odd {message}"):
        load(channels=1)


def gray_features(**more):
    return {"image": tfds.features.Image(shape=(6, 6, 1)), "label": LABEL, **more}


def test_ids_that_are_no_text_are_shown_as_escapes(prepare):
    load = prepare(
        gray_features(id=tfds.features.Tensor(shape=(), dtype=np.bytes_)),
        lambda k: {"image": GRAY[k], "label": k % 3, "id": IDS[k]},
    )
    ids = load(channels=1).test.ids
    assert sorted(ids) == [f"{number:02d}\\xff\\xe9" for number in (9, 10, 11)]


def test_several_ids_an_image_are_none(prepare):
    load = prepare(
        gray_features(id=tfds.features.Sequence(tfds.features.Text())),
        lambda k: {"image": GRAY[k], "label": k % 3, "id": ["a", "b"]},
    )
    assert load(channels=1).test.ids is None


def test_a_split_that_asks_for_too_many_images(prepare):
    load = prepare(gray_features(), lambda k: {"image": GRAY[k], "label": k % 3})
    with user_error(r"no split 'train\[:80\]': it has train \(9 images\), test \(3 images\)"):
        load(channels=1, train_split="train[:80]")


@pytest.mark.parametrize("augmentation", ["none", "area_crop_flip"])
def test_overlapping_splits_are_counted_whatever_the_crops(prepare, augmentation):
    load = prepare(gray_features(), lambda k: {"image": GRAY[k], "label": k % 3})
    settings = {"channels": 1, "augmentation": augmentation}
    assert overlap_warning(load(**settings), ["validation", "test"]) is None
    data = load(train_split="train[:6]", test_split="train[4:]", **settings)
    assert overlap_warning(data, ["validation", "test"]) == (
        "warning: 2 of 5 test images are training images too, or exactly like one: what is "
        "measured on them says nothing of new images"
    )


def test_images_without_labels_can_be_held_out_but_not_attacked(prepare):
    load = prepare(gray_features(), lambda k: {"image": GRAY[k], "label": -1})
    data = load(channels=1, validation_examples=2, train_examples=4)
    assert (len(data.validation), len(data.train)) == (2, 4)
    assert data.train.labels.tolist() == [-1] * 4
    with user_error("3 of 3 images have no label .they are marked -1., which the test needs"):
        data.test.check_labelled("the test needs")


@pytest.mark.parametrize("key", ["pythonClassName", "type"])
def test_a_data_set_names_no_class_of_another_module(prepare, tmp_path, monkeypatch, key):
    labels = tfds.features.ClassLabel(names=["a", "b", "c"])
    image = tfds.features.Image(shape=(6, 6, 3))
    load = prepare(
        {"image": image, "label": labels},
        lambda number: {"image": RGBA[number, ..., :3], "label": number % 3},
    )
    assert load().class_names == ("a", "b", "c")
    marker = tmp_path / "ran"
    (tmp_path / "payload.py").write_text(f"open({str(marker)!r}, 'w')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (path,) = tmp_path.rglob("features.json")
    features = json.loads(path.read_text())
    features["featuresDict"]["features"]["image"] = {key: "payload.Image", "image": {}}
    path.write_text(json.dumps(features))
    with user_error(r"features.json names the class 'payload.Image', and only those of TensorFlow"):
        load()
    assert not marker.exists()
    path.write_text("{")
    with user_error(r"features.json cannot be read: JSONDecodeError"):
        load()
