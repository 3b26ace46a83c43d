"""Tables of objectives, from records of which every verdict is known."""

import base64
import json

import numpy as np
import pytest

from robgan_tf.errors import UserError
from tools.compare_objectives import read_records, tables

KIND = "robustness_autoattack_test_8_images"


def record(folder, name, seed, step, withstood, images="the same"):
    """A record whose evaluation of the best checkpoint has these bits at radius 0.04."""
    bits = base64.b64encode(np.packbits(withstood).tobytes()).decode()
    evaluation = {
        "source": f"classifier at step {step}",
        "images": "8 images",
        "radii": [
            {"epsilon": 0.0, "accuracy": 0.75},
            {"epsilon": 0.04, "accuracy": np.mean(withstood)},
        ],
        "outcomes": {"count": 8, "images": images, "withstood": {"0": bits, "0.04": bits}},
    }
    path = folder / name / f"{seed}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"evaluations": {f"{KIND}_best_{step}": evaluation}}))


def test_differences_are_of_the_same_images_and_seed(tmp_path):
    record(tmp_path, "plain", 0, 20, [1, 1, 0, 0, 0, 0, 0, 0])
    record(tmp_path, "plain", 1, 20, [0, 0, 0, 0, 0, 0, 0, 0])
    record(tmp_path, "other_kind", 0, 10, [0, 1, 1, 1, 1, 0, 0, 0])
    record(tmp_path, "of_others", 1, 10, [1, 1, 1, 1, 1, 1, 1, 1], images="others")
    text = tables(read_records(tmp_path), ["plain"])
    assert text.count("**") == 2 and "autoattack test 8 images best" in text
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if "%" in line}
    # Three images only this one withstands and one only the other: Bonett and Price's interval of
    # 4/10 - 2/10 with 10 = 8 + 2.
    half = 1.959964 * np.sqrt((0.6 - 0.2**2) / 10)
    low, high = 100 * (0.2 - half), 100 * (0.2 + half)
    assert rows["other kind"].endswith(f"| +25.0 ({low:+.1f} to {high:+.1f}) |")
    assert "| 0 | 10 | 75.0 % | 50.0 % |" in rows["other kind"]
    assert rows["plain"].endswith("| 1 | 20 | 75.0 % | 0.0 % | - |")
    assert rows["of others"].endswith("| other images |")


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"has no records"):
        read_records(tmp_path)
    record(tmp_path, "plain", 0, 20, [0] * 8)
    with pytest.raises(UserError, match="no record of 'adversarial_training'"):
        tables(read_records(tmp_path), ["adversarial_training"])
