"""A run as a library user holds it, against the networks and the command."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import robgan_tf
from robgan_tf import UserError
from robgan_tf.stages.finished import open_run

TINY_RUN = pathlib.Path(__file__).parents[1] / "tiny_run"


@pytest.fixture(scope="module")
def run():
    return robgan_tf.load_run(TINY_RUN / "joint")


@pytest.fixture(scope="module")
def tuned():
    return robgan_tf.load_run(TINY_RUN / "tuned")


def test_importing_the_package_does_not_import_tensorflow():
    code = "import sys, robgan_tf; robgan_tf.UserError; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert "load_run" in dir(robgan_tf) or "load_run" in robgan_tf.__all__
    with pytest.raises(AttributeError, match="'robgan_tf' has no attribute 'load_runs'"):
        _ = robgan_tf.load_runs


def test_a_run_in_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", str(TINY_RUN))
    assert robgan_tf.load_run("~/joint").step == 2000


def test_what_it_is(run, tuned):
    assert (run.step, tuned.step) == (2000, 100)  # the best where there is one
    assert robgan_tf.load_run(TINY_RUN / "tuned", "last").step == 200
    assert robgan_tf.load_run(TINY_RUN / "tuned", 0).step == 0
    assert run.class_names == tuple("0123456789")
    assert run.image_shape == (16, 16, 1)
    assert run.config.attack.epsilon == 0.02
    assert "joint at step 2000" in run.identity
    assert "step 2000" in repr(run)


def test_samples_are_those_of_the_command(run):
    images, labels = run.sample(20, as_uint8=True)
    with np.load(TINY_RUN / "samples.npz") as expected:
        np.testing.assert_array_equal(labels, expected["label"])
        assert np.abs(images.astype(int) - expected["image"]).max() <= 1
    floats, _ = run.sample(20, batch_size=7)
    assert floats.dtype == np.float32
    assert np.abs((floats + 1.0) * 127.5 - images).max() <= 0.51


def test_samples_of_given_classes(run, eagerly):
    images, labels = run.sample([3, 3, 0])
    np.testing.assert_array_equal(labels, [3, 3, 0])
    np.testing.assert_allclose(run.sample(["3", "3", "0"])[0], images, atol=1e-6)
    assert np.abs(images[0] - images[1]).max() > 0.01
    # Image 1 is the same in longer sets, and another with another label, seed or bound.
    np.testing.assert_allclose(run.sample([0, 3])[0][1], images[1], atol=1e-6)
    for other in (run.sample([3, 4]), run.sample([3, 3], seed=1), run.sample([3, 3], 0, 0.1)):
        assert np.abs(other[0][1] - images[1]).max() > 0.001
    assert run.sample(0)[0].shape == (0, 16, 16, 1)


def test_judgements_are_those_of_the_network(run, tuned):
    images, _ = run.sample(12)
    for one in (run, tuned):
        logits = one.classifier(images, training=False)[1].numpy().astype(np.float64)
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(one.classify(images, batch_size=5), expected, atol=1e-5)
        indices = one.classify(images, "indices")
        np.testing.assert_array_equal(indices, logits.argmax(axis=1))
        assert one.classify(images, "names").tolist() == [str(k) for k in indices]
    pixels = np.rint((images + 1.0) * 127.5).astype(np.uint8)
    np.testing.assert_allclose(run.classify(pixels), run.classify(pixels / 127.5 - 1.0), atol=1e-6)
    assert run.classify(images[:0]).shape == (0, 10)
    np.testing.assert_array_equal(run.discriminator(images)[1], run.classifier(images)[1])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full([2, 16, 16, 1], 255.0), r"floats from 0 to 255: scale them to \[-1, 1\]"),
        (np.zeros([2, 16, 16, 1], int), "images are int64: give floats in"),
        (np.zeros([16, 16, 1]), r"a single image needs a first axis, images\[None\]"),
        (np.zeros([2, 32, 32, 1]), r"shape \(2, 32, 32, 1\) and \[N, 16, 16, 1\] is needed"),
        (np.full([1, 16, 16, 1], np.nan), "infinite or NaN"),
    ],
)
def test_images_that_are_refused(run, images, message):
    with pytest.raises(UserError, match=message) as refused:
        run.classify(images)
    assert "\n" not in str(refused.value)


def test_other_things_that_are_refused(run, tuned):
    for call, message in [
        (lambda: run.sample([10]), r"labels from 0 to 10 were given; classes are 0 to 9"),
        (lambda: run.sample(["cat"]), "class 'cat' does not exist; there are 0, 1, 2"),
        (lambda: run.sample([[1]]), r"shape \(1, 1\): give \[N\] integers"),
        (lambda: run.sample(-1), "-1 images were asked for"),
        (lambda: run.sample(1, truncation=0.0), "truncation 0: give a bound above 0"),
        (lambda: run.classify(np.zeros([1, 16, 16, 1]), "logits"), "'logits' does not exist: give"),
        (lambda: tuned.sample(1), "holds no generator: it is a run of finetune"),
        (lambda: tuned.discriminator, "holds no discriminator: it is a run of finetune"),
        (lambda: robgan_tf.load_run("nowhere"), "nowhere holds no run"),
        (lambda: robgan_tf.load_run(TINY_RUN / "joint", 7), "no checkpoint of step 7"),
    ]:
        with pytest.raises(UserError, match=message):
            call()


def test_an_old_run_whose_data_is_gone_says_so(tmp_path):
    old = tmp_path / "old"
    shutil.copytree(TINY_RUN / "joint", old)
    text = (old / "config.gin").read_text()
    (old / "config.gin").write_text(text.replace("'digits'", "'image_folder'"))
    with pytest.raises(UserError, match=r"did not keep the names of classes, and the data that"):
        _ = robgan_tf.load_run(old).class_names
    record = {"class_names": list("abcdefghij"), "image_shape": [16, 16, 1]}
    record |= {"description": "", "fingerprint": ""}
    (old / "data.json").write_text(json.dumps(record))
    run = robgan_tf.load_run(old)
    assert set(run.classify(run.sample(3)[0], "names")) <= set("abcdefghij")


def test_a_model_is_saved_as_any_other(run, tmp_path):
    run.classifier.save(tmp_path / "classifier.keras")
    images, _ = run.sample(3)
    loaded = tf.keras.models.load_model(tmp_path / "classifier.keras")
    np.testing.assert_array_equal(loaded(images)[1], run.classifier(images)[1])


def test_the_weights_are_those_of_the_checkpoint(run):
    expected = open_run(TINY_RUN / "joint").load_generator()
    for one, two in zip(run.generator.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(one, two)
