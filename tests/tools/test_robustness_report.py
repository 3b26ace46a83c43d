"""Table 1 and Figures 2 and 6 from records of runs, as `robgan-tf record` writes them."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from robgan_tf.comparison.record import write_record
from tools import robustness_report

STEPS = list(range(100, 1100, 100))


def run_directory(path, is_joint, attacked):
    """What a finished and evaluated run leaves, of made-up numbers."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(
        json.dumps({"train.seed" if is_joint else "finetune.seed": 0})
    )
    lines = []
    for step in STEPS:
        share = step / 1000.0
        values = {"step": step, "loss_discriminator/real_class": 1.0 - share / 2}
        for split, factor in (("train", 1.0), ("test", 0.5)):
            values[f"gap/{split}_clean"] = share
            values[f"gap/{split}_attacked"] = share * factor
            values[f"gap/{split}_lipschitz"] = share / factor
        lines.append(json.dumps(values))
    (path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    radii = [
        {
            "epsilon": epsilon,
            "accuracy": accuracy,
            "interval_95": [accuracy - 0.01, accuracy + 0.01],
            "images": 10_000,
            "seconds": 1.0,
        }
        for epsilon, accuracy in zip((0.0, 0.02, 0.04, 0.08), attacked, strict=True)
    ]
    (path / "evaluations").mkdir()
    (path / "evaluations" / "robustness_published_test.json").write_text(
        json.dumps({"radii": radii, "images": "All 10000 images"})
    )
    return path


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    runs = {
        "adversarial_training": (False, (0.5, 0.4, 0.3, 0.1)),
        "gan": (True, (0.6, 0.3, 0.2, 0.05)),
        "rob_gan": (False, (0.55, 0.45, 0.35, 0.15)),
    }
    for name, arguments in runs.items():
        run = run_directory(tmp_path / "runs" / name, *arguments)
        write_record(run, tmp_path / "records" / name)
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "records")])
    robustness_report.main()
    return tmp_path / "records"


def test_the_table_has_a_row_a_run_and_a_column_a_radius(experiment):
    lines = (experiment / "table.md").read_text().splitlines()
    assert lines[0].count("/255") == 4
    rows = {line.split("|")[1].strip(): line for line in lines[2:5]}
    assert list(rows) == [
        "adversarial training, equal D updates",
        "Rob-GAN before fine-tuning",
        "Rob-GAN with fine-tuning",
    ]
    assert "35.00% (34.0% to 36.0%)" in rows["Rob-GAN with fine-tuning"]


def test_records_are_small_and_hold_the_gap(experiment):
    path = experiment / "rob_gan" / "0.json"
    assert path.stat().st_size < 200_000
    record = json.loads(path.read_text())
    assert record["curves"]["step"] == STEPS
    assert record["curves"]["gap/test_attacked"][-1] == 0.5
    assert (experiment / "rob_gan" / "0_curves.png").exists()


def test_figures_show_train_and_test(experiment):
    for name in ("figure_2.png", "figure_6.png"):
        picture = np.asarray(Image.open(experiment / name).convert("RGB")).astype(int)
        red = (picture[..., 0] > 180) & (picture[..., 1] < 80) & (picture[..., 2] < 80)
        blue = (picture[..., 2] > 140) & (picture[..., 0] < 80)
        assert red.sum() > 100 and blue.sum() > 100
