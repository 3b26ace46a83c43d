"""Sets of corrupted digits, as CIFAR-10-C is shared, against numbers computed by hand."""

import dataclasses
import itertools
import json
import pathlib

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from sklearn.datasets import load_digits

from robgan_tf.corruptions.run import evaluate_corruptions
from robgan_tf.corruptions.scores import mean_error, relative_errors
from robgan_tf.corruptions.sets import CorruptionSets
from robgan_tf.errors import UserError
from robgan_tf.robustness.subjects import foreign_classifier

COUNT, SEVERITIES = 60, 5
DIGITS = load_digits()
CLEAN = (DIGITS.images[:COUNT] * 15.9).astype(np.uint8)[..., None]
LABELS = DIGITS.target[:COUNT]
TINY_RUN = pathlib.Path(__file__).parents[1] / "tiny_run"


def noisy(severity):
    noise = np.random.default_rng(severity).normal(0.0, 25.0 * severity, CLEAN.shape)
    return np.clip(CLEAN + noise, 0, 255).astype(np.uint8)


def blurred(severity):
    return scipy.ndimage.gaussian_filter(CLEAN, [0, 0.3 * severity, 0.3 * severity, 0])


KINDS = {"gaussian_noise": noisy, "gaussian_blur": blurred}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder laid out as CIFAR-10-C."""
    folder = tmp_path_factory.mktemp("digits-c")
    for kind, corrupt in KINDS.items():
        images = [corrupt(severity) for severity in range(1, SEVERITIES + 1)]
        np.save(folder / f"{kind}.npy", np.concatenate(images))
    np.save(folder / "labels.npy", np.tile(LABELS, SEVERITIES))
    return folder


def nearest(of_pixels):
    """Which of the clean digits an image is nearest to: right about clean ones."""
    known = tf.constant(CLEAN.reshape(COUNT, -1) / 127.5 - 1.0, tf.float32)
    classes = tf.one_hot(LABELS, 10)

    def logits(images):
        pixels = tf.reshape(images, [-1, 1, 64])
        distance = tf.reduce_sum(tf.abs(pixels - known) ** of_pixels, axis=2)
        return -tf.reduce_min(distance[..., None] + 1e4 * (1.0 - classes), axis=1)

    return foreign_classifier(logits, f"nearest {of_pixels}", "test")


def by_hand(kind, severity, classifier):
    images = KINDS[kind](severity).astype(np.float32) / 127.5 - 1.0
    return float(np.mean(np.asarray(classifier.logits(images)).argmax(axis=1) == LABELS))


def test_accuracies_and_both_mean_errors(shared, tmp_path, capsys):
    one, other = nearest(2.0), nearest(1.0)
    evaluate_corruptions([one], shared, tmp_path, "one")
    text = evaluate_corruptions(
        [other], shared, tmp_path, "other", baseline=tmp_path / "one.json", batch_size=7
    )
    found = {}
    for name, classifier in (("one", one), ("other", other)):
        (model,) = json.loads((tmp_path / f"{name}.json").read_text())["models"]
        sets = {(x["kind"], x["severity"]): x["accuracy"] for x in model["sets"]}
        assert list(sets) == [(kind, s) for kind in sorted(KINDS) for s in range(1, 6)]
        for (kind, severity), accuracy in sets.items():
            assert accuracy == pytest.approx(by_hand(kind, severity, classifier))
        assert min(sets.values()) < 0.9 < max(sets.values())
        errors = [1.0 - accuracy for accuracy in sets.values()]
        assert model["mean_corruption_error_unnormalised"] == pytest.approx(np.mean(errors))
        found[name] = model, np.array(errors).reshape(2, 5)
    model, errors = found["other"]
    relative = errors.sum(axis=1) / found["one"][1].sum(axis=1)
    expected = pytest.approx(relative.mean())
    assert model["mean_corruption_error_relative_to_baseline"] == expected
    assert text.startswith(f"Images: all {COUNT} of each set.\n")
    assert "| gaussian_noise |" in text and "mean corruption error, unnormalised: " in text
    assert (tmp_path / "other.png").read_bytes().startswith(b"\x89PNG")
    assert "Corrupted images of 2 kinds in" in capsys.readouterr().out


def test_what_was_measured_before_an_interruption_is_not_measured_again(shared, tmp_path, capsys):
    one = nearest(2.0)
    whole = evaluate_corruptions([one], shared, tmp_path, "whole", batch_size=COUNT)

    read = CorruptionSets.read

    def until_the_fourth(self, count=None):
        yield from itertools.islice(read(self, count), 3)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(CorruptionSets, "read", until_the_fourth)
        evaluate_corruptions([one], shared, tmp_path, "again", batch_size=COUNT)
    assert not (tmp_path / "again.json").exists()
    capsys.readouterr()
    assert evaluate_corruptions([one], shared, tmp_path, "again", batch_size=COUNT) == whole
    assert capsys.readouterr().out.count("measured before") == 3
    # Scores of other weights under the same name are not those of this classifier.
    other = dataclasses.replace(nearest(1.0), source=one.source)
    evaluate_corruptions([other], shared, tmp_path, "again", batch_size=COUNT)
    assert "measured before" not in capsys.readouterr().out


def test_published_definition():
    # Two kinds at two severities; Hendrycks and Dietterich, equation of section 3.2.
    ours = {"fog": {1: 0.8, 2: 0.6}, "snow": {1: 0.9, 2: 0.7}}
    theirs = {"fog": {1: 0.7, 2: 0.5}, "snow": {1: 0.5, 2: 0.3}}
    assert mean_error(ours) == pytest.approx((0.3 + 0.2) / 2)
    assert relative_errors(ours, theirs) == pytest.approx({"fog": 0.6 / 0.8, "snow": 0.4 / 1.2})
    with pytest.raises(UserError, match="other sets: snow at severity 1 is in one of the two"):
        relative_errors({"fog": ours["fog"]}, theirs)
    with pytest.raises(UserError, match="makes no error on fog"):
        relative_errors(ours, {**theirs, "fog": {1: 1.0, 2: 1.0}})


def read(folder, count=None):
    return [(x.kind, x.severity, x.digest) for x in CorruptionSets(folder).read(count)]


def test_every_layout_is_the_same_sets(shared, tmp_path):
    expected = read(shared)
    for folder in ("npz", "folders", "short"):
        (tmp_path / folder).mkdir()
    for kind, corrupt in KINDS.items():
        (tmp_path / "folders" / kind).mkdir()
        for severity in range(1, 6):
            images = corrupt(severity)
            floats = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
            np.savez(tmp_path / "npz" / f"{kind}_{severity}.npz", x=floats, y=LABELS)
            np.save(tmp_path / "folders" / kind / f"{severity}.npy", images)
        np.save(tmp_path / "short" / f"{kind}.npy", np.load(shared / f"{kind}.npy"))
    for folder in ("folders", "short"):
        np.save(tmp_path / folder / "labels.npy", LABELS)
        assert read(tmp_path / folder) == expected
    assert [x[:2] for x in read(tmp_path / "npz")] == [x[:2] for x in expected]
    ours, theirs = (next(CorruptionSets(x).read()) for x in (shared, tmp_path / "npz"))
    np.testing.assert_allclose(ours.images, theirs.images, atol=1e-6)
    assert [len(x.labels) for x in CorruptionSets(shared).read(7)] == [7] * 10


def test_what_is_refused(shared, tmp_path):
    def refuse(message):
        with pytest.raises(UserError, match=message) as error:
            read(tmp_path)
        assert "\n" not in str(error.value)

    refuse("holds no corrupted images")
    np.save(tmp_path / "fog.npy", np.zeros([10, 8, 8, 1], np.uint8))
    refuse(r"fog.npy cannot be used: there is no labels.npy beside it")
    np.save(tmp_path / "labels.npy", np.arange(10))
    refuse("are not the same 2 at 5 severities, one after another: their labels do not repeat")
    np.save(tmp_path / "labels.npy", np.arange(7))
    refuse("it has 10 images and there are 7 labels")
    np.save(tmp_path / "labels.npy", np.array([object()]))
    refuse(r"labels.npy beside it: it holds pickled objects, which are programs and not read")
    (tmp_path / "labels.npy").write_bytes(b"nothing")
    refuse("cannot be used")
    with pytest.raises(UserError, match="there is no such folder"):
        CorruptionSets(tmp_path / "nowhere")
