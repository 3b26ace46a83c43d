"""What counts as the same answer of a server."""

import numpy as np
import pytest

from robgan_tf.errors import UserError
from robgan_tf.serving.check import _read_card, compare

EXPECTED = {
    "images": np.array([[0.5, -0.25]], np.float32),
    "images_uint8": np.array([[10, 200]], np.uint8),
    "top_classes": np.array([[b"cat", b"dog"]], object),
}


class Model:
    """A local model with one signature, whose answers are EXPECTED."""

    name = "model"
    card = {  # noqa: RUF012
        "class_names": ["cat", "dog"],
        "signatures": {"sample": {"inputs": {"seed": {"dtype": "int64", "shape": [None]}}}},
    }

    def predict(self, signature, inputs):
        assert signature in ("sample", "serving_default") and set(inputs) == {"seed"}
        return EXPECTED


@pytest.mark.parametrize(
    ("changes", "equal"),
    [
        ({}, True),
        ({"top_classes": [["cat", "dog"]]}, True),
        ({"images": [[0.500002, -0.25]]}, True),
        ({"images": [[0.5001, -0.25]]}, False),
        ({"images": [[np.nan, -0.25]]}, False),
        ({"images": [0.5, -0.25]}, False),
        ({"images_uint8": [[11, 199]]}, True),
        ({"images_uint8": [[12, 200]]}, False),
        ({"top_classes": [["dog", "cat"]]}, False),
        ({"more": [1.0]}, False),
    ],
)
def test_answers_are_compared_within_the_tolerances(changes, equal):
    def predict(model, signature, inputs):
        return {**EXPECTED, **changes}

    rows = compare(Model(), {"test": predict})
    assert [(row.signature, row.equal) for row in rows] == [
        ("sample", equal),
        ("serving_default", equal),
    ]


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", '{"signatures": {}}'])
def test_a_damaged_model_card_is_one_line(tmp_path, content):
    path = tmp_path / "model_card.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"export the run again \(--export_dir\)$") as error:
        _read_card(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
