"""Damaged JSON files of a run: one line that names the file, and nothing is overwritten."""

import json
import shutil
import types

import pytest

from robgan_tf.comparison.record import write_record
from robgan_tf.errors import UserError
from robgan_tf.json_file import read_object
from robgan_tf.quality.run import _refuse_other
from robgan_tf.robustness.stored import StoredEvaluation
from robgan_tf.runs.data_record import DataRecord
from robgan_tf.runs.directory import RunDirectory
from robgan_tf.sampling.image_set import RECORD_NAME, _claim
from robgan_tf.serving.export_run import read_evaluations
from robgan_tf.stages.finished import read_run_config
from robgan_tf.stages.measured import measured_table
from robgan_tf.stages.run_card import _measured
from robgan_tf.watching.final_evaluation import final_accuracy
from tests import tiny

DAMAGED = [b"", b"[]", b"[1, 2]", b"7", b"null", b"{", b"\0" * 50, b"\xff\xfe", b"[" * 9999]
IN_A_RUN = {
    "config.json": [
        lambda run: RunDirectory(run, {"train.steps": 1}, grows="train.steps"),
        read_run_config,
        lambda run: write_record(run, run.parent / "record"),
    ],
    "data.json": [DataRecord.read],
    "evaluations/step_00002000.json": [
        lambda run: read_evaluations(types.SimpleNamespace(path=run, step=2000)),
        lambda run: _measured(types.SimpleNamespace(path=run)),
        lambda run: write_record(run, run.parent / "record"),
        lambda run: _refuse_other(run / "evaluations/step_00002000.json", {}),
        lambda run: final_accuracy(
            tiny.config(), types.SimpleNamespace(path=run), None, None, 2000
        ),
    ],
    f"images/{RECORD_NAME}": [lambda run: _claim(run / "images", {})],
    "evaluations/parts/protocol.json": [
        lambda run: StoredEvaluation(run / "evaluations/parts", {})
    ],
    "evaluations/parts/masking.json": [
        lambda run: StoredEvaluation(run / "evaluations/parts", {}).masking(None)
    ],
}
CASES = [
    (name, place, content)
    for name, readers in IN_A_RUN.items()
    for place in range(len(readers))
    for content in DAMAGED
    # Version 0.2.0 kept a list there.
    if not (name.endswith("masking.json") and content == b"[]")
]


@pytest.mark.parametrize(("name", "place", "content"), CASES)
def test_one_line_names_the_file_and_it_stays(trained, tmp_path, name, place, content):
    run = shutil.copytree(trained, tmp_path / "run")
    path = run / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        IN_A_RUN[name][place](run)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert path.read_bytes() == content


def test_an_evaluation_that_lacks_something_is_named():
    for record in ({"clean": 0.5}, {"radii": [{}]}, {"radii": 7}, {"clean": "?", "attacked": 1}):
        with pytest.raises(UserError, match=r"evaluations/step_00000007.json is damaged \("):
            measured_table({"step_00000007": record})


def test_what_is_whole_is_read(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({"é": [1, 2.5, None]}))
    assert read_object(tmp_path / "x.json") == {"é": [1, 2.5, None]}
    with pytest.raises(UserError, match=r"nothing.json cannot be read: No such file or directory"):
        read_object(tmp_path / "nothing.json")
