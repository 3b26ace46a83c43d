"""The gap's meter on a model with closed forms, and its records."""

import csv
import io
import types

import numpy as np
import pytest
import tensorflow as tf

from robgan_tf.attacks import ProjectedGradientDescent
from robgan_tf.data import ImageData
from robgan_tf.watching import final_evaluation
from robgan_tf.watching.gap import GapMeter, gap_csv, gap_records
from tests import tiny
from tests.data.helpers import numbered_source


class Brightness(tf.Module):
    """Two classes by the first pixel; logits (0, first pixel)."""

    def __call__(self, images, training):
        assert training is False
        score = images[:, 0, 0, 0]
        return None, tf.stack([tf.zeros_like(score), score], axis=1)

    def _flatten_layers(self):
        return []


def test_each_split_is_measured_on_its_own_images():
    train, test = numbered_source(200, classes=2), numbered_source(40, classes=2)
    sources = {"train": train, "validation": train.subset([]), "test": test}
    meter = GapMeter(Brightness(), sources, 100, ProjectedGradientDescent(0.203, 10, 0.05))
    values = meter()
    assert set(values) == {
        f"gap/{split}_{measure}"
        for split in ("train", "test")
        for measure in ("clean", "attacked", "lipschitz")
    }
    shown = {"train": np.linspace(0, 199, 100).round().astype(int), "test": np.arange(40)}
    for split, numbers in shown.items():
        pixel, label = numbers / 127.5 - 1.0, numbers % 2
        sign = 2 * label - 1
        assert values[f"gap/{split}_clean"] == np.mean((pixel > 0) == label)
        assert values[f"gap/{split}_attacked"] == np.mean((pixel - 0.203 * sign > 0) == label)
        # || d loss / dx || is the probability of the wrong class.
        wrong = 1.0 / (1.0 + np.exp(sign * pixel))
        assert values[f"gap/{split}_lipschitz"] == pytest.approx(wrong.mean(), rel=1e-5)
    assert meter() == values


def test_csv_has_a_row_a_measurement():
    records = [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": 1.0, "gap/test_clean": 0.5},
        {"step": 4, "gap/test_clean": 0.75},
    ]
    rows = list(csv.DictReader(io.StringIO(gap_csv(gap_records(records)))))
    assert rows == [
        {"step": "2", "gap/test_clean": "0.5"},
        {"step": "4", "gap/test_clean": "0.75"},
    ]


def test_the_caption_of_its_picture_says_how_many_images_of_each_split(tmp_path, monkeypatch):
    captions = []
    monkeypatch.setattr(
        final_evaluation, "gap_plot", lambda runs, caption: captions.append(caption) or b""
    )
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 2, "gap/test_clean": 0.5}\n')
    run = types.SimpleNamespace(
        path=tmp_path / "a run",
        metrics_path=metrics,
        gap_csv_path=tmp_path / "gap.csv",
        gap_picture_path=tmp_path / "gap.png",
    )
    splits = [numbered_source(count, classes=2) for count in (900, 100, 355)]
    data = ImageData(*splits, class_names=("a", "b"), description="")
    config = tiny.config("gap.every = 2", "gap.images = 500", "final_evaluation.epsilon = '8/255'")
    final_evaluation.write_gap(config, run, data)
    assert captions == [
        "a run: PGD-20 of radius 0.0627451 (8/255), 500 train, 100 validation, 355 test images"
    ]
